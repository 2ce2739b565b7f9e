//! The region on the wire: real HTTP endpoints in front of the model, in real time.
//!
//! One address answers EC2, Auto Scaling, Elastic Load Balancing and STS (the Query protocol, XML), as `AWS_ENDPOINT_URL` wants it; each instance has
//! a metadata service (IMDSv2) of its own, as `AWS_EC2_METADATA_SERVICE_ENDPOINT` wants it. The unmodified AWS CLI and
//! SDKs are the judges of both.
//!
//! # Flow
//!
//! [`RegionServer::start`] binds the endpoint and starts the driver, which advances the region every 20 ms and hands the
//! events on; [`RegionServer::serve_imds`] adds a metadata service. Each stops when its value is dropped.
//!
//! # Not here
//!
//! Signatures are verified by STS alone: to the others the access key id only names the caller. An instance's agent gets its instance id
//! as access key id; a caller with any other is the operator.

mod asked;
mod autoscaling;
pub(crate) mod broken;
mod clock;
mod ec2;
mod endpoint;
mod faults;
mod handle;
mod imds;
mod load_balancing;
mod notices;
mod pages;
mod query;
mod server;
mod session;
mod sts;
pub(crate) mod when;
pub(crate) mod xml;

pub use crate::faults::RuleId;
pub use asked::Asked;
pub use clock::Clock;
pub(crate) use faults::Subject;
pub use faults::{Fault, Faults, Rule, Scope};
pub use handle::RegionHandle;
pub use imds::ImdsServer;
pub use server::RegionServer;
pub(crate) use server::{Running, listen};
