//! What an operator orders where policy does nothing by itself: to go on from this node's own data, or from a snapshot.
//!
//! Never beside a quorum that lives or may come back, and never past an instance that is silent and not gone: an order chooses what is kept, not what
//! is true.

use crate::charter::{Origin, Record, State};
use crate::ids::MemberId;
use crate::memory::BackoffKey;
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::restore::Restorable;
use crate::planner::subjects::{loss, objection, orders, restore};

/// Why the ordered snapshot is not claimed yet. Where nothing stands in the way, the rule that claims goes on.
pub(in crate::planner) fn snapshot(s: &Situation<'_>) -> Option<Decision> {
    orders::snapshot_wanted(s)?;
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
pub(in crate::planner) fn survivor(s: &Situation<'_>) -> Option<Decision> {
    let although_they_differ = orders::survivor_wanted(s)?;
    let record = s.record().filter(|_| s.membership().is_none())?;
    if record.founder() == Some(s.me()) && s.data_generation() == Some(record.generation) {
        return None;
    }
    // A quorum that another sees makes the order void.
    if record.state == State::Established && s.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some()) {
        return orders::forget_order(s);
    }
    let halt = |why: String| Decision::halt(Phase::Recovering, format!("does not go on from its own data, as ordered: {why}"));
    if let Err(why) = may_go_on(s, record, although_they_differ) {
        return Some(halt(why));
    }
    if let Some(objection) = objection::dissenter(s, record, None) {
        return Some(halt(objection.to_string()));
    }
    if let Some(cut_out) = loss::is_cut_out(s) {
        return Some(cut_out);
    }
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Some(Decision::wait(Phase::Recovering, "the store refused the recovery's claim a moment ago").again_in(s.policy.retry));
    }
    Some(claim(s, record))
}

fn claim(s: &Situation<'_>, record: &Record) -> Decision {
    let next = loss::claim_of_survivor(s, record);
    let far = match loss::applied(s, s.me()) {
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
    if !mine && !loss::is_open(s, record) {
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
    if !loss::too_few_are_left(s, record) {
        return Err(orders::who_is_left(s, record));
    }
    match loss::own_voters(s) {
        Some(own) if own != loss::charter_voters(record) && !although_they_differ => Err(voters_differ(&own, record)),
        Some(_) if !loss::own_list_is_lost(s, mine) => Err("by its own etcd's list of voters quorum may come back".to_owned()),
        Some(_) | None => Ok(()),
    }
}

fn voters_differ(own: &[MemberId], record: &Record) -> String {
    format!(
        "its etcd's voters ({}) differ from the charter's ({}): say `--although-voters-differ` if its data is the one to keep all the same",
        loss::ids(own),
        loss::ids(&loss::charter_voters(record))
    )
}
