//! IMDSv2, for one instance or for the one that asks: nothing without a token.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;

use super::faults::{Fault, Subject};
use super::server::{Running, listen};
use super::{Faults, RegionHandle, broken, notices};
use crate::faults::Strike;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// The metadata service of one instance, or of all. It stops answering when this is dropped.
#[derive(Debug)]
pub struct ImdsServer {
    address: SocketAddr,
    _running: Running,
}

impl ImdsServer {
    pub(super) async fn start(region: RegionHandle, faults: Faults, only: Option<InstanceId>, bind: SocketAddr) -> io::Result<Self> {
        let service = Service { region, faults, only, tokens: Arc::default() };
        let (address, running) = listen(bind, Router::new().fallback(answer).with_state(service)).await?;
        Ok(Self { address, _running: running })
    }

    /// What `AWS_EC2_METADATA_SERVICE_ENDPOINT` is to be set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

#[derive(Clone)]
struct Service {
    region: RegionHandle,
    faults: Faults,
    /// The instance whose metadata it serves to every caller.
    only: Option<InstanceId>,
    tokens: Arc<Mutex<Tokens>>,
}

impl Service {
    fn of(self, asker: IpAddr) -> Option<Imds> {
        let Self { region, faults, only, tokens } = self;
        let instance = only.or_else(|| {
            let region = region.lock();
            let mut instances = region.instances().iter();
            instances
                .find(|instance| {
                    instance.powered && (instance.address == asker || instance.second_address.is_some_and(|second| second == asker))
                })
                .map(|instance| instance.id.clone())
        })?;
        Some(Imds { region, faults, instance, tokens })
    }
}

/// One request in progress.
struct Imds {
    region: RegionHandle,
    faults: Faults,
    instance: InstanceId,
    tokens: Arc<Mutex<Tokens>>,
}

/// The tokens given out, with their callers and expiry.
#[derive(Default)]
struct Tokens {
    given: u64,
    valid: Vec<(String, InstanceId, Timestamp)>,
}

async fn answer(State(service): State<Service>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    let Some(imds) = service.of(peer.ip()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (parts, _) = request.into_parts();
    let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let Some((version, path)) = path.trim_start_matches('/').split_once('/') else {
        return StatusCode::NOT_FOUND.into_response();
    };
    imds.answer(&parts.method, version, path, &parts.headers).await
}

impl Imds {
    async fn answer(&self, method: &Method, version: &str, path: &str, headers: &HeaderMap) -> Response {
        let subject = Subject::Imds { path, instance: &self.instance };
        let Strike { delay, fault } = self.faults.strike(self.region.now(), |scope| scope.matches(subject));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let done = || self.serve(method, version, path, headers);
        match fault {
            None => done(),
            Some(Fault::Throttle) => broken::status(429),
            Some(Fault::ServerError) => broken::status(500),
            Some(Fault::Refuse(_)) => broken::status(403),
            Some(Fault::Status(code)) => broken::status(code),
            Some(Fault::EmptyBody) => StatusCode::OK.into_response(),
            Some(Fault::TruncatedBody) => broken::truncate(done()),
            Some(Fault::ShortBody) => broken::shorten(done()).await,
            Some(Fault::HangUp | Fault::LoseAnswer | Fault::Delay(_)) => broken::hang_up(),
        }
    }

    fn serve(&self, method: &Method, version: &str, path: &str, headers: &HeaderMap) -> Response {
        match (method, path) {
            (&Method::PUT, "api/token") if version == "latest" => self.give_token(headers),
            (&Method::GET, path) => self.get(version, path, headers),
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    /// A proxy in front of the service adds `X-Forwarded-For`; a caller that comes through one gets no token.
    fn give_token(&self, headers: &HeaderMap) -> Response {
        if headers.contains_key("x-forwarded-for") {
            return StatusCode::FORBIDDEN.into_response();
        }
        let asked = headers.get(TOKEN_TTL).and_then(|ttl| ttl.to_str().ok()?.parse::<u64>().ok());
        let Some(seconds) = asked.filter(|seconds| (1..=21600).contains(seconds)) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let token = self.new_token(Duration::from_secs(seconds));
        ([(TOKEN_TTL, seconds.to_string())], token).into_response()
    }

    fn new_token(&self, ttl: Duration) -> String {
        let now = self.region.now();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.given += 1;
        let token = format!("AQAEA{:040x}{}==", tokens.given, &self.instance.as_str()[2..]);
        tokens.valid.retain(|(_, _, expiry)| *expiry > now);
        tokens.valid.push((token.clone(), self.instance.clone(), now + ttl));
        token
    }

    fn get(&self, version: &str, path: &str, headers: &HeaderMap) -> Response {
        if !self.admits(headers) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let found = self.region.with(|region, _| notices::read(region, &self.instance, version, path));
        match found {
            Some(text) => ([(header::CONTENT_TYPE, "text/plain")], text).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let now = self.region.now();
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(shown) = headers.get(TOKEN).and_then(|token| token.to_str().ok()) else { return false };
        tokens.valid.iter().any(|(token, to, expiry)| token == shown && *to == self.instance && *expiry > now)
    }
}
