//! What each way to bring a cluster back would keep and lose, for `quorate recover`.

use crate::charter::Record;
use crate::ids::{InstanceId, SnapshotKey};
use crate::memory::Order;

use super::list;

/// The command that gives an order.
pub(crate) fn command(order: &Order) -> String {
    match order {
        Order::Leave => "leave".to_owned(),
        Order::Bootstrap => "bootstrap".to_owned(),
        Order::RecoverFresh => "recover --fresh".to_owned(),
        Order::RecoverSnapshot { key: None } => "recover --snapshot newest".to_owned(),
        Order::RecoverSnapshot { key: Some(key) } => format!("recover --snapshot {key}"),
        Order::RecoverSurvivor { although_voters_differ: false } => "recover --survivor".to_owned(),
        Order::RecoverSurvivor { although_voters_differ: true } => "recover --survivor --although-voters-differ".to_owned(),
        Order::RecoverReattachedVolume => "recover --reattached-volume".to_owned(),
        Order::RotateAuthority => "pki rotate".to_owned(),
    }
}

pub(crate) fn only_remembered(record: &Record) -> String {
    format!("{record}, as this node remembers it: the store does not show it")
}

/// Why an order to recover is not accepted.
pub(crate) mod refusal {
    use crate::explain::list;
    use crate::ids::{MemberId, SnapshotKey};

    pub(crate) fn quorum_lives() -> String {
        "a quorum is alive, and nothing is recovered beside it".to_owned()
    }

    pub(crate) fn distribution_moves_no_volume() -> String {
        "a Kubernetes distribution manages its own etcd, and cannot adopt a reattached volume: docs/usage/k3s.md".to_owned()
    }

    pub(crate) fn no_reattached_volume() -> String {
        "the data directory holds no other instance's data: `quorate status` says what it holds".to_owned()
    }

    pub(crate) fn voters_differ(own: &[MemberId], charter: &[MemberId]) -> String {
        format!(
            "this member's voters ({}) differ from the charter's ({}): add --although-voters-differ if its data is the one to keep",
            list(own, " "),
            list(charter, " ")
        )
    }

    pub(crate) fn no_charter_tells(key: &SnapshotKey) -> String {
        format!("no charter says which cluster snapshot {key} belongs to")
    }
}

pub(crate) fn keeps_reattached_volume(owner: &InstanceId) -> String {
    format!("everything on the volume, which {owner} wrote; how much that is shows once etcd runs on it")
}

pub(crate) fn loses_by_reattached_volume(owner: &InstanceId) -> String {
    format!("nothing, if the volume is as {owner} left it; if it is an older copy, every write since")
}

/// `end`: the revision and the applied index of its data.
pub(crate) fn keeps_own_data(end: Option<(u64, u64)>) -> String {
    match end {
        Some((revision, applied)) => format!("this node's own data, up to revision {revision} (applied index {applied})"),
        None => "this node's own data; how far it goes is unknown, because its etcd does not answer".to_owned(),
    }
}

pub(crate) fn loses_in_flight() -> String {
    "only writes in flight when the others died".to_owned()
}

pub(crate) fn loses_acknowledged(revision: Option<u64>) -> String {
    let after = revision.map_or_else(String::new, |revision| format!(" after revision {revision}"));
    format!("writes{after} that the lost voters acknowledged among themselves; how many is unknown")
}

pub(crate) fn keeps_snapshot(key: &SnapshotKey, revision: u64) -> String {
    format!("snapshot {key}, up to revision {revision}")
}

/// `further`: instances that hold more revisions, and how many; `mute`: instances that may hold more.
pub(crate) fn loses_by_snapshot(revision: u64, further: &[(InstanceId, u64)], mute: &[InstanceId]) -> String {
    let further = further.iter().map(|(id, more)| format!("{more} revisions that {id} still holds"));
    let mute = mute.iter().map(|id| format!("whatever else {id} holds, which is unknown"));
    let known = list(further.chain(mute), ", ");
    let known = if known.is_empty() { known } else { format!(", among them {known}") };
    format!("every write after revision {revision}{known}")
}

pub(crate) fn keeps_nothing() -> String {
    "nothing".to_owned()
}

pub(crate) fn loses_everything() -> String {
    "EVERYTHING; old data goes to the trash, and snapshots stay in the store".to_owned()
}
