//! Having a member: keeping it running, putting proven-dead data aside, and the quiet state.

use crate::charter::{Record, State};
use crate::explain::serving::{self as explain, obstacle};
use crate::explain::{joining, memory_was_damaged, removing};
use crate::memory::BackoffKey;
use crate::observation::{DataIdentity, Membership, Process};
use crate::plan::{LockPurpose, Start, Step, StopReason};
use crate::quorum;
use crate::report::Phase;
use crate::situation::{Charter, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, disk, members, no_quorum, phase, version};

/// The quiet state in the warm pool, where a node never joins.
pub(in crate::planner) fn warm(s: &Situation<'_>) -> Option<Decision> {
    s.is_warm().then(|| Decision::rest(Phase::Warm, explain::is_warm()))
}

/// The wait for the charter after the memory was damaged. Without a store only the memory knew what was founded, so an operator decides.
pub(in crate::planner) fn damaged_memory(s: &Situation<'_>) -> Option<Decision> {
    if !s.memory.kept.forgotten {
        return None;
    }
    let phase = phase::phase_of_member(s);
    Some(match &s.charter {
        Charter::Unreadable(_, why) => Decision::wait(phase, memory_was_damaged(why)),
        Charter::Broken(why) | Charter::Foreign(why) => Decision::halt(phase, memory_was_damaged(why)),
        Charter::NoStore => Decision::halt(phase, memory_was_damaged(&obstacle::nobody_remembers_a_record())),
        Charter::Known(_) | Charter::Absent | Charter::Vanished(_) => {
            Decision::halt(phase, memory_was_damaged(&obstacle::store_has_no_charter()))
        }
    })
}

/// The wait for the disk and the process to be known: nothing is decided before.
pub(in crate::planner) fn unproven_disk(s: &Situation<'_>) -> Option<Decision> {
    if s.seen.local.data.fresh().is_none() {
        return Some(Decision::wait(Phase::Starting, explain::data_is_unknown(&s.seen.local.data.why_not_fresh())));
    }
    if s.seen.local.process.fresh().is_none() {
        return Some(Decision::wait(Phase::Starting, explain::process_is_unknown(&s.seen.local.process.why_not_fresh())));
    }
    None
}

/// Stops this member when another cluster is established in place of its own. Its data stays until a quorum's word proves it dead.
pub(in crate::planner) fn not_permitted(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    if runs_another_without_label(s, record) {
        return Some(Decision::halt(Phase::Halted, explain::data_is_not_ours()));
    }
    let of = disk::is_superseded_by(s, record).filter(|_| s.runs())?;
    Some(Decision::act(Phase::Waiting, Step::StopMember(StopReason::NotPermitted), explain::is_not_permitted(of, record)))
}

/// Something other than Quorate started it: what it holds is unknown, and it is not the cluster that the charter describes.
fn runs_another_without_label(s: &Situation<'_>, record: &Record) -> bool {
    let another = |data: &DataIdentity| {
        data.generation.is_none() && data.cluster.zip(record.etcd_cluster).is_some_and(|(ours, theirs)| ours != theirs)
    };
    s.runs() && s.data().is_some_and(another)
}

/// Starts etcd on the data that is there, if a record permits it.
pub(in crate::planner) fn resume(s: &Situation<'_>) -> Option<Decision> {
    let data = s.data()?;
    if !s.is_stopped() || data.cluster.is_none() {
        return None;
    }
    let Some(generation) = data.generation else {
        return Some(Decision::halt(Phase::Halted, explain::data_is_not_ours()));
    };
    let permitted = match &s.charter {
        Charter::Known(record) if record.etcd_cluster.is_some() && data.cluster.is_some() && record.etcd_cluster != data.cluster => {
            Err(obstacle::another_etcd_cluster(record))
        }
        Charter::Known(record) if record.generation == generation && record.state == State::Established => Ok(()),
        Charter::Known(record) if record.founder() == Some(s.me()) && record.generation == generation => Ok(()),
        Charter::Known(record) => Err(obstacle::another_generation(generation, record)),
        Charter::Unreadable(Some(record), _)
            if s.seen.local.ran_this_boot && record.generation == generation && record.state == State::Established =>
        {
            Ok(())
        }
        Charter::Unreadable(_, why) => Err(obstacle::charter_was_not_read(why)),
        Charter::NoStore => Err(obstacle::no_record_is_known()),
        Charter::Absent => Err(obstacle::charter_is_absent()),
        Charter::Vanished(record) => Err(obstacle::record_vanished(record)),
        Charter::Broken(why) | Charter::Foreign(why) => Err(why.clone()),
    };
    if let Err(why) = permitted {
        return Some(Decision::halt(Phase::Waiting, explain::does_not_start(&why)).again_in(s.policy.cycle));
    }
    let broken = is_broken(s);
    if broken && !version::would_fail_again(s) && quorum_without_me(s).is_some() {
        return None;
    }
    // With no quorum to rejoin it keeps starting, because the others may need this very copy; but it may be one that can no longer serve.
    let decision = if s.memory.waits(BackoffKey::Start, s.now) {
        // One that stays down reports how it ended whatever is done about it.
        let exit = s.last_exit().filter(|_| !broken);
        Decision::wait(Phase::Starting, joining::started_etcd_just_now(exit)).again_in(s.policy.retry)
    } else {
        let start = Start::Resume { loopback_only: false, server: s.another_server() };
        Decision::act(Phase::Starting, Step::StartMember(start, s.transport()), explain::starts_on_its_data(generation))
    };
    Some(if broken { stays_down(s, decision) } else { decision })
}

