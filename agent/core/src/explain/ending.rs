//! The end of a cluster: its last voter saves all that it holds, records that in the charter, and leaves.

use std::fmt::Display;

use crate::ids::SnapshotKey;
use crate::observation::{Saved, Taking};
use crate::wait::WaitReason;

use super::{Message, Wait, mebibytes, wait, wait_at};

/// Why this node leaves as the last voter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Last {
    /// No replacement comes.
    Unreplaced,
    /// Every other voter is gone.
    Left,
    /// Its deadline is near.
    OutOfTime,
}

impl Last {
    fn words(self) -> &'static str {
        match self {
            Self::Unreplaced => "is the last voter, and no replacement comes",
            Self::Left => "every other voter is gone, and no replacement comes",
            Self::OutOfTime => "could not hand over before its deadline, and no other voter is left",
        }
    }
}

impl Display for Last {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words())
    }
}

pub(crate) fn cannot_save_yet(last: Last, obstacle: &str) -> Wait {
    wait(WaitReason::FinalSnapshot, format!("{last}: its data is to be saved, but {obstacle}"))
}

pub(crate) fn charter_names_others(last: Last) -> Wait {
    wait(WaitReason::FinalSnapshot, format!("{last}: waits until the charter names no other voter"))
}

pub(crate) fn releases_the_lock() -> Message {
    "is the last voter; releases the lock before it stops".into()
}

pub(crate) fn data_ends(last: Last, obstacle: &str, newest: Option<&SnapshotKey>) -> Message {
    let but = but_for(newest);
    format!("{last}: stops etcd without a final snapshot ({obstacle}): THE DATA ENDS WITH THIS INSTANCE{but}").into()
}

pub(crate) fn data_ends_too(doing: &Message, newest: Option<&SnapshotKey>) -> Message {
    format!("{doing}; THE DATA ENDS WITH THIS INSTANCE{}", but_for(newest)).into()
}

fn but_for(newest: Option<&SnapshotKey>) -> String {
    newest.map_or_else(String::new, |key| format!(", except what snapshot {key} holds"))
}

/// Why what this node holds cannot be saved: the end of a sentence.
pub(crate) mod obstacle {
    use crate::charter::Record;

    pub(crate) const NO_STORE: &str = "no store is configured";
    pub(crate) const NO_SNAPSHOTS: &str = "snapshots are switched off";
    pub(crate) const NO_CHARTER: &str = "the store holds no charter";
    pub(crate) const NOT_ESTABLISHED: &str = "its data belongs to no established generation";
    pub(crate) const NO_TIME: &str = "no time is left for it";
    pub(crate) const NOTHING_SERVED: &str = "etcd does not run, and without a quorum it would serve nothing";

    pub(crate) fn charter_was_not_read(why: &str) -> String {
        format!("the charter cannot be read: {why}")
    }

    pub(crate) fn record_vanished(record: &Record) -> String {
        format!("{record} vanished from the store")
    }
}

pub(crate) fn stops_clients(why: &dyn Display) -> Message {
    format!("leaves because {why}: is the last voter; closes etcd to clients, to save its data").into()
}

pub(crate) fn process_is_unknown() -> Wait {
    wait(WaitReason::LocalFacts, "is the last voter; it is not known whether its etcd runs")
}

pub(crate) fn started_just_now() -> Wait {
    wait(WaitReason::EtcdStart, "is the last voter; started etcd a moment ago; waits for it before starting it again")
}

pub(crate) fn starts_alone(why: &dyn Display) -> Message {
    format!("leaves because {why}: starts etcd for this node alone, to save its data").into()
}

pub(crate) fn awaits_own_etcd() -> Wait {
    wait(WaitReason::OwnEtcd, "is the last voter; waits for its own etcd, to save its data")
}

pub(crate) fn stops_with_what_is_left(last: Last, saved: &Saved) -> Message {
    format!(
        "{last}: stops etcd. Its data is in snapshot {}, revision {}; writes that only the other voters had are lost with them",
        saved.key, saved.revision
    )
    .into()
}

pub(crate) fn saves(taking: Taking) -> Wait {
    let of = taking.of.map_or_else(String::new, |of| format!(" ({} of {} MiB)", mebibytes(taking.bytes), mebibytes(of)));
    wait_at(WaitReason::FinalSnapshot, taking.bytes, format!("is the last voter; saves its data{of}"))
}

pub(crate) fn could_not_save(why: &str) -> Wait {
    wait(WaitReason::FinalSnapshot, format!("is the last voter; could not save its data, and retries: {why}"))
}

pub(crate) fn record_names_no_cluster() -> Wait {
    wait(WaitReason::FinalSnapshot, "is the last voter; its record names no etcd cluster")
}

pub(crate) fn takes_final_snapshot(why: &dyn Display) -> Message {
    format!("leaves because {why}: takes the final snapshot").into()
}

pub(crate) fn all_is_saved(why: &dyn Display, key: &SnapshotKey) -> Message {
    format!("leaves because {why}: all its data is in snapshot {key}; stops etcd").into()
}

pub(crate) fn store_refused_retired() -> Wait {
    wait(WaitReason::StoreRefused, "was the last voter; the store refused `retired` a moment ago")
}

pub(crate) fn retires(saved: &Saved) -> Message {
    format!("was the last voter; retires the cluster to snapshot {}, revision {}: nothing is lost", saved.key, saved.revision).into()
}

pub(crate) fn puts_retired_data_aside(key: &SnapshotKey) -> Message {
    format!("moves its data to the trash: the charter says that snapshot {key} holds all of it").into()
}
