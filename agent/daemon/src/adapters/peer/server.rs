//! Answering peers.

use std::net::SocketAddr;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use quorate_core::observation::PeerAnswer;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{PATH, PeerError};

/// The port of the peer API.
pub const PORT: u16 = 2378;

/// Listens at `at`, this instance's own address, and answers there with the newest of `answers`, in a task of its own.
///
/// It ends when the sender of `answers` is dropped; requests under way are still answered.
///
/// # Errors
/// Names the address that could not be had.
pub async fn serve(at: SocketAddr, answers: watch::Receiver<PeerAnswer>) -> Result<(), PeerError> {
    let listener = TcpListener::bind(at).await.map_err(|source| PeerError::Listen { at, source })?;
    let router = Router::new().route(PATH, get(answer)).with_state(answers.clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(end_of(answers));
    // It never fails: what goes wrong with a connection is that connection's own.
    tokio::spawn(async move { server.await.ok() });
    Ok(())
}

async fn end_of(mut answers: watch::Receiver<PeerAnswer>) {
    while answers.changed().await.is_ok() {}
}

async fn answer(State(answers): State<watch::Receiver<PeerAnswer>>) -> Json<PeerAnswer> {
    Json(answers.borrow().clone())
}
