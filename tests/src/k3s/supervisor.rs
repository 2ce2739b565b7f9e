//! What a server answers on 6443: the supervisor's own resources, and the Kubernetes API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use etcd_client::Client;

use super::api::Api;
use super::bootstrap::Bootstrap;
use super::forward::{forward, unavailable};
use super::gate::Gate;
use super::member::{Member, server_url};
use super::password;
use super::tls::Pair;
use super::token::Token;
use super::upstream::Servers;

pub(super) const NODE_NAME: &str = "k3s-node-name";
pub(super) const NODE_PASSWORD: &str = "k3s-node-password";
pub(super) const NODE_IP: &str = "k3s-node-ip";

/// What it answers from.
#[derive(Clone, Debug)]
pub(super) struct Supervisor {
    pub(super) bootstrap: Arc<Bootstrap>,
    pub(super) token: Token,
    pub(super) agent_token: Option<Token>,
    pub(super) gate: Gate,
    pub(super) api: Api,
    /// The lab's API server.
    pub(super) kubernetes: Arc<Servers>,
    pub(super) etcd: EtcdClient,
}

/// etcd's client has no `Debug`.
#[derive(Clone)]
pub(super) struct EtcdClient(pub(super) Client);

impl std::fmt::Debug for EtcdClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EtcdClient")
    }
}

impl Supervisor {
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/ping", get(async || "pong"))
            .route("/cacerts", get(async |State(this): State<Self>| this.bootstrap.server.certificate.clone()))
            .route("/v1-k3s/server-bootstrap", get(bootstrap))
            .route("/db/info", get(members))
            .route("/v1-k3s/apiservers", get(servers))
            .route("/v1-k3s/serving-kubelet.crt", get(node))
            .fallback(kubernetes)
            .with_state(self)
    }

    /// Servers come with the server token; agents with either.
    fn refuses(&self, headers: &HeaderMap, agents_too: bool) -> Option<Response> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let password = header.and_then(Token::of_header).map(|token| token.password);
        let server = password.as_ref() == Some(&self.token.password);
        let agent = agents_too && self.agent_token.as_ref().is_some_and(|token| password.as_ref() == Some(&token.password));
        (!server && !agent).then(|| (StatusCode::UNAUTHORIZED, "not authorized").into_response())
    }

    async fn list(&self) -> anyhow::Result<Vec<Member>> {
        let list = self.etcd.0.clone().member_list().await?;
        Ok(list.members().iter().map(Member::of).collect())
    }
}

async fn bootstrap(State(this): State<Supervisor>, headers: HeaderMap) -> Response {
    if let Some(refusal) = this.refuses(&headers, false) {
        return refusal;
    }
    axum::Json(this.bootstrap.as_ref()).into_response()
}

async fn members(State(this): State<Supervisor>, headers: HeaderMap) -> Response {
    if let Some(refusal) = this.refuses(&headers, false) {
        return refusal;
    }
    match this.list().await {
        Ok(members) if this.gate.is_open() => axum::Json(members).into_response(),
        Ok(_) => unavailable("etcd gives no linearizable read"),
        Err(error) => unavailable(&error.to_string()),
    }
}

/// Where the API servers are, for the agents' load balancers.
async fn servers(State(this): State<Supervisor>, headers: HeaderMap) -> Response {
    if let Some(refusal) = this.refuses(&headers, true) {
        return refusal;
    }
    match this.list().await {
        Ok(members) if this.gate.is_open() => {
            let voters = members.iter().filter(|member| !member.is_learner);
            axum::Json(voters.filter_map(server_url).collect::<Vec<_>>()).into_response()
        }
        _ => unavailable("etcd gives no linearizable read"),
    }
}

/// A node shows its name and its password, and gets a certificate to serve with.
async fn node(State(this): State<Supervisor>, headers: HeaderMap) -> Response {
    if let Some(refusal) = this.refuses(&headers, true) {
        return refusal;
    }
    if !this.gate.is_open() {
        return unavailable("etcd gives no linearizable read");
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (name, address) = (text(NODE_NAME), text(NODE_IP).parse());
    let Ok(address) = address else { return (StatusCode::BAD_REQUEST, "node ip not set").into_response() };
    match password::verify(&mut this.etcd.0.clone(), &this.api, name, text(NODE_PASSWORD)).await {
        Ok(()) => {}
        Err(error) if error.to_string() == password::REJECTED => return (StatusCode::FORBIDDEN, password::REJECTED).into_response(),
        Err(error) => return unavailable(&format!("{error:#}")),
    }
    match this.bootstrap.server.issue(name, &[address], &[name.to_owned(), "localhost".to_owned()]) {
        Ok(pair) => axum::Json::<Pair>(pair).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

async fn kubernetes(State(this): State<Supervisor>, request: Request) -> Response {
    if !this.gate.is_open() {
        return unavailable("etcd gives no linearizable read");
    }
    forward(&this.kubernetes, request).await
}
