//! The decisions of Quorate, with nothing of the outside world in them.
//!
//! Flow: [`memory::Memory::absorb`] takes in an [`observation::Observation`], [`planner::plan`] decides, [`safety::check`] may refuse,
//! the caller executes the one step and tells [`memory::Memory::note`] what became of it.

pub mod agent_key;
pub mod alias;
pub mod authority;
pub mod cadence;
pub mod charter;
pub mod drain;
pub mod etcd_version;
pub mod ids;
pub mod member_url;
pub mod memory;
pub mod observation;
pub mod pausing;
mod peer_answer;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod published;
pub mod quorum;
pub mod reading;
pub mod recovery;
pub mod report;
pub mod role;
pub mod safety;
pub mod situation;
pub mod snapshot;
pub mod sources;
pub mod text;
pub mod time;
