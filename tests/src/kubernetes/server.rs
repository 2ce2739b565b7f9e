//! The API over HTTP, in real time.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::Router;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use quorate_core::time::Timestamp;
use serde_json::Value;

use super::cluster::Cluster;
use super::identity::User;
use super::request::Request;
use super::status::Status;
use crate::wire::broken::{hang_up, status, truncate};
use crate::wire::{Clock, Fault, Faults, Running, Subject, listen};

const BACK_TO: &str = "/stand-in/back-to/{version}";
/// The user whose rights the caller assumes: <https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/>.
const IMPERSONATED: HeaderName = HeaderName::from_static("impersonate-user");
/// The text of the real server's priority and fairness, which is no `Status`.
const TOO_MANY: &str = "Too many requests, please try again later.";

/// A cluster in real time, shared.
#[derive(Clone, Debug)]
pub struct ClusterHandle {
    cluster: Arc<Mutex<Cluster>>,
    clock: Clock,
}

impl ClusterHandle {
    /// Puts a cluster on the clock.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster: Arc::new(Mutex::new(cluster)), clock: Clock::new() }
    }

    /// Does something with the cluster as it is now.
    pub fn with<T>(&self, act: impl FnOnce(&mut Cluster, Timestamp) -> T) -> T {
        let (mut cluster, now) = (self.lock(), self.clock.now());
        cluster.advance(now);
        act(&mut cluster, now)
    }

    /// What time it is in the cluster.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An API server of a cluster. It ends when this is dropped; another may be started at the same address.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    faults: Faults,
    _alive: Arc<()>,
    _running: Running,
}

#[derive(Clone)]
struct Front {
    cluster: ClusterHandle,
    faults: Faults,
    alive: Weak<()>,
}

impl ApiServer {
    /// Serves a cluster at this address (port 0 picks a free one).
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(cluster: &ClusterHandle, bind: SocketAddr) -> io::Result<Self> {
        let (faults, alive) = (Faults::default(), Arc::new(()));
        let front = Front { cluster: cluster.clone(), faults: faults.clone(), alive: Arc::downgrade(&alive) };
        let (address, running) = listen(bind, Router::new().route(BACK_TO, post(back_to)).fallback(serve).with_state(front)).await?;
        Ok(Self { address, faults, _alive: alive, _running: running })
    }

    /// What a kubeconfig names.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// This server's fault rules; another server of the same cluster has its own.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

/// For the stand-in for k3s, whose etcd holds only the version of the objects: returns the objects to that version after a restore.
async fn back_to(State(front): State<Front>, Path(version): Path<u64>) -> StatusCode {
    front.cluster.with(|cluster, now| cluster.go_back(version, now));
    StatusCode::OK
}

async fn serve(State(front): State<Front>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let strike = front.faults.strike(front.cluster.now(), |scope| scope.matches(Subject::Kubernetes { method, path }));
    tokio::time::sleep(strike.delay).await;
    if front.alive.strong_count() == 0 {
        return hang_up();
    }
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect::<Vec<_>>();
    let done = || front.done(method, path, &query, &parts.headers, &body);
    match strike.fault {
        None => done(),
        Some(Fault::Throttle) => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], TOO_MANY).into_response(),
        Some(Fault::ServerError) => refuse(&Status::internal()),
        Some(Fault::Refuse(error)) => refuse(&Status::new(403, "Forbidden", error.message)),
        Some(Fault::Status(code)) => status(code),
        Some(Fault::EmptyBody) => StatusCode::OK.into_response(),
        Some(Fault::TruncatedBody | Fault::ShortBody) => truncate(done()),
        Some(Fault::LoseAnswer) => {
            drop(done());
            hang_up()
        }
        Some(Fault::HangUp | Fault::Delay(_)) => hang_up(),
    }
}

impl Front {
    fn done(&self, method: &str, path: &str, query: &[(String, String)], headers: &HeaderMap, body: &[u8]) -> Response {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = text(header::AUTHORIZATION).strip_prefix("Bearer ");
        let Some(user) = token.and_then(User::of_token) else { return refuse(&Status::unauthorized()) };
        let user = match user.assuming(text(IMPERSONATED)) {
            Ok(user) => user,
            Err(refusal) => return refuse(&refusal),
        };
        let request = Request { user: &user, method, path, query, content_type: text(header::CONTENT_TYPE), body };
        match self.cluster.with(|cluster, now| cluster.answer(&request, now)) {
            Ok((code, object)) => send(code, &object),
            Err(status) => refuse(&status),
        }
    }
}

fn refuse(refusal: &Status) -> Response {
    send(refusal.code, &refusal.object())
}

fn send(code: u16, object: &Value) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], object.to_string()).into_response()
}
