//! The cluster's version, as a member reports it at `/version` of its client URL. No call of the gRPC API reports it; 3.4 to 3.7 serve this without etcd
//! credentials.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_core::etcd_version::EtcdVersion;
use reqwest::{Client, Response};
use serde::Deserialize;

use super::{CredentialFiles, EtcdError};
use crate::adapters::stamp::Stamp;

/// A member that needs longer is not worth waiting for.
const LIMIT: Duration = Duration::from_secs(1);

/// etcd's answer has two short words.
const BODY_LIMIT: usize = 4 << 10;

/// Asks members for their cluster's version.
#[derive(Clone, Debug)]
pub struct VersionClient {
    plain: Client,
    credentials: Option<CredentialFiles>,
    encrypted: Arc<Mutex<Option<Encrypted>>>,
}

/// The client with credentials, while their files are as they were.
#[derive(Debug)]
struct Encrypted {
    stamps: [Stamp; 3],
    client: Client,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    etcdcluster: String,
}

/// Why the cluster's version is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// The HTTP client could not be made.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
    /// The credentials for members with TLS could not be read.
    #[error("the credentials for etcd cannot be read")]
    Credentials(#[source] Box<EtcdError>),
    /// No answer in time.
    #[error("{url} did not answer within {limit:?}")]
    Timeout {
        /// Where it was asked.
        url: String,
        /// The time limit.
        limit: Duration,
    },
    /// No answer.
    #[error("{url} gave no answer")]
    Unreachable {
        /// Where it was asked.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// It gave another answer.
    #[error("{url} did not say which version its cluster runs, but {said:?}")]
    Malformed {
        /// Where it was asked.
        url: String,
        /// The beginning of what it said.
        said: String,
    },
}

impl VersionClient {
    /// No connection yet. With these credentials members with TLS are asked.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn new(credentials: Option<CredentialFiles>) -> Result<Self, VersionError> {
        let plain = builder().build().map_err(VersionError::Client)?;
        Ok(Self { plain, credentials, encrypted: Arc::default() })
    }

    /// The client for this URL.
    fn client(&self, url: &str) -> Result<Client, VersionError> {
        let Some(files) = self.credentials.as_ref().filter(|_| url.starts_with("https://")) else { return Ok(self.plain.clone()) };
        let stamps = files.stamp().map_err(|error| VersionError::Credentials(Box::new(error)))?;
        let mut made = self.encrypted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.as_ref().filter(|made| made.stamps == stamps) {
            return Ok(made.client.clone());
        }
        let (authority, identity) = files.for_http().map_err(|error| VersionError::Credentials(Box::new(error)))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&authority).map_err(VersionError::Client)?;
        let identity = reqwest::Identity::from_pem(&identity).map_err(VersionError::Client)?;
        let client = builder().tls_certs_only(certificates).identity(identity).build().map_err(VersionError::Client)?;
        *made = Some(Encrypted { stamps, client: client.clone() });
        Ok(client)
    }

    /// The cluster's version, as the member at this client URL knows it. 3.0 until etcd has decided on one.
    ///
    /// # Errors
    /// No answer in time, or no version.
    pub async fn ask(&self, client_url: &str) -> Result<EtcdVersion, VersionError> {
        let url = format!("{}/version", client_url.trim_end_matches('/'));
        match tokio::time::timeout(LIMIT, self.fetch(&url)).await {
            Ok(answer) => answer,
            Err(_) => Err(VersionError::Timeout { url, limit: LIMIT }),
        }
    }

    async fn fetch(&self, url: &str) -> Result<EtcdVersion, VersionError> {
        let unreachable = |source: reqwest::Error| VersionError::Unreachable { url: url.to_owned(), source: source.without_url() };
        let response = self.client(url)?.get(url).send().await.map_err(unreachable)?;
        let body = body(response).await.map_err(unreachable)?;
        parse(&body).ok_or_else(|| VersionError::Malformed {
            url: url.to_owned(),
            said: String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(100).collect(),
        })
    }
}

fn builder() -> reqwest::ClientBuilder {
    let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).connect_timeout(LIMIT);
    builder.pool_idle_timeout(LIMIT * 30).pool_max_idle_per_host(1)
}

async fn body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > BODY_LIMIT {
            break;
        }
    }
    Ok(body)
}

/// `not_decided` is what 3.4 to 3.7 say before they know any.
fn parse(body: &[u8]) -> Option<EtcdVersion> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    match answer.etcdcluster.as_str() {
        "not_decided" => EtcdVersion::parse("3.0"),
        text => EtcdVersion::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_version_is_read_and_nothing_else() {
        let said = |text: &str| parse(text.as_bytes()).map(|v| v.to_string());
        assert_eq!(said(r#"{"etcdserver":"3.6.16","etcdcluster":"3.5.0"}"#).as_deref(), Some("3.5"));
        let newer = r#"{"etcdserver":"3.6.16","etcdcluster":"3.5.0","storage":"3.5.0"}"#;
        assert_eq!(said(newer).as_deref(), Some("3.5"));
        let undecided = parse(br#"{"etcdserver":"3.5.1","etcdcluster":"not_decided"}"#).unwrap();
        assert_eq!(undecided.decided(), None);
        for other in ["", "{}", "404 page not found", r#"{"etcdcluster":7}"#, r#"{"etcdcluster":"five"}"#] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
