//! Other servers, as a joiner and an agent see them: trusted by the token, one after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use reqwest::{Certificate, Client, Response, StatusCode};

use super::token::Token;

/// After this time without an answer the next server is asked.
const PATIENCE: Duration = Duration::from_secs(3);
/// Waits of the API itself, such as an eviction's, are shorter.
const ANSWER: Duration = Duration::from_secs(15);

/// Servers that are asked in turn; the one that answered last is asked first.
#[derive(Debug)]
pub(super) struct Servers {
    client: Client,
    urls: Mutex<Vec<String>>,
    authority: String,
}

impl Servers {
    /// Asks a server for its certificate authority without knowing it, and checks that the token meant it.
    ///
    /// # Errors
    /// k3s' message for a server that does not answer, or is another cluster's.
    pub(super) async fn trusting(url: &str, token: &Token) -> anyhow::Result<Self> {
        let blind =
            Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).connect_timeout(PATIENCE).timeout(PATIENCE).build()?;
        let failed = || format!("failed to get CA certs: Get \"{url}/cacerts\"");
        let answer = blind.get(format!("{url}/cacerts")).send().await.with_context(failed)?.error_for_status().with_context(failed)?;
        let authority = answer.text().await.with_context(failed)?;
        token.check(&authority)?;
        Self::of(vec![url.to_owned()], &authority)
    }

    /// Servers with certificates of this authority.
    pub(super) fn of(urls: Vec<String>, authority: &str) -> anyhow::Result<Self> {
        let certificate = Certificate::from_pem(authority.as_bytes()).context("the certificate authority is no PEM")?;
        let client = Client::builder().no_proxy().tls_certs_only([certificate]).connect_timeout(PATIENCE).build()?;
        Ok(Self { client, urls: Mutex::new(urls), authority: authority.to_owned() })
    }

    /// The lab's API server, which speaks plain HTTP.
    pub(super) fn plain(url: &str) -> anyhow::Result<Self> {
        let client = Client::builder().no_proxy().connect_timeout(PATIENCE).build()?;
        Ok(Self { client, urls: Mutex::new(vec![url.to_owned()]), authority: String::new() })
    }

    /// The certificate authority, in PEM.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// These exist; those that are known already keep their order.
    pub(super) fn learn(&self, urls: &[String]) {
        let mut known = self.lock();
        known.retain(|url| urls.contains(url));
        let new: Vec<String> = urls.iter().filter(|url| !known.contains(url)).cloned().collect();
        known.extend(new);
    }

    /// Sends a request to the first server that takes it: one that cannot be reached, or says 503, has not done anything.
    ///
    /// # Errors
    /// No server took it, or the one that did hung up.
    pub(super) async fn send(&self, method: Method, path: &str, headers: &HeaderMap, body: Bytes) -> anyhow::Result<Response> {
        let (urls, mut last) = (self.lock().clone(), None);
        for url in &urls {
            let request = self.client.request(method.clone(), format!("{url}{path}")).headers(headers.clone()).body(body.clone()).send();
            match tokio::time::timeout(ANSWER, request).await {
                Ok(Ok(answer)) if answer.status() == StatusCode::SERVICE_UNAVAILABLE && urls.len() > 1 => {
                    last = Some(format!("{url}: 503"))
                }
                Ok(Ok(answer)) => {
                    self.prefer(url);
                    return Ok(answer);
                }
                Ok(Err(error)) if error.is_connect() => last = Some(format!("{url}: {error}")),
                Ok(Err(error)) => return Err(error).with_context(|| format!("{url} hung up")),
                Err(_) => bail!("{url} does not answer"),
            }
        }
        bail!("no server takes the request: {}", last.unwrap_or_else(|| "none is known".to_owned()))
    }

    /// Asks for a resource of the supervisor.
    ///
    /// # Errors
    /// No answer, or a refusal in the server's words.
    pub(super) async fn ask(&self, path: &str, token: &Token, headers: HeaderMap) -> anyhow::Result<String> {
        let mut headers = headers;
        headers.insert(axum::http::header::AUTHORIZATION, token.basic().parse().context("the token fits no header")?);
        let answer = tokio::time::timeout(PATIENCE, self.send(Method::GET, path, &headers, Bytes::new())).await;
        let answer = answer.with_context(|| format!("{path}: no answer within {} s", PATIENCE.as_secs()))??;
        let status = answer.status();
        let text = answer.text().await?;
        if status.is_success() { Ok(text) } else { bail!("{status}: {}", text.trim()) }
    }

    fn prefer(&self, url: &str) {
        let mut urls = self.lock();
        if let Some(at) = urls.iter().position(|known| known == url) {
            urls[..=at].rotate_right(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
