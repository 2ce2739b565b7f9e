//! The simulator: the same planner against model nodes in virtual time, thousands of seeded schedules a minute.
//!
//! # Flow
//!
//! A seed makes a schedule: the group, its surroundings, and which faults occur when. The world then runs it: the region and etcd
//! are models, and each node drives the daemon's own engine against what it can see of them. The invariants of
//! ARCHITECTURE.md are checked on the models' truth after every step. A failing seed is replayed with its story.

mod bits;
mod etcd_model;
mod invariants;
mod k3s;
mod network;
mod node;
mod queue;
mod rng;
mod run;
mod sabotage;
mod schedule;
mod snapshots;
mod stats;
mod steady;
mod store;
mod story;
mod world;

pub use invariants::Violation;
pub use run::{Failure, Summary, replay, run_seed, simulate, simulate_sabotaged};
pub use sabotage::Sabotage;
pub use schedule::{CONTROL_PLANE, HARDSHIPS, POLICY_ANY, SEVERAL_GROUPS, WITHOUT_SNAPSHOTS};
pub use stats::Stats;
pub use steady::steady_aws_calls;
