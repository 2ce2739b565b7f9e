//! A reboot keeps the membership: the leadership is handed over and etcd stopped cleanly, while the others have quorum without it.

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
        return Some(Decision::wait(Phase::Resting, "its etcd is stopped for the reboot"));
    }
    if let Some(cordon) = node::before_reboot(s) {
        return Some(cordon.until(until));
    }
    if !s.runs() {
        let why = s.seen.local.process.why_not_fresh();
        return Some(wait(s, format!("reboots, but whether its etcd runs is not known: {why}")).until(until));
    }
    let Some(membership) = s.membership() else {
        return Some(wait(s, format!("reboots, but no quorum answers: {}", no_quorum::why(s))).until(until));
    };
    Some(match s.my_member().filter(|m| !m.learner) {
        Some(me) if membership.voters().any(|m| m.id != me.id) => rest(s, membership, me).until(until),
        _ => stop("stops etcd for the reboot: nobody else depends on it").until(until),
    })
}

fn rest(s: &Situation<'_>, membership: &Membership, me: &Member) -> Decision {
    let healthy = membership.voters().filter(|m| m.id != me.id && s.is_healthy(m.id)).count();
    let voters = membership.voters().count();
    if !quorum::has_quorum(voters, healthy) {
        return wait(s, format!("reboots, but the {healthy} healthy of the other {} voters are no quorum", voters - 1));
    }
    let Some(heir) = s.via_other() else { return wait(s, "reboots, but no other voter answers".to_owned()) };
    if membership.leader != Some(me.id) {
        return stop("stops etcd for the reboot; it comes back as the same member").under_lock(LockPurpose::Reboot);
    }
    match me.client_url {
        Some(_) if s.memory.waits(BackoffKey::MoveLeader, s.now) => {
            wait(s, "reboots; etcd refused to move the leadership a moment ago".to_owned())
        }
        Some(url) => {
            let says = format!("reboots: hands the leadership to {}", heir.member);
            Decision::act(Phase::Voter, Step::MoveLeader { via: Via::new(me.id, url), to: heir.member }, says)
                .under_lock(LockPurpose::Reboot)
        }
        None => wait(s, "reboots; its own member has no client address yet".to_owned()),
    }
}

fn stop(says: &'static str) -> Decision {
    Decision::act(Phase::Voter, Step::StopMember(StopReason::Reboot), says)
}

fn wait(s: &Situation<'_>, says: String) -> Decision {
    Decision::wait(Phase::Voter, says).again_in(s.policy.retry)
}
