//! Where the store is, by its URL and the standard AWS environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use quorate_core::ids::RegionName;

use super::StoreError;
use crate::adapters::aws::{imds, partition};

/// What opening needs besides the URL.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    /// Options by object_store's own names; they take precedence over the environment.
    pub(super) settings: &'a BTreeMap<String, String>,
    /// The environment, for the standard `AWS_*` variables.
    pub(super) environment: &'a [(String, String)],
    /// The bucket's region, unless one is set.
    pub(super) region: &'a RegionName,
    pub(super) limit: Duration,
}

/// An opened store.
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The URL's own prefix.
    pub(super) prefix: Key,
    /// The directory, for a store of files. While it does not exist (is not mounted), the store is unreadable and not empty.
    pub(super) root: Option<PathBuf>,
    /// The URL that requests go to, for a store that is reached over the network.
    pub(super) endpoint: Option<String>,
}

/// What object_store ends the name of every service with.
const USUAL_SUFFIX: &str = "amazonaws.com";

/// The SDKs' variable for names that have addresses of both families.
const DUAL_STACK: &str = "AWS_USE_DUALSTACK_ENDPOINT";

/// A connection that is not accepted by then will not be.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

pub(super) fn open(url: &str, options: Options<'_>) -> Result<Place, StoreError> {
    let refuse = |why| StoreError::Url { url: url.to_owned(), why };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse("it has no scheme"))?;
    match scheme {
        "s3" => s3(url, rest, options),
        "file" if rest.starts_with('/') && rest.len() > 1 => files(url, Path::new(rest)),
        "file" => Err(refuse("its path is not absolute")),
        "memory" => Ok(Place { store: Arc::new(InMemory::new()), prefix: Key::default(), root: None, endpoint: None }),
        _ => Err(refuse("its scheme is unknown")),
    }
}

fn files(url: &str, root: &Path) -> Result<Place, StoreError> {
    // Not `new_with_prefix`, which requires the directory now: a mount may come later, and only the operator creates it.
    let prefix = Key::from_absolute_path(root).map_err(|source| StoreError::Open { url: url.to_owned(), source: source.into() })?;
    // Without it a power failure could lose a record although its number counts as taken.
    let store = LocalFileSystem::new().with_fsync(true);
    Ok(Place { store: Arc::new(store), prefix, root: Some(root.to_owned()), endpoint: None })
}

fn s3(url: &str, rest: &str, options: Options<'_>) -> Result<Place, StoreError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(StoreError::Url { url: url.to_owned(), why: "it names no bucket" });
    }
    let opened = builder(bucket, options).and_then(|builder| Ok((endpoint(&builder), builder.build()?)));
    let (endpoint, store) = opened.map_err(|source| StoreError::Open { url: url.to_owned(), source: source.into() })?;
    Ok(Place { store: Arc::new(store), prefix: Key::from(prefix), root: None, endpoint: Some(endpoint) })
}

/// The endpoint that object_store uses: what is set, or its own.
fn endpoint(builder: &AmazonS3Builder) -> String {
    let said = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint].iter().find_map(|key| builder.get_config_value(key));
    let region = builder.get_config_value(&AmazonS3ConfigKey::Region).unwrap_or_default();
    said.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"))
}

/// The environment first, as `AmazonS3Builder::from_env` reads it, then the settings, then the defaults.
fn builder(bucket: &str, options: Options<'_>) -> Result<AmazonS3Builder, object_store::Error> {
    let mut keys =
        Keys { builder: AmazonS3Builder::new(), client: ClientOptions::new().with_connect_timeout(CONNECT_LIMIT), http_said: false };
    for (name, value) in options.environment.iter().filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty()) {
        // The environment holds more than object_store knows, such as AWS_PROFILE.
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            keys.set(key, value);
        }
    }
    for (name, value) in options.settings {
        keys.set(name.to_ascii_lowercase().parse()?, value);
    }
    keys.default_to(AmazonS3ConfigKey::Region, Some(options.region.as_str()));
    // A bucket with Object Lock refuses a write without one. The request is signed with the same digest.
    keys.default_to(AmazonS3ConfigKey::Checksum, Some("sha256"));
    let variable = |name: &str| options.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    keys.name_services(bucket, variable(DUAL_STACK).is_some_and(|value| value.eq_ignore_ascii_case("true")));
    // The SDKs' names for what object_store calls AWS_METADATA_ENDPOINT.
    keys.default_to(AmazonS3ConfigKey::MetadataEndpoint, imds::endpoint_in(variable).as_deref());
    let client = keys.client_for(options.limit);
    // The bucket last, because AWS_BUCKET is a setting of object_store's too.
    Ok(keys.builder.with_retry(retry(options.limit)).with_client_options(client).with_bucket_name(bucket))
}

