//! What agents tell each other on port 2378: `GET /v1/peer`, answered with the core's `PeerAnswer` as JSON.
//!
//! A server of a control plane sends its own instance id with the question, in the header `quorate-instance`, so members learn of it.
//!
//! A question carries a nonce, and the answer is signed with the agent's own key. The asker remembers the first key that it met, so it notices another process
//! at the same port. The address that EC2 gives says which instance was asked; the signature says only that it is the same agent as before.
//!
//! Where both sides have certificates of the cluster's authority it is TLS, and the certificate says whose answer it is. Otherwise it is plain HTTP, and the planner
//! knows what such an answer may permit.

mod callers;
pub mod client;
mod error;
mod key;
pub mod server;

pub use callers::Callers;
pub use client::PeerClient;
pub use error::PeerError;
pub use key::{KeyError, SigningKey};
pub use server::PORT;

const PATH: &str = "/v1/peer";

/// The header with the nonce that is signed with the answer.
const NONCE: &str = "quorate-nonce";

/// The headers with the key that an answer is signed with, and the signature, in hex.
const KEY: &str = "quorate-key";
const SIGNATURE: &str = "quorate-signature";
