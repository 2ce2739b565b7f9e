//! The Kubernetes adapter and whole drains over HTTP, against the API server's double.

mod bench;
mod drain;
mod drained;
mod evict;
mod lab;
mod node;
mod nodes;
mod servers;
