//! IMDS: who this instance is, and where its group is taking it. IMDSv2 only; it is never asked without a token.
//!
//! It is asked every cycle, so a question is never repeated within a cycle: a failure is an error, and the next cycle asks again. The one exception is a token
//! that IMDS no longer accepts.

mod document;
mod notices;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::imds::Client;
use aws_config::imds::client::Builder;
use aws_config::imds::client::error::ImdsError as SdkImdsError;
use aws_config::provider_config::ProviderConfig;
use aws_sdk_ec2::config::SharedHttpClient;
use aws_sdk_ec2::error::BoxError;
use aws_smithy_http_client::tls;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use quorate_core::ids::GroupName;
use quorate_core::observation::{LifecycleState, ScheduledEvent, SpotNotice};
use quorate_core::time::Timestamp;

use super::address::IpFamily;
use super::answers::bounded;
use super::behavior::behavior;

pub use document::InstanceIdentity;

const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
/// The first one of the primary interface, which is the one that EC2 calls the instance's.
const IPV6_ADDRESS: &str = "/latest/meta-data/ipv6";
const TARGET: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
const GROUP: &str = "/latest/meta-data/tags/instance/aws:autoscaling:groupName";

const SPOT: &str = "/latest/meta-data/spot/instance-action";
const REBALANCE: &str = "/latest/meta-data/events/recommendations/rebalance";
const SCHEDULED: &str = "/latest/meta-data/events/maintenance/scheduled";

/// Where the service is on each instance, and in the IPv6 mode, where it is on an instance that has IPv6.
const IPV4: &str = "http://169.254.169.254";
const IPV6: &str = "http://[fd00:ec2::254]";

/// A short-lived token limits the damage: the SDK judges its age by the wall clock, keeps it after a 401, and would use a dead one for hours after the clock
/// was set back. It is renewed two minutes before its end.
const TOKEN_TTL: Duration = Duration::from_secs(600);

/// Credentials are needed less often, but more urgently.
const CREDENTIAL_ATTEMPTS: u32 = 3;

/// The client. Clones of the SDK's client share one token.
#[derive(Debug)]
pub struct Imds {
    endpoint: Option<String>,
    limit: Duration,
    family: IpFamily,
    client: Mutex<Client>,
}

/// Why IMDS gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ImdsError {
    /// The endpoint is not a URL.
    #[error("the IMDS endpoint {endpoint:?} is not a URL: use one such as http://169.254.169.254")]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What the parser said.
        source: BoxError,
    },
    /// No token could be had.
    #[error("IMDS at {endpoint} gave no session token for {path}: see that this is the instance's metadata service and that it is enabled")]
    NoToken {
        /// Who was asked.
        endpoint: String,
        /// The question.
        path: &'static str,
        /// What the SDK says.
        source: SdkImdsError,
    },
    /// The connection failed, or the answer broke off.
    #[error("IMDS at {endpoint} did not answer {path}")]
    NoAnswer {
        /// Who was asked.
        endpoint: String,
        /// The question.
        path: &'static str,
        /// What the SDK says.
        source: SdkImdsError,
    },
    /// It took too long.
    #[error("IMDS at {endpoint} did not answer {path} within {limit:?}")]
    TimedOut {
        /// Who was asked.
        endpoint: String,
        /// The question.
        path: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// An HTTP status other than success.
    #[error("IMDS at {endpoint} answered {path} with status {status}")]
    Status {
        /// Who was asked.
        endpoint: String,
        /// The question.
        path: &'static str,
        /// The status.
        status: u16,
    },
    /// An answer that cannot be understood. It says nothing, and certainly not "none".
    #[error("IMDS at {endpoint} gave an answer to {path} {what}")]
    Malformed {
        /// Who was asked.
        endpoint: String,
        /// The question.
        path: &'static str,
        /// What is wrong with it, as the end of the sentence.
        what: String,
    },
}

