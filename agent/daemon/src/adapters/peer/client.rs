//! Asking a peer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use quorate_core::ids::InstanceId;
use quorate_core::observation::PeerAnswer;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};

use super::callers::HEADER;
use super::{KEY, NONCE, PATH, PeerError, SIGNATURE, key};
use crate::adapters::pki::{self, AgentPort};

/// A peer that needs longer counts as silent, and a cycle asks many.
const LIMIT: Duration = Duration::from_secs(1);

/// An answer is about a kilobyte, most of it the charter record.
const BODY_LIMIT: usize = 64 << 10;

/// Connections are kept for the next cycle or two, and no longer: a peer that is gone leaves nothing behind.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// Asks peers, over connections that it keeps.
#[derive(Clone, Debug)]
pub struct PeerClient {
    http: Client,
    limit: Duration,
    names: Option<InstanceId>,
    port: Option<AgentPort>,
}

/// Which peer, and where: each error names both.
struct Asked<'a> {
    instance: &'a InstanceId,
    at: SocketAddr,
}

impl PeerClient {
    /// No connection yet.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn new() -> Result<Self, PeerError> {
        Self::with_limit(LIMIT)
    }

    /// A client with a time limit other than one second.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn with_limit(limit: Duration) -> Result<Self, PeerError> {
        builder(limit).build().map(|http| Self { http, limit, names: None, port: None }).map_err(PeerError::Client)
    }

    /// The same client, sending this id with each question: a server's own, which the members may not know yet.
    #[must_use]
    pub fn naming(self, instance: InstanceId) -> Self {
        Self { names: Some(instance), ..self }
    }

    /// The same client, asking over TLS where both sides have certificates.
    #[must_use]
    pub fn over(self, port: AgentPort) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Asks the agent at `address`, which should be `expect`'s, according to EC2.
    ///
    /// # Errors
    /// No answer, another instance's, or an invalid one.
    pub async fn ask(&self, address: IpAddr, port: u16, expect: &InstanceId) -> Result<PeerAnswer, PeerError> {
        let asked = Asked { instance: expect, at: SocketAddr::new(address, port) };
        let answer = tokio::time::timeout(self.limit, self.fetch(&asked)).await;
        let answer = answer.unwrap_or_else(|_| Err(PeerError::Timeout { instance: expect.clone(), at: asked.at, limit: self.limit }))?;
        if answer.instance == *expect {
            Ok(answer)
        } else {
            Err(PeerError::WrongInstance { instance: expect.clone(), at: asked.at, found: answer.instance })
        }
    }

    async fn fetch(&self, asked: &Asked<'_>) -> Result<PeerAnswer, PeerError> {
        // Without a nonce the answer is not signed, and counts for less.
        let nonce = key::nonce().ok();
        let response = self.send(asked, nonce.as_deref()).await.map_err(|source| asked.unreachable(source))?;
        let shown = response.extensions().get::<reqwest::tls::TlsInfo>().and_then(|tls| tls.peer_certificate());
        let certified = shown.is_some_and(|certificate| pki::names(certificate, asked.instance));
        if response.status() != reqwest::StatusCode::OK {
            return Err(PeerError::Status { instance: asked.instance.clone(), at: asked.at, status: response.status().as_u16() });
        }
        let given = |header| response.headers().get(header).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let signature = given(KEY).zip(given(SIGNATURE)).zip(nonce);
        let body = asked.body(response).await?;
        let answer: PeerAnswer = serde_json::from_slice(&body).map_err(|source| PeerError::Malformed {
            instance: asked.instance.clone(),
            at: asked.at,
            bytes: body.len(),
            source,
        })?;
        let signed_by = signature.and_then(|((by, signature), nonce)| key::verified(&by, &signature, &nonce, &body));
        Ok(PeerAnswer { signed_by, certified, ..answer })
    }
}

impl PeerClient {
    /// Over TLS, if this node has certificates. An agent that has none yet is asked in plain: its answer counts for less.
    async fn send(&self, asked: &Asked<'_>, nonce: Option<&str>) -> Result<Response, reqwest::Error> {
        if let Some(client) = self.port.as_ref().and_then(|port| port.client(|| builder(self.limit))) {
            match self.question(&client, "https", asked, nonce).send().await {
                Err(error) if error.is_connect() => {}
                sent => return sent,
            }
        }
        self.question(&self.http, "http", asked, nonce).send().await
    }

    fn question(&self, client: &Client, scheme: &str, asked: &Asked<'_>, nonce: Option<&str>) -> RequestBuilder {
        let question = client.get(format!("{scheme}://{}{PATH}", asked.at));
        let question = nonce.iter().fold(question, |question, nonce| question.header(NONCE, *nonce));
        self.names.iter().fold(question, |question, id| question.header(HEADER, id.as_str()))
    }
}

/// Neither a proxy nor a redirect may replace a peer's answer with somebody else's.
fn builder(limit: Duration) -> ClientBuilder {
    let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.pool_idle_timeout(IDLE).pool_max_idle_per_host(1).connect_timeout(limit)
}

impl Asked<'_> {
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, PeerError> {
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|source| self.unreachable(source))? {
            body.extend_from_slice(&part);
            if body.len() > BODY_LIMIT {
                return Err(PeerError::TooLong { instance: self.instance.clone(), at: self.at, limit: BODY_LIMIT });
            }
        }
        Ok(body)
    }

    fn unreachable(&self, source: reqwest::Error) -> PeerError {
        // The error would name the URL a second time.
        PeerError::Unreachable { instance: self.instance.clone(), at: self.at, source: source.without_url() }
    }
}
