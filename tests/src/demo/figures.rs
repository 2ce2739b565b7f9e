//! Everything that the demo measured.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::load::Load;

/// Everything that the demo measured; `null` where it could not.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// As etcd reports it.
    pub etcd_version: String,
    /// How many instances.
    pub size: u32,
    /// From the start of the first agent until all instances vote.
    #[serde(serialize_with = "ms", rename = "bootstrap_ms")]
    pub bootstrap: Duration,
    /// The same by direct etcd calls.
    #[serde(serialize_with = "ms", rename = "bootstrap_floor_ms")]
    pub bootstrap_floor: Duration,
    /// For each replacement: agent start to voter plus notice to hook accepted, without the region's own delays.
    #[serde(serialize_with = "all_ms", rename = "replace_ms")]
    pub replace: Vec<Duration>,
    /// The part of each until the new one votes.
    #[serde(serialize_with = "all_ms", rename = "replace_join_ms")]
    pub replace_join: Vec<Duration>,
    /// The part of each from the old one's notice.
    #[serde(serialize_with = "all_ms", rename = "replace_leave_ms")]
    pub replace_leave: Vec<Duration>,
    /// One replacement by direct etcd calls, in a settled cluster.
    #[serde(serialize_with = "ms", rename = "replace_floor_ms")]
    pub replace_floor: Duration,
    /// The whole instance refresh, with the region's delays.
    #[serde(serialize_with = "ms", rename = "refresh_ms")]
    pub refresh: Duration,
    /// How long a dead member that EC2 does not call terminated is silent before it is pruned; 60 s by default.
    pub prune_grace_s: u16,
    /// From the hard kill until the replacement votes and nothing else is listed, with that grace.
    #[serde(serialize_with = "ms", rename = "kill_replaced_ms")]
    pub kill_replaced: Duration,
    /// Writes that were acknowledged.
    pub acked_writes: usize,
    /// Of those, the ones that were not there at the end.
    pub lost_writes: usize,
    /// Tries that failed; each was made again until it was acknowledged.
    pub failed_writes: u64,
    /// Tries through another endpoint beside one that had not answered within 200 ms.
    pub hedged_writes: u64,
    /// The longest time between two acknowledgements while only announced changes were made.
    #[serde(serialize_with = "ms", rename = "longest_write_gap_graceful_ms")]
    pub gap_graceful: Duration,
    /// The same around the hard kill.
    #[serde(serialize_with = "ms", rename = "longest_write_gap_kill_ms")]
    pub gap_kill: Duration,
    /// Every etcd cluster id that any member ever stated.
    pub cluster_ids: Vec<String>,
    /// The fewest voters listed, from the bootstrap to the scale-in.
    pub min_voters: Option<usize>,
    /// The same during the refresh.
    pub min_voters_refresh: Option<usize>,
    /// All lifecycle actions.
    pub lifecycle_actions: Actions,
    /// From the simulator: AWS calls of a serving node, over 24 virtual hours.
    pub aws_calls_per_node_per_hour_steady: Option<f64>,
    /// The agents' memory while serving, each one's three times.
    pub agent_rss_kib: Vec<u64>,
    /// Each agent's thousandths of a core while serving.
    pub agent_cpu_permille: Vec<f64>,
    /// Whether the safety promises held: the exit status.
    pub safety_held: bool,
    /// Whether every timing held, the footprint among them.
    pub timing_held: bool,
    /// How busy the machine was meanwhile.
    pub machine: Load,
}

/// How the lifecycle actions ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Actions {
    /// All that were opened.
    pub opened: usize,
    /// Completed with CONTINUE.
    pub completed: usize,
    /// Completed with ABANDON.
    pub abandoned: usize,
    /// Not completed in time.
    pub timed_out: usize,
    /// Completed, and tried again by another instance, which AWS refused.
    pub tried_again: usize,
}

fn ms<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u128(duration.as_millis())
}

fn all_ms<S: Serializer>(durations: &[Duration], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(durations.iter().map(Duration::as_millis))
}