impl Imds {
    /// A client of the endpoint that `AWS_EC2_METADATA_SERVICE_ENDPOINT` or its `_MODE` (`IPv6`) names, by default the instance's own. `limit` bounds each
    /// question as a whole, token included.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { endpoint: None, limit, family: IpFamily::default(), client: Mutex::new(one_attempt(limit).build()) }
    }

    /// A client of this endpoint.
    ///
    /// # Errors
    /// It is not a URL.
    pub fn at(endpoint: &str, limit: Duration) -> Result<Self, ImdsError> {
        let client = on(Some(endpoint), one_attempt(limit)).map_err(|source| ImdsError::Endpoint { endpoint: endpoint.into(), source })?;
        Ok(Self { endpoint: Some(endpoint.to_owned()), limit, family: IpFamily::default(), client: Mutex::new(client.build()) })
    }

    /// The same, taking the instance's address of this family.
    #[must_use]
    pub fn of_family(self, family: IpFamily) -> Self {
        Self { family, ..self }
    }

    /// The identity document.
    ///
    /// # Errors
    /// It could not be had, or lacks something.
    pub async fn identity(&self) -> Result<InstanceIdentity, ImdsError> {
        let text = self.get(IDENTITY).await?.ok_or_else(|| ImdsError::Status { endpoint: self.asked(), path: IDENTITY, status: 404 })?;
        let ipv6 = if self.family == IpFamily::Ipv6 || document::lacks_address(&text) { self.get(IPV6_ADDRESS).await? } else { None };
        document::parse(&text, ipv6.as_deref(), self.family).map_err(|what| ImdsError::Malformed {
            endpoint: self.asked(),
            path: IDENTITY,
            what,
        })
    }

    /// Where the group is taking this instance. It changes before the instance's hooks open; `None` until the first transition.
    ///
    /// # Errors
    /// IMDS gave no answer or an empty one, which is not "none".
    pub async fn target_lifecycle_state(&self) -> Result<Option<LifecycleState>, ImdsError> {
        Ok(self.get(TARGET).await?.map(|text| LifecycleState::parse(&text)))
    }

    /// The announced spot interruption, if there is one.
    ///
    /// # Errors
    /// IMDS gave no answer, or one that cannot be understood, which is not "none".
    pub async fn spot_notice(&self) -> Result<Option<SpotNotice>, ImdsError> {
        self.notice(SPOT, notices::spot).await
    }

    /// When EC2 recommended a rebalance, if it did. It is never withdrawn.
    ///
    /// # Errors
    /// As for [`Imds::spot_notice`].
    pub async fn rebalance_recommendation(&self) -> Result<Option<Timestamp>, ImdsError> {
        self.notice(REBALANCE, notices::rebalance).await
    }

    /// The scheduled events, including past ones. EC2 answers `[]` where there are none, and some simulators 404.
    ///
    /// # Errors
    /// As for [`Imds::spot_notice`].
    pub async fn scheduled_events(&self) -> Result<Vec<ScheduledEvent>, ImdsError> {
        Ok(self.notice(SCHEDULED, notices::scheduled).await?.unwrap_or_default())
    }

    async fn notice<T>(&self, path: &'static str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, ImdsError> {
        let text = self.get(path).await?;
        text.map(|text| read(&text)).transpose().map_err(|what| ImdsError::Malformed { endpoint: self.asked(), path, what })
    }

    /// The group's name, if the launch template lets IMDS show tags; otherwise, and outside a group, `None`.
    ///
    /// # Errors
    /// IMDS gave no answer or an empty one.
    pub async fn group_name_tag(&self) -> Result<Option<GroupName>, ImdsError> {
        self.notice(GROUP, |text| GroupName::parse(text).map_err(|error| format!("that cannot be used: {error}"))).await
    }

    /// The status with which IMDS answers a question without a token: 401 where IMDSv1 is off, as it should be.
    ///
    /// # Errors
    /// It did not answer.
    pub async fn status_without_token(&self) -> Result<u16, BoxError> {
        let url = format!("{}/latest/meta-data/instance-id", self.asked().trim_end_matches('/'));
        let answer = reqwest::Client::builder().no_proxy().timeout(self.limit).build()?.get(url).send().await?;
        Ok(answer.status().as_u16())
    }

    /// The endpoint that is asked.
    fn asked(&self) -> String {
        let named = || endpoint_in(|name| std::env::var(name).ok());
        self.endpoint.clone().or_else(named).unwrap_or_else(|| IPV4.to_owned())
    }

    /// A client for the SDK's own credentials provider, with a token of its own.
    pub(super) fn for_credentials(&self) -> Client {
        self.here(attempts(CREDENTIAL_ATTEMPTS, self.limit)).build()
    }

    /// The trimmed body; `None` is 404.
    async fn get(&self, path: &'static str) -> Result<Option<String>, ImdsError> {
        let answer = tokio::time::timeout(self.limit, self.ask_with_a_valid_token(path)).await;
        let text = answer.unwrap_or_else(|_| Err(ImdsError::TimedOut { endpoint: self.asked(), path, limit: self.limit }))?;
        match text.as_deref().map(str::trim) {
            Some("") => Err(ImdsError::Malformed { endpoint: self.asked(), path, what: "that is empty".to_owned() }),
            text => Ok(text.map(str::to_owned)),
        }
    }

    /// Asks, and after a 401 asks again with a new client: the SDK itself would repeat the very token that was refused.
    async fn ask_with_a_valid_token(&self, path: &'static str) -> Result<Option<String>, ImdsError> {
        let answer = self.ask(path).await;
        if !matches!(answer, Err(ImdsError::Status { status: 401, .. })) {
            return answer;
        }
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = self.here(one_attempt(self.limit)).build();
        self.ask(path).await
    }

    async fn ask(&self, path: &'static str) -> Result<Option<String>, ImdsError> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match client.get(path).await {
            Ok(text) => Ok(Some(text.into())),
            Err(SdkImdsError::ErrorResponse(answer)) => match answer.response().status().as_u16() {
                404 => Ok(None),
                status => Err(ImdsError::Status { endpoint: self.asked(), path, status }),
            },
            Err(source @ SdkImdsError::FailedToLoadToken(_)) => Err(ImdsError::NoToken { endpoint: self.asked(), path, source }),
            Err(source) => Err(ImdsError::NoAnswer { endpoint: self.asked(), path, source }),
        }
    }

    /// The builder with this endpoint. It was parsed once already, so the fallback is never taken.
    fn here(&self, builder: Builder) -> Builder {
        on(self.endpoint.as_deref(), builder.clone()).unwrap_or(builder)
    }
}

