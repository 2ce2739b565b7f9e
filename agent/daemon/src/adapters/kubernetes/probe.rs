//! Whether a server answers at all, asked without credentials by a node that has none yet.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::Client;

use super::KubernetesError;
use crate::adapters::distribution::Probe;

/// A server that needs longer is no good for joining.
const LIMIT: Duration = Duration::from_secs(1);

/// Asks servers.
#[derive(Clone, Debug)]
pub struct ServerProbe {
    http: Client,
    probe: Probe,
}

impl ServerProbe {
    /// A probe that asks this question.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn new(probe: Probe) -> Result<Self, KubernetesError> {
        // The certificate is not verified: its authority is the cluster's own, which a node knows only once it has joined. The answer only decides which server
        // is tried; the join itself verifies the authority by the token.
        let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).danger_accept_invalid_certs(true);
        let http = builder.connect_timeout(LIMIT).pool_max_idle_per_host(0).build().map_err(KubernetesError::Probe)?;
        Ok(Self { http, probe })
    }

    /// Whether the server at this address answers within a second.
    pub async fn answers(&self, server: IpAddr) -> bool {
        let asked = async { self.ask("https", server).await || self.ask("http", server).await };
        tokio::time::timeout(LIMIT, asked).await.unwrap_or(false)
    }

    /// Whether the server gives the expected answer. The lab's stand-in for a server may speak plain HTTP; a real one answers that with an error, never with
    /// the answer.
    async fn ask(&self, scheme: &str, server: IpAddr) -> bool {
        let url = format!("{scheme}://{}{}", SocketAddr::new(server, self.probe.port), self.probe.path);
        let Ok(response) = self.http.get(url).send().await else { return false };
        let is_ok = response.status().is_success();
        is_ok && response.text().await.is_ok_and(|text| text.trim() == self.probe.answer)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    async fn answering(status: u16, text: &'static str) -> bool {
        let routes = axum::Router::new().route(
            "/ping",
            axum::routing::get(move || async move { (axum::http::StatusCode::from_u16(status).unwrap_or_default(), text) }),
        );
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        ServerProbe::new(Probe { port, path: "/ping", answer: "pong" }).unwrap().answers(Ipv4Addr::LOCALHOST.into()).await
    }

    #[tokio::test]
    async fn only_the_answer_is_one() {
        assert!(answering(200, "pong").await && answering(200, "pong\n").await);
        assert!(!answering(200, "pang").await);
        assert!(!answering(503, "pong").await);
    }

    #[tokio::test]
    async fn nobody_is_no_answer() {
        // Nothing listens on port 1 of this machine.
        let probe = ServerProbe::new(Probe { port: 1, path: "/ping", answer: "pong" }).unwrap();
        assert!(!probe.answers(Ipv4Addr::LOCALHOST.into()).await);
    }
}
