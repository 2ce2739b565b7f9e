//! The decision: what is seen and remembered in, at most one step and its explanation out.
//!
//! Ordered tables of rules; the first that applies wins. A rule (`rules/`) knows no other rule: what several of them ask or do stands in one module for
//! each subject (`subjects/`), and only the tables here, in `parts.rs` and in `leaving.rs` put rules together. The lock is declared by a rule, and taken, renewed and
//! given back here.

mod decision;
mod leaving;
mod parts;
mod rules;
mod subjects;

use crate::memory::{BackoffKey, Memory};
use crate::observation::{Lock, Observation};
use crate::plan::{Plan, Step};
use crate::policy::Policy;
use crate::report::{Phase, Report};
use crate::role::Role;
use crate::situation::Situation;
use crate::time::Timestamp;

use decision::Decision;
use rules::{admission, hooks, join, learner, moved_volume, node, pause, prune, reboot, serve, snapshots, targets, worker};
use subjects::{charter, cover, disk, version};

pub(crate) use rules::found::{awaits_tagged, may_claim};
pub(crate) use rules::join::is_up_to_this_node;
pub(crate) use subjects::admission::{admission as admission_now, seeks_admission};
pub(crate) use subjects::dead::{others_may_have_acted_until, place_of_the_dead};
pub(crate) use subjects::learner::watched_learner;
pub(crate) use subjects::loss::{facts_of_recovery, loses_quorum_for_good};
pub(crate) use subjects::restore::{of_lineage, why_not};
pub(crate) use subjects::retire::nobody_is_served;
pub(crate) use subjects::version::refusal;
pub(crate) use subjects::worker::lacks_server;

/// One rule: a name for reports and tests, and what it decides when it applies.
struct Rule {
    name: &'static str,
    decide: fn(&Situation<'_>) -> Option<Decision>,
}

const RULES: &[Rule] = &[
    Rule { name: "heartbeat", decide: hooks::heartbeat },
    Rule { name: "paused", decide: pause::decide },
    Rule { name: "point-at-server", decide: node::point_at_another },
    Rule { name: "deregister-target", decide: targets::deregister },
    Rule { name: "leave", decide: leaving::decide },
    Rule { name: "reboot", decide: reboot::decide },
    Rule { name: "warm", decide: serve::warm },
    Rule { name: "moved-volume", decide: moved_volume::adopt },
    Rule { name: "unproven-disk", decide: serve::unproven_disk },
    Rule { name: "broken-charter", decide: charter::broken },
    Rule { name: "vanished-record", decide: charter::rewrite_vanished },
    Rule { name: "recover", decide: parts::recover },
    Rule { name: "found", decide: parts::found },
    Rule { name: "not-permitted", decide: serve::not_permitted },
    Rule { name: "superseded", decide: disk::superseded },
    Rule { name: "resume", decide: serve::resume },
    Rule { name: "broken-member", decide: serve::mend },
    Rule { name: "new-address", decide: moved_volume::update_peer_url },
    Rule { name: "launch-hook", decide: hooks::complete_launch },
    Rule { name: "snapshot", decide: snapshots::due },
    Rule { name: "give-up-join", decide: join::give_up },
    Rule { name: "join", decide: join::decide },
    Rule { name: "prune", decide: prune::departed_voter },
    Rule { name: "dead-hooks", decide: prune::hooks_of_the_dead },
    Rule { name: "stuck-learner", decide: learner::stuck_learner },
    Rule { name: "charter-voters", decide: rules::charter::reconcile },
    Rule { name: "promote", decide: learner::promote },
    Rule { name: "admit", decide: admission::admit },
    Rule { name: "dead-nodes", decide: node::nodes_of_the_dead },
    Rule { name: "uncordon", decide: node::uncordon },
    Rule { name: "prune-snapshots", decide: snapshots::prune },
    Rule { name: "drill", decide: snapshots::drill },
    Rule { name: "serve", decide: serve::idle },
];

/// A worker has no member: no charter, quorum or lock is asked for.
const WORKER_RULES: &[Rule] = &[
    Rule { name: "heartbeat", decide: hooks::heartbeat },
    Rule { name: "paused", decide: pause::decide },
    Rule { name: "deregister-target", decide: targets::deregister },
    Rule { name: "leave", decide: worker::leave },
    Rule { name: "reboot", decide: worker::reboot },
    Rule { name: "warm", decide: serve::warm },
    Rule { name: "unknown-process", decide: worker::unknown_process },
    Rule { name: "give-up-join", decide: worker::give_up },
    Rule { name: "start", decide: worker::start },
    Rule { name: "reattach", decide: worker::reattach },
    Rule { name: "launch-hook", decide: worker::complete_launch },
    Rule { name: "uncordon", decide: node::uncordon },
    Rule { name: "serve", decide: worker::idle },
];

/// Decides the next step.
///
/// # Flow
/// Facts are derived from what was seen and remembered; the first rule of the table that applies decides; a step that needs the
/// cluster-wide lock is preceded by taking it; a lock that the decision does not need is given back.
///
/// # Guarantees
/// Deterministic: the same arguments give the same plan. At most one step, which leaves its execution no choice.
///
/// # Assumptions
/// `memory` has absorbed this very observation ([`crate::tracker::absorb`]).
pub fn plan(observation: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> Plan {
    let situation = Situation::new(observation, memory, policy, now);
    let (name, decision) = decide(&situation);
    let decision = version::guard(&situation, decision);
    with_lock(&situation, name, cover::before_change(&situation, decision))
}

fn decide(s: &Situation<'_>) -> (&'static str, Decision) {
    let rules = if s.seen.me.role == Role::Worker { WORKER_RULES } else { RULES };
    let found = rules.iter().find_map(|rule| (rule.decide)(s).map(|decision| (rule.name, decision)));
    found.unwrap_or_else(|| ("none", Decision::wait(Phase::Starting, "nothing is known yet that would allow a decision")))
}

fn with_lock(s: &Situation<'_>, rule: &'static str, decision: Decision) -> Plan {
    let until = decision.until;
    let report = |says| Report { phase: decision.phase, rule, says, until, needs_operator: decision.needs_operator };
    let plan = |step, says| Plan { step, report: report(says), look_again: decision.look_again.unwrap_or(s.policy.cycle) };
    let Some(purpose) = decision.lock else {
        let step = decision.step.clone().or_else(|| release(s));
        return plan(step, decision.says.clone());
    };
    match s.lock() {
        Some(Lock::Mine { remaining }) if *remaining * 2 < s.policy.lock_ttl => {
            plan(s.via_any().map(|via| Step::RenewLock { via }), decision.says.clone())
        }
        Some(Lock::Mine { .. }) => plan(decision.step.clone(), decision.says.clone()),
        Some(Lock::Free) if s.memory.waits(BackoffKey::Lock, s.now) => {
            plan(None, format!("{}; the lock was refused a moment ago", decision.says).into())
        }
        Some(Lock::Free) => plan(s.via_any().map(|via| Step::AcquireLock { via, purpose }), decision.says.clone()),
        Some(Lock::Other { holder, purpose }) => {
            let says = format!("{}; waits for the lock that {holder} holds to {purpose}", decision.says);
            Plan { look_again: s.policy.retry, ..plan(None, says.into()) }
        }
        None => plan(None, format!("{}; waits for the lock, which could not be read", decision.says).into()),
    }
}

fn release(s: &Situation<'_>) -> Option<Step> {
    if !s.holds_lock() {
        return None;
    }
    s.via_any().map(|via| Step::ReleaseLock { via })
}
