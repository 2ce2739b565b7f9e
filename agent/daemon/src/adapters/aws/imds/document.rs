//! The instance identity document: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use quorate_core::ids::{AccountId, BadName, InstanceId, RegionName};
use quorate_core::text::printable;
use quorate_core::time::Timestamp;
use serde::Deserialize;

use super::super::address::IpFamily;

/// This instance's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceIdentity {
    /// Its id.
    pub instance: InstanceId,
    /// Its account.
    pub account: AccountId,
    /// Its region.
    pub region: RegionName,
    /// Its availability zone.
    pub zone: String,
    /// Its address in its VPC, of the chosen family.
    pub address: IpAddr,
    /// When it was launched, or last started.
    pub launched: Timestamp,
}

/// `us-west-2-lax-1a` is one of the longest.
const LONGEST_ZONE: usize = 64;

/// EC2 writes `null` for what does not apply, and adds keys; both count as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    instance_id: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
    availability_zone: Option<String>,
    private_ip: Option<String>,
    pending_time: Option<String>,
}

/// Whether the document has no IPv4 address, as in a subnet for IPv6 alone: the address is then asked for by itself.
pub(super) fn lacks_address(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|document: Document| document.private_ip.is_none_or(|ip| ip.trim().is_empty()))
}

/// Reads the document, which names no IPv6 address; `ipv6` is the instance's as the metadata have it.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with "an answer".
pub(super) fn parse(text: &str, ipv6: Option<&str>, family: IpFamily) -> Result<InstanceIdentity, String> {
    let document: Document = serde_json::from_str(text).map_err(|error| format!("that is no identity document ({error})"))?;
    let instance = present("instanceId", document.instance_id)?;
    let launched = present("pendingTime", document.pending_time)?;
    let (account, region) = (present("accountId", document.account_id)?, present("region", document.region)?);
    Ok(InstanceIdentity {
        instance: InstanceId::parse(&instance).map_err(|error| named("instanceId", &error))?,
        account: AccountId::parse(&account).map_err(|error| named("accountId", &error))?,
        region: RegionName::parse(&region).map_err(|error| named("region", &error))?,
        zone: printable(&present("availabilityZone", document.availability_zone)?, LONGEST_ZONE),
        address: address(document.private_ip, ipv6, family)?,
        launched: moment(&launched).ok_or_else(|| format!("with the pendingTime {launched:?}, which is no time since 1970"))?,
    })
}

fn address(private_ip: Option<String>, ipv6: Option<&str>, family: IpFamily) -> Result<IpAddr, String> {
    let private: Option<Ipv4Addr> = match present("privateIp", private_ip) {
        Ok(text) => Some(text.parse().map_err(|_| format!("with the privateIp {text:?}, which is no IPv4 address"))?),
        Err(_) => None,
    };
    let ipv6 = ipv6.and_then(|text| text.split_whitespace().next()).map(global).transpose()?;
    family.choose(private, ipv6).ok_or_else(|| match family {
        IpFamily::Ipv4 => "without privateIp, and the metadata have no IPv6 address either".to_owned(),
        IpFamily::Ipv6 => "and the metadata have no IPv6 address: assign one to the instance, or set aws.ip_family = \"ipv4\"".to_owned(),
    })
}

fn global(text: &str) -> Result<Ipv6Addr, String> {
    let parsed = text.parse().ok().filter(|address: &Ipv6Addr| !address.is_unspecified());
    parsed.ok_or_else(|| format!("and the metadata have the IPv6 address {text:?}, which is none"))
}

fn named(key: &str, error: &BadName) -> String {
    format!("whose {key} is not one: {error}")
}

fn present(key: &str, value: Option<String>) -> Result<String, String> {
    value.filter(|value| !value.trim().is_empty()).ok_or_else(|| format!("without {key}"))
}

