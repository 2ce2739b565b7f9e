//! Everything that touches the outside world, one folder per neighbour. Adapters fetch and execute; they never decide.
pub mod aws;
pub mod distribution;
pub mod etcd;
pub mod host;
pub mod kubernetes;
pub mod object_store;
pub mod peer;
pub mod pki;
pub mod service_manager;
pub mod stamp;
