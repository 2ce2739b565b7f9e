//! What agents tell each other on port 2378: `GET /v1/peer`, answered with the core's `PeerAnswer` as JSON.
//!
//! Plain HTTP until TLS comes; what an answer may permit without it is the planner's to know.

pub mod client;
mod error;
pub mod server;

pub use client::PeerClient;
pub use error::PeerError;
pub use server::PORT;

const PATH: &str = "/v1/peer";
