//! A charter that lacks a record, or that cannot be trusted.

use crate::charter::Record;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

/// It cannot be trusted, for this reason.
pub(crate) fn is_broken(why: &str) -> Wait {
    wait(WaitReason::BrokenCharter, why.to_owned())
}

/// The store is another's, for this reason.
pub(crate) fn is_foreign(why: &str) -> Wait {
    wait(WaitReason::ForeignStore, why.to_owned())
}

pub(crate) fn rewrites(record: &Record) -> Message {
    format!("writes {record} again, which vanished from the store").into()
}

pub(crate) fn vanished_and_quorum_is_lost(record: &Record) -> Wait {
    vanished_for_good(record, "quorum is lost for good")
}

pub(crate) fn vanished_and_no_quorum_answers(record: &Record) -> Wait {
    vanished_for_good(record, "no quorum has answered for long")
}

fn vanished_for_good(record: &Record, why: &str) -> Wait {
    let message = format!(
        "{record} vanished from the store, and {why}, so nobody writes it again or recovers by itself. `quorate recover` shows what is known"
    );
    wait(WaitReason::VanishedRecord, message)
}

pub(crate) fn vanished(record: &Record) -> Wait {
    wait(WaitReason::VanishedRecord, format!("{record} vanished from the store; waits for a quorum read before it is written again"))
}

/// Why a charter cannot be trusted, or a store is another's.
pub(crate) mod flaw {
    use crate::charter::Record;

    pub(crate) fn records_do_not_follow() -> String {
        "the charter's records do not follow one another".to_owned()
    }

    pub(crate) fn gone(remembered: &Record) -> String {
        format!("the charter is gone from the store, and this node remembers only {remembered}")
    }

    pub(crate) fn two_histories(stored: &Record) -> String {
        format!("the store's {stored} differs from the one that this node remembers: two histories for one cluster")
    }

    pub(crate) fn does_not_continue(highest: &Record, remembered: &Record) -> String {
        format!("this node remembers {remembered}, and the store's highest, {highest}, does not continue it")
    }

    pub(crate) fn of_another_cluster(highest: &Record) -> String {
        format!(
            "the charter belongs to cluster {} of account {} in {}: correct `quorate:store` or `quorate:cluster`",
            highest.cluster, highest.account, highest.region
        )
    }

    pub(crate) fn foreign_objects(example: &str) -> String {
        format!(
            "the store holds {example} under this cluster's prefix but no charter: move foreign objects away, or correct `quorate:store`"
        )
    }

    /// An order to found afresh would be refused there too. Snapshots outlive a charter that a lifecycle rule expired; whoever moved them away as foreign would
    /// make the store pass for an empty one.
    pub(crate) fn snapshots_without_charter(example: &str) -> String {
        format!(
            "the store holds {example} under this cluster's prefix but no charter: it was deleted beside its snapshots, or a lifecycle rule expired it. Put the objects of `charter/` back (a bucket with versions has them), and leave the snapshots where they are; or correct `quorate:store`. To begin EMPTY, move the snapshots and `published/` away first: until then `quorate recover --fresh` is refused too"
        )
    }
}
