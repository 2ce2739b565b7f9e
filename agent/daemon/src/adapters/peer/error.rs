//! Why a peer gave no answer.

use std::net::SocketAddr;
use std::time::Duration;

use quorate_core::ids::InstanceId;

/// A peer that could not be asked, or whose answer does not count. Silence is never consent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The HTTP client could not be made.
    #[error("cannot set up the client for peers")]
    Client(#[source] reqwest::Error),
    /// Nobody answered.
    #[error("{instance} at {at} did not answer")]
    Unreachable {
        /// Who was asked.
        instance: InstanceId,
        /// Where.
        at: SocketAddr,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// The answer was not complete in time.
    #[error("{instance} at {at} did not answer within {limit:?}")]
    Timeout {
        /// Who was asked.
        instance: InstanceId,
        /// Where.
        at: SocketAddr,
        /// The time limit.
        limit: Duration,
    },
    /// Another HTTP status than 200. An agent that has not looked at its own disk yet answers 503.
    #[error("{instance} at {at} answered with HTTP status {status}")]
    Status {
        /// Who was asked.
        instance: InstanceId,
        /// Where.
        at: SocketAddr,
        /// The status.
        status: u16,
    },
    /// The answer is too long.
    #[error("{instance} at {at} answered with more than {limit} bytes: what listens there is not quorate")]
    TooLong {
        /// Who was asked.
        instance: InstanceId,
        /// Where.
        at: SocketAddr,
        /// The limit.
        limit: usize,
    },
    /// Not an answer.
    #[error("{instance} at {at} answered with something else ({bytes} bytes)")]
    Malformed {
        /// Who was asked.
        instance: InstanceId,
        /// Where.
        at: SocketAddr,
        /// How much it was.
        bytes: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Somebody else has that address.
    #[error("{at} should be {instance}, but says that it is {found}")]
    WrongInstance {
        /// Who was asked.
        instance: InstanceId,
        /// Where.
        at: SocketAddr,
        /// Who answered.
        found: InstanceId,
    },
}
