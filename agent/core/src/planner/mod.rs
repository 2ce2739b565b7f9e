//! The decision: from what is seen and remembered to at most one step and its explanation.
//!
//! The tables of rules are ordered; the first rule that applies wins. A rule (`rules/`) knows no other rule. What several of them ask or do is in
//! `subjects/`, one module for each subject, and only the tables here, in `parts.rs` and in `leaving.rs` combine rules. A rule declares that it needs the
//! lock; the code here takes, renews and releases it.

mod decision;
mod leaving;
mod parts;
mod rules;
mod subjects;

use crate::explain::{self, Wait};
use crate::memory::{BackoffKey, Memory};
use crate::observation::{Lock, Observation};
use crate::plan::{Plan, Step};
use crate::policy::Policy;
use crate::report::{Phase, Report, RuleId};
use crate::role::Role;
use crate::situation::Situation;
use crate::time::Timestamp;

use decision::Decision;
use rules::{
    admission, hooks, join, join_server, learner, node, pause, prune, reattached_volume, reboot, rotation, serve, snapshots, stand_in,
    targets, worker,
};
use subjects::{certificates, charter, cover, disk, version};

pub(crate) use rules::found::{awaits_tagged, may_claim};
pub(crate) use subjects::admission::{admission as admission_now, seeks_admission};
pub(crate) use subjects::dead::{others_may_have_acted_until, place_of_the_dead};
pub(crate) use subjects::joining::is_up_to_this_node;
pub(crate) use subjects::learner::watched_learner;
pub(crate) use subjects::loss::{facts_of_recovery, loses_quorum_for_good};
pub(crate) use subjects::restore::{of_lineage, why_not};
pub(crate) use subjects::retire::nobody_is_served;
pub(crate) use subjects::version::refusal;
pub(crate) use subjects::worker::lacks_server;

