//! A charter that lacks a record, or that cannot be trusted.

use crate::charter::Record;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

/// The charter cannot be trusted, for this reason.
pub(crate) fn is_broken(why: &str) -> Wait {
    wait(WaitReason::BrokenCharter, why.to_owned())
}

/// The store belongs to another cluster, for this reason.
pub(crate) fn is_foreign(why: &str) -> Wait {
    wait(WaitReason::ForeignStore, why.to_owned())
}

pub(crate) fn rewrites(record: &Record) -> Message {
    format!("writes {record} again: it vanished from the store").into()
}

pub(crate) fn vanished_and_quorum_is_lost(record: &Record) -> Wait {
    vanished_for_good(record, "quorum is lost for good")
}

pub(crate) fn vanished_and_no_quorum_answers(record: &Record) -> Wait {
    vanished_for_good(record, "no quorum has answered for a long time")
}

fn vanished_for_good(record: &Record, why: &str) -> Wait {
    let message = format!(
        "{record} vanished from the store, and {why}, so no node rewrites it or recovers automatically. `quorate recover` shows what is known"
    );
    wait(WaitReason::VanishedRecord, message)
}

pub(crate) fn vanished(record: &Record) -> Wait {
    wait(WaitReason::VanishedRecord, format!("{record} vanished from the store; waits for a quorum read before it rewrites it"))
}

/// Why a charter cannot be trusted, or a store belongs to another cluster.
pub(crate) mod flaw {
    use crate::charter::Record;

    pub(crate) fn records_do_not_follow() -> String {
        "the charter's records do not follow one another".to_owned()
    }

    pub(crate) fn gone(remembered: &Record) -> String {
        format!("the charter is gone from the store, and this node remembers only {remembered}")
    }

    pub(crate) fn two_histories(stored: &Record) -> String {
        format!("the store's {stored} differs from the one that this node remembers: the cluster has two histories")
    }

    pub(crate) fn does_not_continue(highest: &Record, remembered: &Record) -> String {
        format!("this node remembers {remembered}, and the store's highest record, {highest}, does not continue it")
    }

    pub(crate) fn of_another_cluster(highest: &Record) -> String {
        format!(
            "the charter belongs to cluster {} of account {} in {}: correct `quorate:store` or `quorate:cluster`",
            highest.cluster, highest.account, highest.region
        )
    }

    pub(crate) fn foreign_objects(example: &str) -> String {
        format!(
            "the store holds {example} under this cluster's prefix but no charter: move the foreign objects away, or correct `quorate:store`"
        )
    }

    /// A store with snapshots but no charter, where even an order to found afresh would be refused. Snapshots outlive a charter that a lifecycle rule expired;
    /// if they were moved away as foreign objects, the store would look empty.
    pub(crate) fn snapshots_without_charter(example: &str) -> String {
        format!(
            "the store holds {example} under this cluster's prefix but no charter: somebody deleted it, or a lifecycle rule expired it. Restore the objects of `charter/` (a versioned bucket still has them) and leave the snapshots where they are, or correct `quorate:store`. To start EMPTY, first move the snapshots and `published/` away: until then `quorate recover --fresh` is refused too"
        )
    }
}
