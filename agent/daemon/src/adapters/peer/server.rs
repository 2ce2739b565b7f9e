//! Answering peers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use quorate_core::observation::PeerAnswer;
use tokio::sync::watch;

use super::callers::{Callers, HEADER};
use super::{KEY, NONCE, PATH, SIGNATURE, SigningKey};
use crate::adapters::pki::AgentPort;
use crate::listener::{CallerAddress, Listener};

/// The port of the peer API.
pub const PORT: u16 = 2378;

/// Answers on `listener` with the newest of `answers`, in a task of its own.
///
/// A caller that begins with TLS is answered by TLS, once this node has certificates. One that names itself is noted in `callers`. One that gives a nonce gets the
/// answer signed with `key`.
///
/// What is `beside` it is answered too.
///
/// It ends when the sender of `answers` is dropped; requests under way are still answered.
pub fn serve(
    listener: Listener,
    answers: watch::Receiver<PeerAnswer>,
    callers: Callers,
    key: Arc<SigningKey>,
    port: AgentPort,
    beside: Router,
) {
    let router = Router::new().route(PATH, get(answer)).with_state(Answering { answers: answers.clone(), callers, key });
    let router = router.merge(beside);
    listener.with_tls(Arc::new(move || port.server())).serve(router, end_of(answers));
}

async fn end_of(mut answers: watch::Receiver<PeerAnswer>) {
    while answers.changed().await.is_ok() {}
}

#[derive(Clone)]
struct Answering {
    answers: watch::Receiver<PeerAnswer>,
    callers: Callers,
    key: Arc<SigningKey>,
}

async fn answer(
    caller: Option<Extension<CallerAddress>>,
    State(with): State<Answering>,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let given = |header| headers.get(header).and_then(|value| value.to_str().ok());
    if let Some((Extension(CallerAddress(from)), name)) = caller.zip(given(HEADER)) {
        with.callers.note(from, name);
    }
    let body = serde_json::to_vec(&*with.answers.borrow()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let signed = given(NONCE).and_then(|nonce| with.key.sign(nonce, &body));
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    if let Some((key, signature)) = signed {
        for (name, value) in [(KEY, key), (SIGNATURE, signature)] {
            response.headers_mut().insert(name, value.parse().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?);
        }
    }
    Ok(response)
}
