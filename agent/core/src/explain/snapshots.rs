//! Snapshots: one each interval, one before each change of the membership, restore drills, and the deletion of those that need not be kept.

use std::fmt::Display;
use std::time::Duration;

use crate::ids::{Generation, SnapshotKey};
use crate::observation::Taking;
use crate::wait::WaitReason;

use super::{Message, Wait, list, mebibytes, wait_at};

pub(crate) fn takes_when_due(age: Duration) -> Message {
    format!("takes a snapshot: the newest is {} old", minutes(age)).into()
}

pub(crate) fn takes_the_first(generation: Generation) -> Message {
    format!("takes the first snapshot of generation {generation}").into()
}

pub(crate) fn takes_one() -> Message {
    "takes a snapshot".into()
}

pub(crate) fn is_taken(taking: &Taking) -> Wait {
    let progress = taking.of.map_or_else(String::new, |of| format!(" ({} of {} MiB)", mebibytes(taking.bytes), mebibytes(of)));
    wait_at(WaitReason::Snapshot, taking.bytes, format!("waits for the snapshot{progress}"))
}

pub(crate) fn comes_before(change: &Message, snapshot: &Message) -> Message {
    format!("{change}; {snapshot} first").into()
}

pub(crate) fn goes_without(change: &Message, why: &dyn Display) -> Message {
    format!("{change}, without a snapshot first: {why}").into()
}

/// Why a change of the membership continues without a snapshot from just before it.
pub(crate) mod missing {
    use std::time::Duration;

    use crate::explain::Message;

    pub(crate) fn cannot_be_listed(why: &str) -> Message {
        format!("the store's snapshots cannot be listed: {why}").into()
    }

    pub(crate) fn time_is_short() -> Message {
        "little time is left to leave".into()
    }

    pub(crate) fn takes_too_long(patience: Duration) -> Message {
        format!("it takes longer than {} s", patience.as_secs()).into()
    }

    pub(crate) fn no_voter_answers() -> Message {
        "no voter answers to read it from".into()
    }

    pub(crate) fn could_not_begin() -> Message {
        "it could not be started a moment ago".into()
    }
}

/// `old`: snapshots; `abandoned`: remains of uploads.
pub(crate) fn prunes(old: usize, abandoned: usize) -> Message {
    let old = (old > 0).then(|| format!("{old} expired snapshots"));
    let abandoned = (abandoned > 0).then(|| format!("the remains of {abandoned} interrupted uploads"));
    format!("deletes {}", list(old.into_iter().chain(abandoned), " and ")).into()
}

pub(crate) fn trial_after_a_failure(key: &SnapshotKey) -> Message {
    format!("restores snapshot {key} on trial: the last trial failed").into()
}

pub(crate) fn trial_is_due(key: &SnapshotKey, since: Duration) -> Message {
    format!("restores snapshot {key} on trial: the last trial was {} ago", hours(since)).into()
}

pub(crate) fn first_trial(key: &SnapshotKey) -> Message {
    format!("restores snapshot {key} on trial, for the first time here").into()
}

fn minutes(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn hours(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..7200 => minutes(Duration::from_secs(seconds)),
        seconds => format!("{} h", seconds / 3600),
    }
}