/// One rule: its name for reports and tests, and what it decides when it applies.
struct Rule {
    id: RuleId,
    decide: fn(&Situation<'_>) -> Option<Decision>,
}

/// The agent itself runs etcd.
const ETCD_RULES: &[Rule] = &[
    Rule { id: RuleId::Heartbeat, decide: hooks::heartbeat },
    Rule { id: RuleId::Paused, decide: pause::decide },
    Rule { id: RuleId::DeregisterTarget, decide: targets::deregister },
    Rule { id: RuleId::Leave, decide: leaving::of_member },
    Rule { id: RuleId::Reboot, decide: reboot::decide },
    Rule { id: RuleId::Warm, decide: serve::warm },
    Rule { id: RuleId::DamagedMemory, decide: serve::damaged_memory },
    Rule { id: RuleId::ReattachedVolume, decide: reattached_volume::adopt },
    Rule { id: RuleId::UnprovenDisk, decide: serve::unproven_disk },
    Rule { id: RuleId::BrokenCharter, decide: charter::broken },
    Rule { id: RuleId::VanishedRecord, decide: charter::rewrite_vanished },
    Rule { id: RuleId::Recover, decide: parts::recover },
    Rule { id: RuleId::Found, decide: parts::found },
    Rule { id: RuleId::NotPermitted, decide: serve::not_permitted },
    Rule { id: RuleId::Superseded, decide: disk::superseded },
    Rule { id: RuleId::Resume, decide: serve::resume },
    Rule { id: RuleId::BrokenMember, decide: serve::mend },
    Rule { id: RuleId::NewAddress, decide: reattached_volume::update_peer_url },
    Rule { id: RuleId::LaunchHook, decide: hooks::complete_launch },
    Rule { id: RuleId::Snapshot, decide: snapshots::due },
    Rule { id: RuleId::GiveUpJoin, decide: join::give_up },
    Rule { id: RuleId::Join, decide: join::decide },
    Rule { id: RuleId::Prune, decide: prune::departed_voter },
    Rule { id: RuleId::Stranger, decide: prune::unstarted_stranger },
    Rule { id: RuleId::DeadHooks, decide: prune::hooks_of_the_dead },
    Rule { id: RuleId::StuckLearner, decide: learner::stuck_learner },
    Rule { id: RuleId::CharterVoters, decide: rules::charter::reconcile },
    Rule { id: RuleId::Prune, decide: prune::departed_voter_is_needed },
    Rule { id: RuleId::Promote, decide: learner::promote },
    Rule { id: RuleId::RotateAuthority, decide: rotation::carry_on },
    Rule { id: RuleId::ReloadAuthorities, decide: rotation::reload },
    Rule { id: RuleId::StandIn, decide: stand_in::take_over },
    Rule { id: RuleId::PruneSnapshots, decide: snapshots::prune },
    Rule { id: RuleId::Drill, decide: snapshots::drill },
    Rule { id: RuleId::Serve, decide: serve::idle },
];

/// A distribution runs the member, and a Node belongs to it.
const SERVER_RULES: &[Rule] = &[
    Rule { id: RuleId::Heartbeat, decide: hooks::heartbeat },
    Rule { id: RuleId::Paused, decide: pause::decide },
    Rule { id: RuleId::PointAtServer, decide: node::point_at_another },
    Rule { id: RuleId::DeregisterTarget, decide: targets::deregister },
    Rule { id: RuleId::Leave, decide: leaving::of_server },
    Rule { id: RuleId::Reboot, decide: reboot::decide },
    Rule { id: RuleId::Warm, decide: serve::warm },
    Rule { id: RuleId::DamagedMemory, decide: serve::damaged_memory },
    Rule { id: RuleId::ReattachedVolume, decide: reattached_volume::adopt },
    Rule { id: RuleId::UnprovenDisk, decide: serve::unproven_disk },
    Rule { id: RuleId::BrokenCharter, decide: charter::broken },
    Rule { id: RuleId::VanishedRecord, decide: charter::rewrite_vanished },
    Rule { id: RuleId::Recover, decide: parts::recover },
    Rule { id: RuleId::Found, decide: parts::found },
    Rule { id: RuleId::NotPermitted, decide: serve::not_permitted },
    Rule { id: RuleId::Superseded, decide: disk::superseded },
    Rule { id: RuleId::Resume, decide: serve::resume },
    Rule { id: RuleId::BrokenMember, decide: serve::mend },
    Rule { id: RuleId::LaunchHook, decide: hooks::complete_launch },
    Rule { id: RuleId::Snapshot, decide: snapshots::due },
    Rule { id: RuleId::GiveUpJoin, decide: join::give_up },
    Rule { id: RuleId::Join, decide: join_server::decide },
    Rule { id: RuleId::Prune, decide: prune::departed_voter },
    Rule { id: RuleId::Stranger, decide: prune::unstarted_stranger },
    Rule { id: RuleId::DeadHooks, decide: prune::hooks_of_the_dead },
    Rule { id: RuleId::StuckLearner, decide: learner::stuck_learner },
    Rule { id: RuleId::CharterVoters, decide: rules::charter::reconcile },
    Rule { id: RuleId::Prune, decide: prune::departed_voter_is_needed },
    Rule { id: RuleId::Promote, decide: learner::promote },
    Rule { id: RuleId::Admit, decide: admission::admit },
    Rule { id: RuleId::DeadNodes, decide: node::nodes_of_the_dead },
    Rule { id: RuleId::Uncordon, decide: node::uncordon },
    Rule { id: RuleId::StandIn, decide: stand_in::take_over },
    Rule { id: RuleId::PruneSnapshots, decide: snapshots::prune },
    Rule { id: RuleId::Drill, decide: snapshots::drill },
    Rule { id: RuleId::Serve, decide: serve::idle },
];

/// A worker has no member: no charter, quorum or lock is asked for.
const WORKER_RULES: &[Rule] = &[
    Rule { id: RuleId::Heartbeat, decide: hooks::heartbeat },
    Rule { id: RuleId::Paused, decide: pause::decide },
    Rule { id: RuleId::DeregisterTarget, decide: targets::deregister },
    Rule { id: RuleId::Leave, decide: worker::leave },
    Rule { id: RuleId::Reboot, decide: worker::reboot },
    Rule { id: RuleId::Warm, decide: serve::warm },
    Rule { id: RuleId::UnknownProcess, decide: worker::unknown_process },
    Rule { id: RuleId::GiveUpJoin, decide: worker::give_up },
    Rule { id: RuleId::Start, decide: worker::start },
    Rule { id: RuleId::Reattach, decide: worker::reattach },
    Rule { id: RuleId::LaunchHook, decide: worker::complete_launch },
    Rule { id: RuleId::Uncordon, decide: node::uncordon },
    Rule { id: RuleId::Serve, decide: worker::idle },
];

/// Decides the next step.
///
/// # Flow
/// Facts are derived from what was seen and remembered, and the first rule of the table that applies decides. The cluster-wide lock is taken
/// before a step that needs it, and released when the decision does not need it.
///
/// # Guarantees
/// Deterministic: the same arguments give the same plan. At most one step, which leaves its execution no choice.
///
/// # Assumptions
/// `memory` has absorbed this very observation ([`crate::tracker::absorb`]).
pub fn plan(observation: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> Plan {
    let situation = Situation::new(observation, memory, policy, now);
    let (rule, decision) = decide(&situation);
    let decision = certificates::guard(&situation, version::guard(&situation, decision));
    with_lock(&situation, rule, cover::before_change(&situation, decision))
}

fn decide(s: &Situation<'_>) -> (RuleId, Decision) {
    let rules = match s.seen.me.role {
        Role::Etcd => ETCD_RULES,
        Role::ControlPlane => SERVER_RULES,
        Role::Worker => WORKER_RULES,
    };
    let found = rules.iter().find_map(|rule| (rule.decide)(s).map(|decision| (rule.id, decision)));
    found.unwrap_or_else(|| (RuleId::None, Decision::wait(Phase::Starting, explain::nothing_is_known())))
}

fn with_lock(s: &Situation<'_>, rule: RuleId, decision: Decision) -> Plan {
    let Some(purpose) = decision.lock else {
        let step = decision.step.clone().or_else(|| release(s));
        return told(s, rule, Decision { step, ..decision });
    };
    let awaits = |wait: Wait| Decision { step: None, message: wait.message, awaits: Some(wait.awaits), ..decision.clone() };
    let decision = match s.lock() {
        Some(Lock::Mine { remaining }) if *remaining * 2 < s.policy.lock_ttl => {
            Decision { step: s.via_any().map(|via| Step::RenewLock { via }), ..decision }
        }
        Some(Lock::Mine { .. }) => decision,
        Some(Lock::Free) if s.memory.waits(BackoffKey::Lock, s.now) => awaits(explain::lock::was_refused(&decision.message)),
        Some(Lock::Free) => Decision { step: s.via_any().map(|via| Step::AcquireLock { via, purpose }), ..decision },
        Some(Lock::Other { holder, purpose }) => {
            awaits(explain::lock::is_held(&decision.message, holder, purpose)).again_in(s.policy.retry)
        }
        None => awaits(explain::lock::was_not_read(&decision.message)),
    };
    told(s, rule, decision)
}

fn told(s: &Situation<'_>, rule: RuleId, decision: Decision) -> Plan {
    let Decision { phase, step, message, awaits, until, needs_operator, look_again, lock: _ } = decision;
    let awaits = awaits.filter(|_| step.is_none());
    let suspended = awaits.map(|awaits| s.suspended(awaits.reason.relies_on())).unwrap_or_default();
    let message = if suspended.is_empty() { message } else { explain::waiting::while_suspended(&message, &suspended) };
    let needs_operator = needs_operator || awaits.is_some_and(|awaits| s.policy.patience(awaits.reason).is_zero());
    let report = Report { phase, rule, message, awaits, overdue: None, until, needs_operator };
    Plan { step, report, look_again: look_again.unwrap_or(s.policy.cycle) }
}

fn release(s: &Situation<'_>) -> Option<Step> {
    if !s.holds_lock() {
        return None;
    }
    s.via_any().map(|via| Step::ReleaseLock { via })
}
