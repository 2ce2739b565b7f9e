//! The decisions of Quorate, free of the outside world.
//!
//! Flow: [`engine::Engine::look`] takes in an [`observation::Observation`] and returns what to write down first and the one step that passed the gate. The
//! caller executes the step and reports its outcome to [`engine::Engine::done`]. Inside, [`tracker::absorb`] takes in what was seen, [`planner::plan`]
//! decides, and [`safety::Gate::check`] may refuse.

pub mod agent_key;
pub mod alias;
pub mod authority;
pub mod cadence;
pub mod certificates;
pub mod charter;
pub mod drain;
pub mod endpoint_directory;
pub mod engine;
pub mod etcd_version;
mod explain;
pub mod handout;
pub mod ids;
pub mod member_url;
pub mod memory;
pub mod observation;
pub mod pausing;
mod peer_answer;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod quorum;
pub mod reading;
pub mod recovery;
pub mod report;
pub mod role;
pub mod rotation;
pub mod safety;
pub mod situation;
pub mod snapshot;
pub mod sources;
pub mod text;
pub mod time;
pub mod tracker;
pub mod transport;
pub mod via;
pub mod wait;