/// The two halves of the settings: `with_client_options` replaces what `with_config` had set of the client.
struct Keys {
    builder: AmazonS3Builder,
    client: ClientOptions,
    /// Whether plain HTTP was explicitly allowed or forbidden.
    http_said: bool,
}

impl Keys {
    fn set(&mut self, key: AmazonS3ConfigKey, value: &str) {
        match key {
            AmazonS3ConfigKey::Client(key) => {
                self.http_said |= key == ClientConfigKey::AllowHttp;
                self.client = std::mem::take(&mut self.client).with_config(key, value);
            }
            key => self.builder = std::mem::take(&mut self.builder).with_config(key, value),
        }
    }

    fn default_to(&mut self, key: AmazonS3ConfigKey, value: Option<&str>) {
        if let Some(value) = value.filter(|_| self.builder.get_config_value(&key).is_none()) {
            self.set(key, value);
        }
    }

    /// Names S3 and STS in a region whose names do not end as object_store expects of all, and S3 where its addresses of both families are wanted. An endpoint
    /// that is set is the operator's, and object_store makes the one of directory buckets (S3 Express) itself: they have neither.
    fn name_services(&mut self, bucket: &str, dual_stack: bool) {
        let region = self.builder.get_config_value(&AmazonS3ConfigKey::Region).unwrap_or_default();
        let Some(suffix) = partition::dns_suffix(&region) else { return };
        let is_usual = suffix == USUAL_SUFFIX;
        if !is_usual {
            self.default_to(AmazonS3ConfigKey::StsEndpoint, Some(&format!("https://sts.{region}.{suffix}")));
        }
        if (is_usual && !dual_stack) || self.is_set(AmazonS3ConfigKey::S3Endpoint) || self.says_true(AmazonS3ConfigKey::S3Express) {
            return;
        }
        let service = if dual_stack { "s3.dualstack" } else { "s3" };
        let hosted = self.says_true(AmazonS3ConfigKey::VirtualHostedStyleRequest);
        let host = if hosted { format!("{bucket}.{service}") } else { service.to_owned() };
        self.default_to(AmazonS3ConfigKey::Endpoint, Some(&format!("https://{host}.{region}.{suffix}")));
    }

    fn is_set(&self, key: AmazonS3ConfigKey) -> bool {
        self.builder.get_config_value(&key).is_some()
    }

    fn says_true(&self, key: AmazonS3ConfigKey) -> bool {
        // The words that object_store takes for true; what it cannot read it refuses itself.
        let words = ["1", "true", "on", "yes", "y"];
        self.builder.get_config_value(&key).is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
    }

    /// The client's options. Plain HTTP is allowed only for an endpoint that names it itself.
    fn client_for(&self, limit: Duration) -> ClientOptions {
        let client = self.client.clone().with_timeout(limit);
        let endpoint =
            [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint].iter().find_map(|key| self.builder.get_config_value(key));
        match endpoint {
            Some(url) if !self.http_said => client.with_allow_http(url.starts_with("http://")),
            _ => client,
        }
    }
}

