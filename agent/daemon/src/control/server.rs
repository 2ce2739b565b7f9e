//! The socket's server: status from the last cycle, orders to the loop.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::{OrderAnswer, OrderRequest};
use crate::status::Status;

/// A question to the loop, with the way back.
pub enum Ask {
    /// The state after a cycle that begins now.
    Status(oneshot::Sender<Status>),
    /// An order to remember.
    Order(OrderRequest, oneshot::Sender<OrderAnswer>),
}

/// Binds the socket, replacing a stale one, readable by its owner alone, and serves it until the process ends.
///
/// # Errors
/// The socket cannot be made at `path`.
pub fn serve(path: &Path, asks: mpsc::Sender<Ask>) -> io::Result<()> {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let router = Router::new().route("/v1/status", get(status)).route("/v1/order", post(order)).with_state(asks);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

async fn status(State(asks): State<mpsc::Sender<Ask>>) -> Result<Json<Status>, StatusCode> {
    let (reply, answer) = oneshot::channel();
    asks.send(Ask::Status(reply)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answer.await.map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

async fn order(State(asks): State<mpsc::Sender<Ask>>, Json(request): Json<OrderRequest>) -> Result<Json<OrderAnswer>, StatusCode> {
    let (reply, answer) = oneshot::channel();
    asks.send(Ask::Order(request, reply)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answer.await.map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
