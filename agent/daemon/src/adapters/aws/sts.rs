//! STS: has a request signed by somebody else answered, and signs such a request.
//!
//! Both sides take the endpoint from the SDK's own resolver, with region, partition and environment as for any other call, so they mean the same host wherever
//! they are configured alike. The asker's word for a host counts nowhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_sts::config::ProvideCredentials;
use aws_sdk_sts::error::BoxError;
use aws_sdk_sts::{Client, config};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use quorate_core::handout::{CLUSTER_HEADER, CSR_HEADER, Presigned, Proof};
use quorate_core::ids::ClusterName;
use quorate_core::time::Timestamp;

use super::answers::Whole;
use super::{AwsError, sdk};

const CALL: &str = "sts:GetCallerIdentity";

/// What stands in the request about its own life. STS does not look at it, and members have a limit of their own.
const EXPIRES: Duration = Duration::from_secs(300);

/// The client.
#[derive(Clone, Debug)]
pub struct Sts {
    client: Client,
    config: SdkConfig,
}

/// Why no request could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There are no keys to sign with.
    #[error("there are no credentials: give this instance a role")]
    NoCredentials(#[source] BoxError),
    /// It is not known where STS is.
    #[error("it is not known where STS is in this region")]
    NoEndpoint(#[source] BoxError),
    /// The signer refused.
    #[error("the request cannot be signed")]
    Signer(#[source] BoxError),
}

impl Sts {
    /// A client with this configuration. Each question is asked once.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let (retries, patience) = sdk::once(config);
        let own = config::Builder::from(config).retry_config(retries).timeout_config(patience).interceptor(Whole).build();
        Self { client: Client::from_conf(own), config: config.clone() }
    }

    /// The ARN of whoever signed this.
    ///
    /// # Errors
    /// STS refused the signature, or gave no answer.
    pub async fn caller(&self, proof: &Proof) -> Result<String, AwsError> {
        let asked = self.client.get_caller_identity().customize().interceptor(InPlace(proof.clone()));
        let answer = asked.send().await.map_err(|error| AwsError::new(CALL, error))?;
        answer.arn.ok_or_else(|| AwsError::malformed(CALL, "without an ARN"))
    }

    /// A request that proves to a member of `cluster` whose keys these are, for the certificate signing request with this hash and nothing else.
    ///
    /// # Errors
    /// There are no keys, or STS has no endpoint here.
    pub async fn presign(&self, cluster: &ClusterName, csr: &str, now: Timestamp) -> Result<Presigned, SignError> {
        let credentials = self.config.credentials_provider().ok_or_else(|| SignError::NoCredentials("none are configured".into()))?;
        let credentials = credentials.provide_credentials().await.map_err(|error| SignError::NoCredentials(error.into()))?;
        let host = self.endpoint().await?;
        let region = self.config.region().map(ToString::to_string).unwrap_or_default();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(EXPIRES);
        let identity = credentials.into();
        let params = v4::SigningParams::builder().identity(&identity).region(&region).name("sts").settings(settings);
        let params = params.time(UNIX_EPOCH + Duration::from_millis(now.0)).build().map_err(|error| SignError::Signer(error.into()))?;
        let asked = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
        let headers = [(CLUSTER_HEADER, cluster.as_str()), (CSR_HEADER, csr)];
        let url = format!("{host}/?Action={}&Version={}", asked[0].1, asked[1].1);
        let request = SignableRequest::new("GET", url, headers.into_iter(), SignableBody::empty());
        let params = params.into();
        let signed = request.and_then(|request| sign(request, &params)).map_err(|error| SignError::Signer(error.into()))?;
        let (_, signature) = signed.into_parts().0.into_parts();
        let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut query: BTreeMap<String, String> = asked.into_iter().map(text).collect();
        query.extend(signature.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())));
        Ok(Presigned { method: "GET".to_owned(), query, headers: headers.into_iter().map(text).collect() })
    }

    /// Scheme and host of the endpoint, as the SDK resolves it. Nothing is sent.
    async fn endpoint(&self) -> Result<String, SignError> {
        let seen = Seen::default();
        let sent = self.client.get_caller_identity().customize().interceptor(seen.clone()).send().await;
        let url = seen.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match url.as_deref().map(origin) {
            Some(Some(origin)) => Ok(origin),
            _ => Err(SignError::NoEndpoint(sent.err().map_or_else(|| "the SDK names none".into(), BoxError::from))),
        }
    }
}

fn origin(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    Some(format!("{}://{}", url.scheme_str()?, url.authority()?))
}

/// Notes where a request would go, and does not let it.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Option<String>>>);

impl Intercept for Seen {
    fn name(&self) -> &'static str {
        "seen"
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.request().uri().to_owned());
        Err("it is not to be sent".into())
    }
}

/// Puts a request that somebody else signed in place of this agent's own, at the endpoint of this agent's own.
#[derive(Clone, Debug)]
struct InPlace(Proof);

impl Intercept for InPlace {
    fn name(&self) -> &'static str {
        "in-place"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let origin = origin(context.request().uri()).ok_or("the SDK names no endpoint")?;
        // Nothing is kept of the own request, which is signed with this agent's keys.
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method("GET")?;
        request.set_uri(format!("{origin}/?{}", self.0.query()))?;
        for (name, value) in self.0.headers() {
            request.headers_mut().try_insert(name.to_owned(), value.to_owned())?;
        }
        *context.request_mut() = request;
        Ok(())
    }
}
