//! The command line's side of the socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_core::recovery::Recovery;
use quorate_core::report::Phase;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{OrderAnswer, OrderRequest};
use crate::status::Status;

/// The agent takes at most a few seconds for one cycle.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why the agent was not reached.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No agent listens there.
    #[error("no agent answers on {}: is `quorate run` running, and are you root?", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The answer is not an agent's.
    #[error("the agent on {} gave an answer that cannot be read", path.display())]
    Unreadable {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The state as the last cycle left it; waits for the first cycle if none has finished.
///
/// # Errors
/// The agent cannot be reached, or answered nonsense.
pub async fn status(socket: &Path) -> Result<Status, ControlError> {
    let request = client(socket)?.get("http://agent/v1/status");
    answer(socket, request).await
}

/// What is known for a recovery, and what each way would keep and lose.
///
/// # Errors
/// The agent cannot be reached, or answered nonsense.
pub async fn recovery(socket: &Path) -> Result<Recovery, ControlError> {
    let request = client(socket)?.get("http://agent/v1/recovery");
    answer(socket, request).await
}

/// Returns once this node votes, serves as a worker, or waits as a spare of a full cluster. It waits for as long as the agent is away or busy.
pub async fn until_joined(socket: &Path) {
    while !status(socket).await.is_ok_and(|status| matches!(status.phase, Phase::Voter | Phase::Worker | Phase::Spare)) {
        tokio::time::sleep(PAUSE).await;
    }
}

/// The pause between two looks at a node that has not joined yet.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends an order.
///
/// # Errors
/// The agent cannot be reached, or answered nonsense.
pub async fn order(socket: &Path, order: &OrderRequest) -> Result<OrderAnswer, ControlError> {
    let request = client(socket)?.post("http://agent/v1/order").header("content-type", "application/json").body(body(order));
    answer(socket, request).await
}

fn body(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn client(socket: &Path) -> Result<reqwest::Client, ControlError> {
    let built = reqwest::Client::builder().unix_socket(socket).timeout(TIMEOUT).build();
    built.map_err(|source| ControlError::Unreachable { path: socket.to_owned(), source })
}

async fn answer<T: DeserializeOwned>(socket: &Path, request: reqwest::RequestBuilder) -> Result<T, ControlError> {
    let unreachable = |source| ControlError::Unreachable { path: socket.to_owned(), source };
    let response = request.send().await.and_then(reqwest::Response::error_for_status).map_err(unreachable)?;
    let bytes = response.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&bytes).map_err(|source| ControlError::Unreadable { path: socket.to_owned(), source })
}
