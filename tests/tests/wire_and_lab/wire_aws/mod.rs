//! The AWS adapters against a region on the wire: what they read, what they call unknown, and what they say of a call with an unknown outcome.

mod addresses;
mod autoscaling;
mod ec2;
mod identity;
mod imds;
pub(crate) mod lab;
mod load_balancing;
mod sts;
