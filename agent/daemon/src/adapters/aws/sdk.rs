//! What the clients of EC2 and Auto Scaling share: region, credentials, endpoints, retries and time-outs.
//!
//! The SDK's own environment variables hold: `AWS_REGION`, `AWS_ENDPOINT_URL` and its forms for one service
//! (`AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL_AUTO_SCALING`), `AWS_ACCESS_KEY_ID` and so on.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, ConfigLoader, Region, SdkConfig};
use quorate_core::ids::RegionName;

use super::behavior::behavior;
use super::imds::Imds;

/// A question may be asked three times within its time-out.
const ATTEMPTS: u32 = 3;

/// Loads the configuration of the SDK for this instance.
///
/// `region` is the one that IMDS names; `AWS_REGION` takes precedence. Credentials come from the environment or from IMDS, through `imds`.
pub async fn load(region: &RegionName, imds: &Imds, call_timeout: Duration) -> SdkConfig {
    loader(region, imds, call_timeout).await.load().await
}

/// The same for one endpoint that answers for every service, such as a simulated region.
pub async fn load_at(endpoint: &str, region: &RegionName, imds: &Imds, call_timeout: Duration) -> SdkConfig {
    loader(region, imds, call_timeout).await.endpoint_url(endpoint).load().await
}

async fn loader(region: &RegionName, imds: &Imds, call_timeout: Duration) -> ConfigLoader {
    let here = Region::new(region.as_str().to_owned());
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(here).region().await;
    let credentials = DefaultCredentialsChain::builder().region(region.clone()).imds_client(imds.for_credentials()).build().await;
    let loader = aws_config::defaults(behavior()).region(region).credentials_provider(credentials);
    let loader = loader.retry_config(retries(call_timeout)).timeout_config(patience(call_timeout));
    match AppName::new("quorate") {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    }
}

/// Retries whose pauses (a random part of a tenth and then of a fifth of the time) fit into the time-out. With the SDK's own, of a second and more, the
/// time-out would expire during a pause, and its error would hide that the service had said "throttled".
fn retries(call_timeout: Duration) -> RetryConfig {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
    retries.with_initial_backoff(call_timeout / 10).with_max_backoff(call_timeout / 5)
}

/// Time-outs in which one attempt gets half the time: a lost answer leaves time for another attempt.
fn patience(call_timeout: Duration) -> TimeoutConfig {
    let attempt = call_timeout / 2;
    TimeoutConfig::builder().connect_timeout(attempt).operation_attempt_timeout(attempt).operation_timeout(call_timeout).build()
}

/// The same for calls that change something: one attempt, with all of the time.
///
/// If the SDK tried again after a lost answer, the second answer ("No active Lifecycle Action found") would hide that the first attempt had been accepted, and
/// report it as refused.
pub(super) fn once(config: &SdkConfig) -> (RetryConfig, TimeoutConfig) {
    let patience = config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
    (RetryConfig::disabled(), patience.to_builder().disable_operation_attempt_timeout().build())
}
