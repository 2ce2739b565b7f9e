//! AWS: what IMDS, EC2 and Auto Scaling say, and the three things that the agent tells Auto Scaling.
//!
//! - [`Imds`] is asked every cycle: it is local and free.
//! - [`Ec2`] and [`AutoScaling`] are asked when the core's cadence says so: a whole account shares their request budget.
//! - [`sdk::load`] makes what both clients need: region, credentials, endpoints, time-outs.
//!
//! Nothing here decides, remembers or retries beyond one call: what is not known is an error, and the next cycle asks again.

pub mod autoscaling;
pub mod ec2;
mod error;
pub mod imds;
pub mod sdk;
mod witness;

pub use autoscaling::{AutoScaling, GroupTags};
pub use ec2::Ec2;
pub use error::{AwsError, Words};
pub use imds::{Imds, ImdsError, InstanceIdentity};
pub use witness::{Seen, Witness};
