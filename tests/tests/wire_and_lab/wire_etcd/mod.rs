//! The etcd, service manager and host adapters against a real etcd.

mod backend;
mod connection;
mod lock;
mod membership;
mod node;
mod process;
mod restore;
mod tls;
