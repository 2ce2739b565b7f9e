//! Which names a partition of AWS has: `amazonaws.com` is that of most regions, and not of all.

use aws_sdk_autoscaling::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use futures::FutureExt;

/// What the names of a region's services end with, by the SDK's own table of partitions; `None` for a text that is no region's name.
#[must_use]
pub fn dns_suffix(region: &str) -> Option<String> {
    let params = Params::builder().region(region).build().ok()?;
    let resolver = DefaultResolver::new();
    let endpoint = ResolveEndpoint::resolve_endpoint(&resolver, &params).now_or_never()?.ok()?;
    endpoint.url().strip_prefix(&format!("https://autoscaling.{region}.")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_own_suffix() {
        for (region, suffix) in [
            ("eu-central-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
            ("xx-new-1", "amazonaws.com"),
        ] {
            assert_eq!(dns_suffix(region).as_deref(), Some(suffix), "{region}");
        }
    }

    #[test]
    fn a_text_that_is_no_region_has_no_suffix() {
        assert_eq!(dns_suffix("no region"), None);
        assert_eq!(dns_suffix(""), None);
    }
}
