//! What an operator orders where policy does nothing by itself: to go on from this node's own data, or from a snapshot.
//!
//! Never beside a quorum that lives or may come back, and never past an instance that is silent and not gone: an order chooses what is kept, not what
//! is true.

use crate::charter::{Origin, Record, State};
use crate::ids::{InstanceId, MemberId, SnapshotKey};
use crate::memory::{BackoffKey, Order};
use crate::observation::DataClaim;
use crate::plan::Step;
use crate::policy::Recovery;
use crate::report::Phase;
use crate::situation::Situation;

use super::bootstrap;
use super::decision::Decision;
use super::objection::dissenter;
use super::recover::{self, is_cut_out, too_few_are_left};
use super::restore::{self, Restorable};

/// The snapshot that an operator has ordered to restore here, if any: the newest, or this one.
pub(super) fn snapshot_wanted(s: &Situation<'_>) -> Option<Option<SnapshotKey>> {
    match s.order() {
        Some(Order::RecoverSnapshot { key }) => Some(key),
        _ => None,
    }
}

/// An operator has ordered this node to go on from its own data; whether although its list of voters differs from the charter's.
pub(super) fn survivor_wanted(s: &Situation<'_>) -> Option<bool> {
    match s.order() {
        Some(Order::RecoverSurvivor { although_voters_differ }) => Some(although_voters_differ),
        _ => None,
    }
}

/// What members still hold is given up for a snapshot: by an operator's order, or once policy `any` has claimed so; and only where those that are left
/// can never have quorum again.
pub(super) fn gives_up_data(s: &Situation<'_>) -> bool {
    let claimed = |r: &Record| r.founder() == Some(s.me()) && matches!(r.origin, Origin::Snapshot { .. });
    let by_policy = |r: &Record| s.policy.recovery == Recovery::Any && claimed(r);
    s.record().is_some_and(|r| (snapshot_wanted(s).is_some() || by_policy(r)) && too_few_are_left(s, r))
}

/// Why the ordered snapshot is not claimed yet. Where nothing stands in the way, the rule that claims goes on.
pub(super) fn snapshot(s: &Situation<'_>) -> Option<Decision> {
    snapshot_wanted(s)?;
    let halt = |why: String| Some(Decision::halt(Phase::Halted, format!("does not restore a snapshot, as ordered: {why}")));
    let Some(record) = s.record() else { return halt("the charter could not be read, or holds nothing".to_owned()) };
    match restore::restorable(s) {
        Restorable::From(_) => None,
        Restorable::Waits(why) => Some(Decision::wait(Phase::Recovering, why).again_in(s.policy.retry)),
        Restorable::Halts(why) => halt(why),
        Restorable::No => match record.founder() {
            Some(founder) if founder == s.me() => None,
            Some(founder) => halt(format!("{founder} has claimed {record}, and EC2 does not say that it has ended")),
            None => halt(format!("nothing was lost of {record}")),
        },
    }
}

/// Goes on from this node's own data by an operator's order.
pub(super) fn survivor(s: &Situation<'_>) -> Option<Decision> {
    let although_they_differ = survivor_wanted(s)?;
    let record = s.record().filter(|_| s.membership().is_none())?;
    if record.founder() == Some(s.me()) && s.data_generation() == Some(record.generation) {
        return None;
    }
    // A quorum that another sees makes the order void.
    if record.state == State::Established && s.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some()) {
        return bootstrap::forget_order(s);
    }
    let halt = |why: String| Decision::halt(Phase::Recovering, format!("does not go on from its own data, as ordered: {why}"));
    if let Err(why) = may_go_on(s, record, although_they_differ) {
        return Some(halt(why));
    }
    if let Some(objection) = dissenter(s, record, None) {
        return Some(halt(objection.to_string()));
    }
    if let Some(cut_out) = is_cut_out(s) {
        return Some(cut_out);
    }
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Some(Decision::wait(Phase::Recovering, "the store refused the recovery's claim a moment ago").again_in(s.policy.retry));
    }
    Some(claim(s, record))
}

fn claim(s: &Situation<'_>, record: &Record) -> Decision {
    let next = recover::claim_of_survivor(s, record);
    let far = match recover::applied(s, s.me()) {
        Some(index) => format!("applied up to index {index}"),
        None => "which cannot say how far it goes".to_owned(),
    };
    let says = format!(
        "claims the recovery as generation {} from its own data, {far}, as an operator ordered: what the lost voters had acknowledged without it is lost",
        next.generation
    );
    Decision::act(Phase::Recovering, Step::CreateRecord(next), says)
}

/// Whether this node's data is one that a new generation may go on from.
fn may_go_on(s: &Situation<'_>, record: &Record, although_they_differ: bool) -> Result<(), String> {
    let mine = record.founder() == Some(s.me()) && matches!(record.origin, Origin::Survivor { .. } | Origin::Snapshot { .. });
    if !mine && !recover::is_open(s, record) {
        let founder = record.founder().map_or_else(String::new, |f| format!("{f} has claimed "));
        return Err(format!("{founder}{record}"));
    }
    let data = s.data().filter(|d| d.generation.is_some() && d.generation == record.ever_established);
    let Some(mine) = data.and_then(|d| d.member) else {
        return Err("this node holds no data of the generation that was established last".to_owned());
    };
    if !record.voters.iter().any(|v| v.instance == *s.me() && v.member == mine) {
        return Err(format!("its data is member {mine}'s, which the charter does not list: it never voted, or was removed"));
    }
    if s.status(mine).is_some_and(|status| status.leader.is_some()) {
        return Err("its etcd knows a leader".to_owned());
    }
    if !too_few_are_left(s, record) {
        return Err(who_is_left(s, record));
    }
    match recover::own_voters(s) {
        Some(own) if own != recover::charter_voters(record) && !although_they_differ => Err(voters_differ(&own, record)),
        Some(_) if !recover::own_list_is_lost(s, mine) => Err("by its own etcd's list of voters quorum may come back".to_owned()),
        Some(_) | None => Ok(()),
    }
}

fn voters_differ(own: &[MemberId], record: &Record) -> String {
    format!(
        "its etcd's voters ({}) differ from the charter's ({}): say `--although-voters-differ` if its data is the one to keep all the same",
        recover::ids(own),
        recover::ids(&recover::charter_voters(record))
    )
}

/// Who holds data that a snapshot takes the place of, for the report; empty where nobody does.
pub(super) fn given_up(s: &Situation<'_>) -> String {
    let holds = |p: &crate::observation::PeerAnswer| matches!(p.data, DataClaim::Holds { .. });
    let others = s.seen.peers.iter().filter(|(_, p)| p.fresh().is_some_and(holds)).map(|(id, _)| id);
    let own = s.data().map(|_| s.me());
    let mut all: Vec<&InstanceId> = others.chain(own).collect();
    all.sort();
    let names = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if names.is_empty() { names } else { format!("; what {names} still hold{} is given up", if all.len() == 1 { "s" } else { "" }) }
}

/// Quorum may come back: the sentence names with whom, and what an operator can do about it.
pub(super) fn who_is_left(s: &Situation<'_>, record: &Record) -> String {
    let left: Vec<InstanceId> = recover::left(s, record).map(|v| v.instance.clone()).collect();
    let names = left.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "{} of {} voters are not gone ({names}), so that quorum may come back: heal them, or terminate those whose data is to be given up, until EC2 says `terminated`",
        left.len(),
        record.voters.len()
    )
}
