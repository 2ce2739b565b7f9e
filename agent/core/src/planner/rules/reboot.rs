//! A reboot keeps the membership: the leadership is handed over and etcd is stopped cleanly, while the others have quorum without it.

use crate::explain::{Message, Wait, rebooting as explain};
use crate::memory::BackoffKey;
use crate::observation::{Member, Membership, ShutdownKind};
use crate::plan::{LockPurpose, Step, StopReason, Via};
use crate::quorum;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{no_quorum, node};

pub(in crate::planner) fn decide(s: &Situation<'_>) -> Option<Decision> {
    let shutdown = s.seen.local.shutdown.filter(|shutdown| shutdown.kind == ShutdownKind::Reboot)?;
    let until = Some(shutdown.deadline);
    if s.is_stopped() {
        return Some(Decision::rest(Phase::Resting, explain::etcd_is_stopped()));
    }
    if let Some(cordon) = node::before_reboot(s) {
        return Some(cordon.until(until));
    }
    if !s.runs() {
        let why = s.seen.local.process.why_not_fresh();
        return Some(wait(s, explain::process_is_unknown(&why)).until(until));
    }
    let Some(membership) = s.membership() else {
        return Some(wait(s, explain::no_quorum_answers(&no_quorum::why(s))).until(until));
    };
    Some(match s.my_member().filter(|m| !m.learner) {
        Some(me) if membership.voters().any(|m| m.id != me.id) => rest(s, membership, me).until(until),
        _ => stop(explain::stops_alone()).until(until),
    })
}

fn rest(s: &Situation<'_>, membership: &Membership, me: &Member) -> Decision {
    let healthy = membership.voters().filter(|m| m.id != me.id && s.is_healthy(m.id)).count();
    let voters = membership.voters().count();
    if !quorum::has_quorum(voters, healthy) {
        return wait(s, explain::too_few_are_healthy(healthy, voters - 1));
    }
    let Some(heir) = s.via_other() else { return wait(s, explain::no_other_voter_answers()) };
    if membership.leader != Some(me.id) {
        return stop(explain::stops()).under_lock(LockPurpose::Reboot);
    }
    match me.client_url {
        Some(_) if s.memory.waits(BackoffKey::MoveLeader, s.now) => wait(s, explain::etcd_refused_to_hand_over()),
        Some(url) => {
            let message = explain::hands_over(heir.member);
            Decision::act(Phase::Voter, Step::MoveLeader { via: Via::new(me.id, url), to: heir.member }, message)
                .under_lock(LockPurpose::Reboot)
        }
        None => wait(s, explain::has_no_client_address()),
    }
}

fn stop(message: Message) -> Decision {
    Decision::act(Phase::Voter, Step::StopMember(StopReason::Reboot), message)
}

fn wait(s: &Situation<'_>, wait: Wait) -> Decision {
    Decision::wait(Phase::Voter, wait).again_in(s.policy.retry)
}
