//! Answering peers.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use quorate_core::observation::PeerAnswer;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::callers::{Callers, HEADER};
use super::{PATH, PeerError};

/// The port of the peer API.
pub const PORT: u16 = 2378;

/// Listens at `at`, this instance's own address, and answers there with the newest of `answers`, in a task of its own.
///
/// Who names itself with its question is noted in `callers`.
///
/// It ends when the sender of `answers` is dropped; requests under way are still answered.
///
/// # Errors
/// Names the address that could not be had.
pub async fn serve(at: SocketAddr, answers: watch::Receiver<PeerAnswer>, callers: Callers) -> Result<(), PeerError> {
    let listener = TcpListener::bind(at).await.map_err(|source| PeerError::Listen { at, source })?;
    let router = Router::new().route(PATH, get(answer)).with_state((answers.clone(), callers));
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(end_of(answers));
    // It never fails: what goes wrong with a connection is that connection's own.
    tokio::spawn(async move { server.await.ok() });
    Ok(())
}

async fn end_of(mut answers: watch::Receiver<PeerAnswer>) {
    while answers.changed().await.is_ok() {}
}

async fn answer(
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    State((answers, callers)): State<(watch::Receiver<PeerAnswer>, Callers)>,
    headers: HeaderMap,
) -> Json<PeerAnswer> {
    if let Some(name) = headers.get(HEADER).and_then(|name| name.to_str().ok()) {
        callers.note(from.ip(), name);
    }
    Json(answers.borrow().clone())
}