/// Reports loudly that its etcd ends again and again, whichever rule waits for it.
fn stays_down(s: &Situation<'_>, decision: Decision) -> Decision {
    let message = explain::does_not_stay_up(&decision.message, s.memory.local.starts.len(), s.last_exit());
    Decision { message, needs_operator: true, ..decision }
}

fn is_broken(s: &Situation<'_>) -> bool {
    let recent = s.memory.local.starts.iter().filter(|at| s.now.since(**at) < s.policy.broken_window).count();
    recent > s.policy.broken_restarts as usize
}

/// The other members' quorum without this node's, proven by a linearizable read through one of them.
fn quorum_without_me<'a>(s: &Situation<'a>) -> Option<&'a Membership> {
    let membership = s.membership()?;
    let mine = s.data().and_then(|d| d.member)?;
    let others = membership.voters().filter(|m| m.id != mine && s.is_healthy(m.id)).count();
    let voters = membership.voters().count();
    (membership.via != mine && quorum::survives_removal(voters, others)).then_some(membership)
}

/// Has a member that stays broken join again fresh, and restarts one that does not answer; both only while the others have quorum without it.
pub(in crate::planner) fn mend(s: &Situation<'_>) -> Option<Decision> {
    let membership = quorum_without_me(s)?;
    let member = s.data().and_then(|d| d.member).and_then(|id| membership.get(id))?;
    if s.is_stopped() && is_broken(s) && !version::would_fail_again(s) {
        return Some(change::removal(s, Phase::Voter, member, removing::own_broken(member)));
    }
    let silent = s.for_how_long(s.memory.local.silent_since);
    if s.runs() && silent >= s.policy.frozen_after {
        let step = Step::StopMember(StopReason::NotAnswering);
        return Some(Decision::act(Phase::Voter, step, explain::restarts_frozen()).under_lock(LockPurpose::RestartFrozen));
    }
    None
}

/// Nothing is to be done. The sentence also says what is known of this instance's future, even where that changes nothing.
pub(in crate::planner) fn idle(s: &Situation<'_>) -> Option<Decision> {
    at_rest(s).map(|decision| members::noted(s, phase::with_remarks(s, decision)))
}

/// Its member has answered since its process started.
fn has_answered(s: &Situation<'_>) -> bool {
    match s.seen.local.process.fresh() {
        Some(Process::Running { since, .. }) => s.memory.local.answered.is_some_and(|at| at >= *since),
        _ => false,
    }
}

fn at_rest(s: &Situation<'_>) -> Option<Decision> {
    let phase = phase::phase_of_member(s);
    let soon = s.policy.retry / 2;
    let wait = |wait| Some(Decision::wait(phase, wait));
    match s.membership() {
        None if s.runs() && s.seen.etcd.refused.is_some() => wait(explain::refuses_this_agent(&no_quorum::why(s))),
        None if s.runs() && s.for_how_long(s.memory.quorum.absent_since) >= s.policy.quorum_loss_grace => {
            Some(Decision::halt(phase, explain::no_quorum_for_long(&no_quorum::why(s))))
        }
        None if s.runs() => wait(explain::no_quorum_answers(&no_quorum::why(s))).map(|d| d.again_in(soon)),
        Some(_) if s.runs() && s.my_member().is_some_and(|m| !m.learner && s.status(m.id).is_none()) => {
            wait(explain::own_etcd_is_silent(has_answered(s))).map(|d| d.again_in(soon))
        }
        Some(membership) if s.my_member().is_some_and(|m| !m.learner) => {
            let voters = membership.voters().count();
            let leader = membership.leader.and_then(|l| membership.get(l)).and_then(|m| s.instance_of(m));
            let newcomers = s.leads() && s.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.phase.is_on_its_way_in());
            let decision = Some(Decision::rest(phase, explain::serves(voters, leader.as_ref())));
            if newcomers { decision.map(|d| d.again_in(soon)) } else { decision }
        }
        Some(_) if s.my_member().is_some() => wait(explain::awaits_promotion()).map(|d| d.again_in(soon)),
        _ if s.runs() => wait(explain::is_not_shown_yet()).map(|d| d.again_in(soon)),
        _ => None,
    }
}
