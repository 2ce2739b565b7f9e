//! What an operator has ordered, and when that is carried out.

use crate::charter::{Origin, Record, State};
use crate::explain::ordered;
use crate::ids::{InstanceId, SnapshotKey};
use crate::memory::Order;
use crate::observation::DataClaim;
use crate::plan::Step;
use crate::policy::Recovery;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{loss, phase};

pub(in crate::planner) fn forget_order(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    let done = match s.order() {
        // On a survivor without a store it is the order to recover, which is carried out when a quorum answers.
        Some(Order::Bootstrap) => (s.data_generation() == Some(record.generation) && s.membership().is_some()) || s.disk_is_empty(),
        Some(Order::RecoverFresh) => record.origin == Origin::Fresh && s.data_generation() == Some(record.generation),
        // A generation of the same origin may be the one that was lost: only a quorum's word can tell.
        Some(Order::RecoverSnapshot { .. }) => matches!(record.origin, Origin::Snapshot { .. }) && is_founder_of_living(s, record),
        Some(Order::RecoverReattachedVolume) => is_founder_of_living(s, record),
        Some(Order::RecoverSurvivor { .. }) => {
            record.origin == (Origin::Survivor { instance: s.me().clone() }) && is_founder_of_living(s, record)
        }
        Some(Order::RotateAuthority) => record.rotation.is_some() || record.authority.is_none(),
        Some(Order::Leave) | None => false,
    };
    let phase = phase::phase_of_member(s);
    if done {
        return Some(Decision::act(phase, Step::ForgetOrder, ordered::is_carried_out()));
    }
    if !s.order().is_some_and(|order| order.recovers()) {
        return None;
    }
    let void = |message| Some(Decision::act(phase, Step::ForgetOrder, message));
    if s.membership().is_some() {
        return void(ordered::is_void_beside_a_quorum());
    }
    // An order that waited for that quorum to end would act long after it was forgotten.
    let witness = s.seen.peers.iter().find_map(|(id, p)| p.fresh()?.quorum.map(|cluster| (id, cluster)));
    witness.and_then(|(id, cluster)| void(ordered::is_void_by_witness(id, &cluster)))
}

/// This node's data is of the record's generation, and a quorum of it answers.
fn is_founder_of_living(s: &Situation<'_>, record: &Record) -> bool {
    s.data_generation() == Some(record.generation) && s.membership().is_some()
}

/// The snapshot that an operator has ordered this node to restore, if any: the newest, or this one.
pub(in crate::planner) fn snapshot_wanted(s: &Situation<'_>) -> Option<Option<SnapshotKey>> {
    match s.order() {
        Some(Order::RecoverSnapshot { key }) => Some(key),
        _ => None,
    }
}

/// An operator's order to continue from this node's own data, if there is one: whether it holds even where this member's list of voters differs from the
/// charter's.
pub(in crate::planner) fn survivor_wanted(s: &Situation<'_>) -> Option<bool> {
    match s.order() {
        Some(Order::RecoverSurvivor { although_voters_differ }) => Some(although_voters_differ),
        _ => None,
    }
}

/// The data that members still hold is given up for a snapshot: by an operator's order, or once policy `any` has claimed so, and only where the voters
/// that are left can never have quorum again.
pub(in crate::planner) fn gives_up_data(s: &Situation<'_>) -> bool {
    let claimed = |r: &Record| r.founder() == Some(s.me()) && matches!(r.origin, Origin::Snapshot { .. });
    let by_policy = |r: &Record| s.policy.recovery == Recovery::Any && claimed(r);
    s.record().is_some_and(|r| (snapshot_wanted(s).is_some() || by_policy(r)) && loss::too_few_are_left(s, r))
}

/// The instances that hold data which a snapshot replaces.
pub(in crate::planner) fn given_up(s: &Situation<'_>) -> Vec<InstanceId> {
    let holds = |p: &crate::observation::PeerAnswer| matches!(p.data, DataClaim::Holds { .. });
    let others = s.seen.peers.iter().filter(|(_, p)| p.fresh().is_some_and(holds)).map(|(id, _)| id);
    let own = s.data().map(|_| s.me());
    let mut all: Vec<InstanceId> = others.chain(own).cloned().collect();
    all.sort();
    all
}

/// Quorum may come back: the sentence names the voters that are left, and says what an operator can do about it.
pub(in crate::planner) fn who_is_left(s: &Situation<'_>, record: &Record) -> String {
    let left: Vec<InstanceId> = loss::left(s, record).map(|v| v.instance.clone()).collect();
    ordered::obstacle::quorum_may_come_back(&left, record.voters.len())
}