/// Retries only for a brief failure: the loop looks again anyway. The library's own default would retry for three minutes.
fn retry(limit: Duration) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(1), base: 2.0 };
    RetryConfig { backoff, max_retries: 2, retry_timeout: limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    fn config(environment: &[(&str, &str)], settings: &[(&str, &str)], key: AmazonS3ConfigKey) -> Option<String> {
        let environment: Vec<(String, String)> = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let region = "eu-central-1".into();
        let options = Options { settings: &settings, environment: &environment, region: &region, limit: LIMIT };
        builder("b", options).unwrap().get_config_value(&key)
    }

    #[test]
    fn a_url_that_names_no_store_is_refused_with_a_remedy() {
        let (settings, region) = (BTreeMap::new(), "eu-central-1".into());
        for url in ["", "bucket", "s3://", "s3:///prefix", "file://relative", "file:///", "http://x"] {
            let options = Options { settings: &settings, environment: &[], region: &region, limit: LIMIT };
            let error = open(url, options).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("s3://BUCKET/PREFIX"), "{url}: {error}");
        }
    }

    #[test]
    fn the_region_is_the_instances_unless_one_is_set() {
        let region = |environment, settings| config(environment, settings, AmazonS3ConfigKey::Region).unwrap();
        assert_eq!(region(&[], &[]), "eu-central-1");
        assert_eq!(region(&[("AWS_REGION", "us-west-2"), ("AWS_PROFILE", "x")], &[]), "us-west-2");
        assert_eq!(region(&[("AWS_REGION", "us-west-2")], &[("region", "us-east-1")]), "us-east-1");
    }

    #[test]
    fn the_store_is_where_the_regions_partition_has_it() {
        let endpoint = |environment: &[(&str, &str)], settings: &[(&str, &str)]| config(environment, settings, AmazonS3ConfigKey::Endpoint);
        assert_eq!(endpoint(&[], &[]), None, "object_store's own");
        assert_eq!(endpoint(&[("AWS_REGION", "cn-north-1")], &[]).unwrap(), "https://s3.cn-north-1.amazonaws.com.cn");
        assert_eq!(endpoint(&[], &[("region", "eusc-de-east-1")]).unwrap(), "https://s3.eusc-de-east-1.amazonaws.eu");
        let hosted = [("region", "us-iso-east-1"), ("virtual_hosted_style_request", "yes")];
        assert_eq!(endpoint(&[], &hosted).unwrap(), "https://b.s3.us-iso-east-1.c2s.ic.gov");
        let sts = config(&[("AWS_REGION", "cn-north-1")], &[], AmazonS3ConfigKey::StsEndpoint);
        assert_eq!(sts.unwrap(), "https://sts.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn a_subnet_for_ipv6_alone_reaches_the_store_by_the_name_that_has_both_families() {
        let endpoint = |environment: &[(&str, &str)], settings: &[(&str, &str)]| config(environment, settings, AmazonS3ConfigKey::Endpoint);
        let both = ("AWS_USE_DUALSTACK_ENDPOINT", "true");
        assert_eq!(endpoint(&[both], &[]).unwrap(), "https://s3.dualstack.eu-central-1.amazonaws.com");
        assert_eq!(endpoint(&[both], &[("region", "cn-north-1")]).unwrap(), "https://s3.dualstack.cn-north-1.amazonaws.com.cn");
        let hosted = [("virtual_hosted_style_request", "true")];
        assert_eq!(endpoint(&[both], &hosted).unwrap(), "https://b.s3.dualstack.eu-central-1.amazonaws.com");
        assert_eq!(endpoint(&[both, ("AWS_ENDPOINT_URL", "https://s3.example")], &[]).unwrap(), "https://s3.example");
        assert_eq!(endpoint(&[("AWS_USE_DUALSTACK_ENDPOINT", "false")], &[]), None);
    }

    #[test]
    fn an_endpoint_that_is_set_is_the_operators() {
        let china = ("AWS_REGION", "cn-north-1");
        let endpoint = |environment: &[(&str, &str)], settings: &[(&str, &str)]| config(environment, settings, AmazonS3ConfigKey::Endpoint);
        assert_eq!(endpoint(&[china, ("AWS_ENDPOINT_URL", "https://s3.example")], &[]).unwrap(), "https://s3.example");
        assert_eq!(endpoint(&[china], &[("endpoint", "https://s3.example")]).unwrap(), "https://s3.example");
        assert_eq!(endpoint(&[china, ("AWS_ENDPOINT_URL_S3", "https://s3.example")], &[]), None, "the one for S3 takes precedence");
    }

    #[test]
    fn the_roles_credentials_come_from_the_metadata_service_that_the_agent_asks() {
        let metadata = |environment: &[(&str, &str)]| config(environment, &[], AmazonS3ConfigKey::MetadataEndpoint);
        assert_eq!(metadata(&[]), None);
        let mode = ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6");
        assert_eq!(metadata(&[mode]).unwrap(), "http://[fd00:ec2::254]");
        assert_eq!(metadata(&[mode, ("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")]).unwrap(), "http://127.0.0.1:1");
        assert_eq!(metadata(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:2")]).unwrap(), "http://127.0.0.1:2");
    }

    #[test]
    fn what_is_written_bears_a_checksum() {
        let checksum = |settings| config(&[], settings, AmazonS3ConfigKey::Checksum).unwrap();
        assert_eq!(checksum(&[]), "sha256");
        assert_eq!(checksum(&[("aws_checksum_algorithm", "crc64nvme")]), "crc64nvme");
    }

    #[test]
    fn plain_http_needs_an_http_endpoint_or_permission() {
        let http = |environment, settings| config(environment, settings, AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)).unwrap();
        assert_eq!(http(&[("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")], &[]), "true");
        assert_eq!(http(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")], &[]), "true");
        assert_eq!(http(&[("AWS_ENDPOINT_URL", "https://s3.example")], &[]), "false");
        assert_eq!(http(&[], &[("endpoint", "http://127.0.0.1:9000"), ("allow_http", "false")]), "false");
        assert_eq!(http(&[], &[]), "false");
    }

    #[test]
    fn the_bucket_is_the_urls_and_an_unknown_setting_is_refused() {
        assert_eq!(config(&[("AWS_BUCKET", "other")], &[], AmazonS3ConfigKey::Bucket).as_deref(), Some("b"));
        let (settings, region) = (BTreeMap::from([("endpiont".to_owned(), "x".to_owned())]), "eu-central-1".into());
        let options = Options { settings: &settings, environment: &[], region: &region, limit: LIMIT };
        let error = open("s3://b/p", options).err().unwrap();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("endpiont"), "{error}");
    }
}
