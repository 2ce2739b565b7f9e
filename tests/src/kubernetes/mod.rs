//! A Kubernetes API server, with what a leaving node needs of it: a pure model, and HTTP in front of it.
//!
//! The time is passed to the model, as to [`crate::region`], and it refuses what the real server refuses, in its words (kubernetes/kubernetes
//! `pkg/registry/core/pod/storage/eviction.go`, `apiserver/pkg/registry/rest/delete.go`, `plugin/pkg/admission/noderestriction`). Behind it stand-ins for
//! the controllers, the scheduler and the kubelets carry out what follows an eviction: a pod ends, and its controller makes another one.
//!
//! # Flow
//!
//! 1. Make a [`Cluster`]; put objects into it with [`Cluster::create`].
//! 2. Ask it through [`Cluster::answer`], or over HTTP through an [`ApiServer`]; several servers may speak for one cluster.
//!
//! # Not here
//!
//! Watches, Secrets, leases (a kubelet is heard by its patches of `nodes/status`), protobuf, PUT and JSON patches, a strategic patch's directives, selectors but a
//! node's pods, budgets in per cent, RBAC beyond "everything" and a kubelet's own rights, tolerations, a StatefulSet's ordering.

mod access;
mod budget;
mod cluster;
mod controllers;
mod delete;
mod evict;
mod health;
mod identity;
mod kubeconfig;
mod kubelet;
mod list;
mod object;
mod patch;
mod request;
mod resource;
mod scheduler;
mod selector;
mod server;
mod spec;
mod status;
mod store;

pub(crate) use access::may_be_kubelets;
pub use cluster::{Cluster, Delays};
pub use identity::User;
pub use kubeconfig::{kubeconfig, kubeconfig_trusting};
pub use request::Request;
pub use resource::{Key, Resource};
pub use server::{ApiServer, ClusterHandle};
pub use spec::{PodSpec, budget, node, workload};
pub use status::Status;
