//! Answering peers.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use quorate_core::observation::PeerAnswer;
use tokio::sync::watch;

use super::PATH;
use super::callers::{Callers, HEADER};
use crate::listener::Listener;

/// The port of the peer API.
pub const PORT: u16 = 2378;

/// Answers there with the newest of `answers`, in a task of its own.
///
/// Who names itself with its question is noted in `callers`.
///
/// It ends when the sender of `answers` is dropped; requests under way are still answered.
pub fn serve(listener: Listener, answers: watch::Receiver<PeerAnswer>, callers: Callers) {
    let router = Router::new().route(PATH, get(answer)).with_state((answers.clone(), callers));
    listener.serve(router, end_of(answers));
}

async fn end_of(mut answers: watch::Receiver<PeerAnswer>) {
    while answers.changed().await.is_ok() {}
}

async fn answer(State((answers, callers)): State<(watch::Receiver<PeerAnswer>, Callers)>, headers: HeaderMap) -> Json<PeerAnswer> {
    if let Some(name) = headers.get(HEADER).and_then(|name| name.to_str().ok()) {
        callers.note(name);
    }
    Json(answers.borrow().clone())
}
