//! The socket's server: status from the last cycle, orders to the loop.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::routing::{get, post};
use quorate_core::recovery::Recovery;
use tokio::sync::{mpsc, oneshot};

use super::{OrderAnswer, OrderRequest};
use crate::clock::Clock;
use crate::cycle::{self, LastCycle};
use crate::listener::Listener;
use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::status::Status;

/// An order for the loop to remember, with a channel for the answer.
pub struct Ask(pub OrderRequest, pub oneshot::Sender<OrderAnswer>);

/// What the socket's answers are made from.
#[derive(Clone)]
pub struct Sources {
    /// The loop, for orders.
    pub asks: mpsc::Sender<Ask>,
    /// The last cycle, for questions.
    pub cycles: LastCycle,
    /// The clock.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// Serves the socket until the process ends.
pub fn serve(listener: Listener, sources: Sources) {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/recovery", get(recovery))
        .route("/v1/order", post(order))
        .with_state(sources.clone())
        .merge(metrics(sources.metrics));
    listener.serve(router, std::future::pending());
}

/// `/metrics`.
pub fn metrics(metrics: Arc<Metrics>) -> Router {
    let scrape = async |State(metrics): State<Arc<Metrics>>| ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.text());
    Router::new().route("/metrics", get(scrape)).with_state(metrics)
}

async fn status(State(mut sources): State<Sources>) -> Result<Json<Status>, StatusCode> {
    let cycle = cycle::last(&mut sources.cycles).await.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(Status::of(&cycle, sources.clock.now())))
}

async fn recovery(State(mut sources): State<Sources>) -> Result<Json<Recovery>, StatusCode> {
    let cycle = cycle::last(&mut sources.cycles).await.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(quorate_core::recovery::of(&cycle.seen, &cycle.memory, &cycle.policy, cycle.at)))
}

async fn order(State(sources): State<Sources>, Json(request): Json<OrderRequest>) -> Result<Json<OrderAnswer>, StatusCode> {
    let (reply, answer) = oneshot::channel();
    sources.asks.send(Ask(request, reply)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answer.await.map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
