//! Which address an instance is at: what its metadata name and what EC2 gives must be the same one, or its peers look for it elsewhere.

use std::net::{IpAddr, Ipv6Addr};

use quorate::adapters::aws::IpFamily;
use quorate_core::observation::Ec2Answer;
use quorate_lab::region::{AddressRange, RegionConfig};
use reqwest::StatusCode;

use crate::wire_aws::lab::Lab;

const FIRST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);

/// What the metadata service answers to a question with a token.
async fn metadata(lab: &Lab, path: &str) -> (StatusCode, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = http.put(lab.metadata_url("api/token")).header("x-aws-ec2-metadata-token-ttl-seconds", "60").send().await.unwrap();
    let asked = http.get(lab.metadata_url(path)).header("x-aws-ec2-metadata-token", token.text().await.unwrap()).send().await.unwrap();
    (asked.status(), asked.text().await.unwrap())
}

/// The address by this instance's own metadata, and by EC2.
async fn both(lab: &Lab, family: IpFamily) -> (Option<IpAddr>, Option<IpAddr>) {
    let own = lab.imds().of_family(family).identity().await.ok().map(|identity| identity.address);
    let answers = lab.ec2().await.of_family(family).describe(std::slice::from_ref(&lab.me)).await.unwrap();
    let Some(Ec2Answer::Known { address, .. }) = answers.get(&lab.me) else { panic!("{answers:?}") };
    (own, *address)
}

#[tokio::test]
async fn in_a_subnet_for_ipv6_alone_metadata_and_ec2_name_one_address() {
    let addresses = AddressRange { first: FIRST.into(), ..AddressRange::default() };
    let lab = Lab::with_config(RegionConfig { addresses, ..Lab::config() }, [Lab::group("g", 1)]).await;
    assert_eq!(metadata(&lab, "meta-data/local-ipv4").await.0, StatusCode::NOT_FOUND);
    assert_eq!(metadata(&lab, "meta-data/ipv6").await, (StatusCode::OK, "2001:db8::10".to_owned()));
    let document: serde_json::Value = serde_json::from_str(&metadata(&lab, "dynamic/instance-identity/document").await.1).unwrap();
    assert!(document["privateIp"].is_null(), "{document:#}");
    for family in [IpFamily::Ipv4, IpFamily::Ipv6] {
        assert_eq!(both(&lab, family).await, (Some(FIRST.into()), Some(FIRST.into())), "{family:?}");
    }
}

#[tokio::test]
async fn in_a_dual_stack_subnet_the_chosen_family_counts_for_this_instance_and_for_the_others() {
    let lab = Lab::with_config(RegionConfig { second_addresses: Some(FIRST), ..Lab::config() }, [Lab::group("g", 1)]).await;
    let private = lab.server.region().lock().instance(&lab.me).unwrap().address;
    assert_eq!(metadata(&lab, "meta-data/local-ipv4").await.1, private.to_string());
    assert_eq!(both(&lab, IpFamily::Ipv4).await, (Some(private), Some(private)));
    assert_eq!(both(&lab, IpFamily::Ipv6).await, (Some(FIRST.into()), Some(FIRST.into())));
}

#[tokio::test]
async fn an_instance_without_an_ipv6_address_is_nowhere_where_that_family_is_chosen() {
    let lab = Lab::with_config(Lab::config(), [Lab::group("g", 1)]).await;
    assert_eq!(both(&lab, IpFamily::Ipv6).await, (None, None));
    let error = lab.imds().of_family(IpFamily::Ipv6).identity().await.unwrap_err().to_string();
    assert!(error.contains("set aws.ip_family = \"ipv4\""), "{error}");
}
