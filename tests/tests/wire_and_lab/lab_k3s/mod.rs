//! Control planes of k3s and their workers, with the real agent: the stand-in for k3s has a real etcd under it.

mod away;
mod check;
mod endpoint_directory;
mod ipv6;
mod kubeconfig;
#[allow(dead_code, reason = "shared with the disasters, which use the rest")]
mod loss;
mod plane;
mod recover;
mod restore;
mod retired;
mod servers;
mod workers;
