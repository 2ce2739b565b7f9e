//! What agents tell each other on port 2378: `GET /v1/peer`, answered with the core's `PeerAnswer` as JSON.
//!
//! A server of a control plane gives its own instance id with the question, in the header `quorate-instance`: whoever has joined learns of it so.
//!
//! Plain HTTP until TLS comes; what an answer may permit without it is the planner's to know.

mod callers;
pub mod client;
mod error;
pub mod server;

pub use callers::Callers;
pub use client::PeerClient;
pub use error::PeerError;
pub use server::PORT;

const PATH: &str = "/v1/peer";
