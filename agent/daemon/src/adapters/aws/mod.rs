//! AWS: what IMDS, EC2 and Auto Scaling say, the agent's three calls to Auto Scaling, and its one call to load balancers.
//!
//! - [`Imds`] is asked every cycle: it is local and free.
//! - [`Ec2`] and [`AutoScaling`] are asked at the core's cadence: a whole account shares their request budget.
//! - [`LoadBalancing`] learns that the instance is leaving, where the operator has named target groups.
//! - [`Sts`] says whose keys signed a request: an application instance proves its role with one.
//! - [`sdk::load`] prepares what the clients need: region, credentials, endpoints, time-outs.
//!
//! Nothing here decides, remembers or retries beyond one call: a failure is an error, and the next cycle asks again.

mod address;
mod answers;
mod application_status;
pub mod autoscaling;
mod behavior;
pub mod ec2;
mod error;
pub mod imds;
mod load_balancing;
pub mod partition;
pub mod sdk;
mod sts;
mod witness;

pub use address::IpFamily;
pub use application_status::ApplicationCheck;
pub use autoscaling::{AutoScaling, GroupTags, HookPattern, Listing};
pub use ec2::Ec2;
pub use error::{AwsError, Words};
pub use imds::{Imds, ImdsError, InstanceIdentity};
pub use load_balancing::LoadBalancing;
pub use sts::{SignError, Sts};
pub use witness::{Seen, Witness};