fn moment(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As EC2 gives it, nulls and all.
    const REAL: &str = r#"{
      "accountId" : "123456789012",
      "architecture" : "x86_64",
      "availabilityZone" : "eu-central-1a",
      "billingProducts" : null,
      "devpayProductCodes" : null,
      "imageId" : "ami-5fb8c835",
      "instanceId" : "i-0123456789abcdef0",
      "instanceType" : "t3.micro",
      "kernelId" : null,
      "marketplaceProductCodes" : null,
      "pendingTime" : "2026-11-19T16:32:11Z",
      "privateIp" : "10.158.112.84",
      "ramdiskId" : null,
      "region" : "eu-central-1",
      "version" : "2017-09-30"
    }"#;

    fn without(key: &str, value: &str) -> String {
        let mut document: serde_json::Value = serde_json::from_str(REAL).unwrap();
        document[key] = serde_json::from_str(value).unwrap();
        parse(&document.to_string(), None, IpFamily::Ipv4).unwrap_err()
    }

    #[test]
    fn a_real_document_is_read() {
        let identity = parse(REAL, None, IpFamily::Ipv4).unwrap();
        assert_eq!(identity.instance, InstanceId::new("i-0123456789abcdef0"));
        assert_eq!(identity.account, AccountId::new("123456789012"));
        assert_eq!((identity.region.as_str(), identity.zone.as_str()), ("eu-central-1", "eu-central-1a"));
        assert_eq!(identity.address, IpAddr::from([10, 158, 112, 84]));
        assert_eq!(identity.launched, Timestamp(1_795_105_931_000));
    }

    /// What EC2 says in a subnet for IPv6 alone.
    #[test]
    fn an_instance_without_an_ipv4_address_is_at_its_first_ipv6_address() {
        let only_ipv6 = REAL.replace("\"10.158.112.84\"", "null");
        assert!(lacks_address(&only_ipv6) && !lacks_address(REAL) && !lacks_address("<html>"));
        let address = |ipv6| parse(&only_ipv6, ipv6, IpFamily::Ipv4).map(|identity| identity.address);
        assert_eq!(address(Some("2001:db8::7\n2001:db8::8\n")), Ok("2001:db8::7".parse::<IpAddr>().unwrap()));
        for bad in [None, Some(""), Some("::"), Some("fe80::1%eth0"), Some("10.0.0.7")] {
            assert!(address(bad).unwrap_err().contains("the metadata have "), "{bad:?}");
        }
    }

    #[test]
    fn a_dual_stack_instance_is_at_the_address_of_the_chosen_family() {
        let address = |family| parse(REAL, Some("2001:db8::7"), family).map(|identity| identity.address);
        assert_eq!(address(IpFamily::Ipv4), Ok([10, 158, 112, 84].into()));
        assert_eq!(address(IpFamily::Ipv6), Ok("2001:db8::7".parse().unwrap()));
        let none = parse(REAL, None, IpFamily::Ipv6).unwrap_err();
        assert!(none.contains("assign one to the instance"), "{none}");
    }

    #[test]
    fn what_is_missing_is_named() {
        for key in ["instanceId", "accountId", "region", "availabilityZone", "privateIp", "pendingTime"] {
            assert!(without(key, "null").starts_with(&format!("without {key}")));
            assert!(without(key, "\" \"").starts_with(&format!("without {key}")));
        }
    }

    #[test]
    fn what_is_malformed_is_named_with_its_value() {
        assert!(without("instanceId", "\"localhost\"").contains("whose instanceId is not one: \"localhost\" is no instance id"));
        assert!(without("privateIp", "\"10.0.0.256\"").contains("the privateIp \"10.0.0.256\""));
        assert!(without("pendingTime", "\"yesterday\"").contains("the pendingTime \"yesterday\""));
        assert!(without("pendingTime", "\"1969-12-31T23:59:59Z\"").contains("no time since 1970"));
        assert!(without("accountId", "5").contains("no identity document"));
    }

    #[test]
    fn a_body_that_broke_off_is_no_document() {
        for end in [0, 1, 20, REAL.len() / 2, REAL.len() - 1] {
            assert!(parse(&REAL[..end], None, IpFamily::Ipv4).unwrap_err().contains("no identity document"), "cut at {end}");
        }
        assert!(parse("<html>captive portal</html>", None, IpFamily::Ipv4).is_err());
    }
}
