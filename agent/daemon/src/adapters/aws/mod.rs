//! AWS: what IMDS, EC2 and Auto Scaling say, the three things that the agent tells Auto Scaling, and the one that it tells load balancers.
//!
//! - [`Imds`] is asked every cycle: it is local and free.
//! - [`Ec2`] and [`AutoScaling`] are asked when the core's cadence says so: a whole account shares their request budget.
//! - [`LoadBalancing`] is told that the instance goes, where the operator has named target groups.
//! - [`sdk::load`] makes what the clients need: region, credentials, endpoints, time-outs.
//!
//! Nothing here decides, remembers or retries beyond one call: what is not known is an error, and the next cycle asks again.

mod answers;
pub mod autoscaling;
pub mod ec2;
mod error;
pub mod imds;
mod load_balancing;
pub mod sdk;
mod witness;

pub use autoscaling::{AutoScaling, GroupTags};
pub use ec2::Ec2;
pub use error::{AwsError, Words};
pub use imds::{Imds, ImdsError, InstanceIdentity};
pub use load_balancing::LoadBalancing;
pub use witness::{Seen, Witness};
