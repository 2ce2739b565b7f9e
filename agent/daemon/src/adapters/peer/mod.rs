//! What agents tell each other on port 2378: `GET /v1/peer`, answered with the core's `PeerAnswer` as JSON.
//!
//! A server of a control plane gives its own instance id with the question, in the header `quorate-instance`: whoever has joined learns of it so.
//!
//! A question bears a nonce, and the answer is signed with its agent's own key, of which the asker remembers the first that it met: another process at the same port
//! is not that agent. Who was asked is known by the address that EC2 gives; the signature tells only that it is the same as before.
//!
//! Plain HTTP until TLS comes; what an answer may permit without it is the planner's to know.

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

/// What a question bears to be signed with its answer.
const NONCE: &str = "quorate-nonce";

/// The key that an answer is signed with, and the signature, in hex.
const KEY: &str = "quorate-key";
const SIGNATURE: &str = "quorate-signature";
