//! Keeping the charter whole and true.

use crate::charter::{ListedVoter, Record, State};
use crate::ids::{InstanceId, MemberId};
use crate::memory::{BackoffKey, Order};
use crate::observation::Membership;
use crate::plan::Step;
use crate::report::Phase;
use crate::situation::{Charter, Situation};

use super::decision::Decision;
use super::{learner, recover, serve};

/// A charter that cannot be trusted stops everything but leaving.
pub(super) fn broken(s: &Situation<'_>) -> Option<Decision> {
    match &s.charter {
        Charter::Foreign(why) => Some(Decision::halt(Phase::Halted, why.clone())),
        Charter::Broken(_) if s.order() == Some(Order::RecoverFresh) => None,
        Charter::Broken(why) => Some(Decision::halt(Phase::Halted, why.clone())),
        _ => None,
    }
}

/// Rewrites the remembered record that vanished from the store; a node with data only after a quorum read.
pub(super) fn rewrite_vanished(s: &Situation<'_>) -> Option<Decision> {
    let Charter::Vanished(record) = &s.charter else { return None };
    let proven = s.disk_is_empty() || s.membership().is_some_and(|m| record.etcd_cluster.is_none_or(|c| c == m.cluster));
    if s.order() == Some(Order::RecoverFresh) && s.membership().is_none() {
        return None;
    }
    if !proven {
        return Some(no_quorum_to_rewrite(s, record));
    }
    // A store that can be read but not written must not keep the leader from its other duties.
    if s.memory.waits(BackoffKey::Record, s.now) {
        return None;
    }
    let says = format!("writes {record} again, which vanished from the store");
    Some(Decision::act(serve::phase_of_member(s), Step::CreateRecord((*record).clone()), says))
}

/// A quorum read is waited for; where none can come any more, only an operator helps, because a recovery rests on the charter too.
fn no_quorum_to_rewrite(s: &Situation<'_>, record: &Record) -> Decision {
    let phase = serve::phase_of_member(s);
    let halt = |why: &str| {
        let says = format!(
            "{record} vanished from the store, and {why}, so nobody writes it again or recovers by itself. `quorate recover` shows what is known"
        );
        Decision::halt(phase, says)
    };
    if s.memory.quorum.lost_since.is_some() || recover::too_few_are_left(s, record) {
        return halt("quorum is lost for good");
    }
    if s.for_how_long(s.memory.quorum.absent_since) >= s.policy.quorum_loss_grace {
        return halt("no quorum has answered for long");
    }
    let says = format!("{record} vanished from the store; waits for a quorum read before it is written again");
    let wait = Decision::wait(phase, says).again_in(s.policy.retry);
    if s.is_stopped() { Decision { needs_operator: true, ..wait } } else { wait }
}

/// The agent beside the leader keeps the list equal to etcd's voters plus the learner being promoted, whatever caused a difference.
pub(super) fn reconcile(s: &Situation<'_>) -> Option<Decision> {
    if !s.leads() {
        return None;
    }
    let membership = s.membership()?;
    let promoted = learner::ready_learner(s).map(|l| l.id);
    let next = with_voters(s, voters_and(s, membership, promoted))?;
    Some(write(s, Phase::Voter, next, "brings the charter's voters in line with etcd's"))
}

/// etcd's voters, the learner that is being promoted, and one that the charter named already: it may be promoted any moment.
pub(super) fn voters_and(s: &Situation<'_>, membership: &Membership, promoted: Option<MemberId>) -> Vec<ListedVoter> {
    let named = |id| s.record().is_some_and(|r| r.voters.iter().any(|v| v.member == id));
    list(s, membership, |m| !m.learner || promoted == Some(m.id) || named(m.id))
}

/// The step that writes `next`, under the lock.
pub(super) fn write(s: &Situation<'_>, phase: Phase, next: Record, why: &'static str) -> Decision {
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(phase, format!("{why}; the store refused it a moment ago"))
            .again_in(s.policy.retry)
            .under_lock("write the charter");
    }
    let says = format!("{why}: {next}");
    Decision::act(phase, Step::CreateRecord(next), says).under_lock("write the charter")
}

/// etcd's members that `take` accepts, as the charter lists voters.
fn list(s: &Situation<'_>, membership: &Membership, take: impl Fn(&crate::observation::Member) -> bool) -> Vec<ListedVoter> {
    let listed = membership.members.iter().filter(|m| take(m));
    let mut voters: Vec<ListedVoter> =
        listed.filter_map(|m| s.instance_of(m).map(|instance| ListedVoter { instance, member: m.id })).collect();
    voters.sort();
    voters
}

/// The record that would follow with this list of voters, if the established one lists others.
pub(super) fn with_voters(s: &Situation<'_>, voters: Vec<ListedVoter>) -> Option<Record> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    if record.voters == voters || voters.is_empty() || s.membership().map(|m| m.cluster) != record.etcd_cluster {
        return None;
    }
    Some(Record { voters, ..successor(record) })
}

/// The record that would follow once `gone`, which etcd has no more, is struck; it brings the whole list in line.
pub(super) fn without(s: &Situation<'_>, gone: &InstanceId) -> Option<Record> {
    s.record().filter(|r| r.lists(gone))?;
    with_voters(s, voters_and(s, s.membership()?, None))
}

/// A copy of `record` with the next number, linked to it.
pub(super) fn successor(record: &Record) -> Record {
    Record { number: record.number + 1, previous: Some(record.digest()), ..record.clone() }
}