/// The endpoint that the SDKs' environment variables name; `None` leaves the usual one. The SDK reads them itself.
#[must_use]
pub fn endpoint_in(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let said = |name| variable(name).filter(|value| !value.is_empty());
    let mode = || said("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").filter(|mode| mode.eq_ignore_ascii_case("ipv6"));
    said("AWS_EC2_METADATA_SERVICE_ENDPOINT").or_else(|| mode().map(|_| IPV6.to_owned()))
}

fn on(endpoint: Option<&str>, builder: Builder) -> Result<Builder, BoxError> {
    endpoint.map_or(Ok(builder.clone()), |endpoint| builder.endpoint(endpoint))
}

/// The SDK tries four times by default, and four times for the token of each try, up to 30 s. Its own time-outs are longer than ours, which bounds the whole
/// question and says so.
fn one_attempt(limit: Duration) -> Builder {
    attempts(1, limit * 2)
}

fn attempts(most: u32, each: Duration) -> Builder {
    Client::builder()
        .configure(&ProviderConfig::default().with_behavior_version(Some(behavior())).with_http_client(without_proxy()))
        .token_ttl(TOKEN_TTL)
        .max_attempts(most)
        .connect_timeout(each)
        .read_timeout(each)
        .operation_attempt_timeout(each)
        .operation_timeout(each * most)
}

/// A client that ignores `HTTP_PROXY`, which the SDK's own client also uses for IMDS. The metadata service answers for the machine that asks: a proxy would
/// give this agent another machine's identity and credentials.
fn without_proxy() -> SharedHttpClient {
    bounded(aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).build_https())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_no_url_is_refused_and_named() {
        let error = Imds::at("http://[", Duration::from_secs(2)).unwrap_err();
        assert!(error.to_string().contains("\"http://[\""), "{error}");
    }

    #[test]
    fn the_environment_names_an_endpoint_or_the_ipv6_mode() {
        let named =
            |set: &[(&str, &str)]| endpoint_in(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
        let (endpoint, mode) = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
        assert_eq!(named(&[]), None);
        assert_eq!(named(&[(mode, "IPv6")]).as_deref(), Some("http://[fd00:ec2::254]"));
        assert_eq!(named(&[(mode, "IPv4")]), None);
        assert_eq!(named(&[(mode, "ipv6"), (endpoint, "http://127.0.0.1:1338")]).as_deref(), Some("http://127.0.0.1:1338"));
        assert_eq!(named(&[(endpoint, "")]), None, "an empty variable is an unset one");
    }
}
