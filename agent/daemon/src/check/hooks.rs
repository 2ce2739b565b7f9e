//! The lifecycle hooks, and whether their timeouts leave enough time for what they guard.

use std::time::Duration;

use quorate_core::observation::Transition;
use quorate_core::policy::Policy;

use crate::adapters::aws::autoscaling::FoundHook;
use crate::config::Settings;

use super::finding::Finding;
use super::node::Parts;

/// How many `leave_margin`s the agent reserves for the leave itself (`planner::leave`).
const MARGINS: u32 = 3;

/// What a hook is compared with.
#[derive(Clone, Copy, Debug)]
struct Needs {
    /// Heartbeats go out after a third of the timeout, so two may be lost; each takes at most a cycle and a call.
    heartbeat: Duration,
    join: Duration,
    leave: Duration,
    /// What the leave consists of.
    leaving: &'static str,
}

impl Needs {
    /// The needs of this role. A Node is drained while the leave waits for the replacement: both begin with the leave.
    fn of(parts: &Parts, policy: &Policy, call: Duration) -> Self {
        let waits = if parts.awaits_replacement { policy.replacement_patience } else { Duration::ZERO };
        let drains = if parts.role.has_node() { policy.drain.budget } else { Duration::ZERO };
        let leave = waits.max(drains) + policy.leave_margin * MARGINS;
        Self { heartbeat: (policy.cycle + call) * 3, join: policy.join_deadline + policy.leave_margin, leave, leaving: leaving(parts) }
    }
}

fn leaving(parts: &Parts) -> &'static str {
    match (parts.awaits_replacement, parts.role.has_node()) {
        (true, true) => "draining, waiting for a replacement and leaving may take",
        (true, false) => "waiting for a replacement and leaving may take",
        (false, _) => "draining and leaving may take",
    }
}

/// Judges the hooks of this instance's group.
pub(super) fn judge(parts: &Parts, found: &[FoundHook], settings: &Settings) -> Vec<Finding> {
    let needs = Needs::of(parts, &settings.policy, settings.aws.call_timeout);
    let (ours, others): (Vec<_>, Vec<_>) = found.iter().partition(|hook| settings.aws.hook_pattern.matches(&hook.name));
    let of = |transition| ours.iter().filter(move |hook| hook.transition == Some(transition));
    let mut findings: Vec<_> = of(Transition::Launching).map(|hook| launching(hook, needs)).collect();
    findings.extend(of(Transition::Launching).next().is_none().then(no_launch_hook));
    findings.extend(of(Transition::Terminating).map(|hook| terminating(hook, needs)));
    findings.extend(of(Transition::Terminating).next().is_none().then(|| no_termination_hook(&settings.policy)));
    findings.extend(ours.iter().filter(|hook| hook.transition.is_none()).map(|hook| {
        Finding::warning(name(hook), "guards a transition that quorate does not know", "if it is not quorate's, give it another name")
    }));
    if !others.is_empty() {
        let names: Vec<_> = others.iter().map(|hook| hook.name.as_str()).collect();
        findings.push(Finding::ok("hooks of others", format!("{}: never touched, but instances wait for them too", names.join(", "))));
    }
    findings
}

fn name(hook: &FoundHook) -> String {
    format!("hook {}", hook.name)
}

fn no_launch_hook() -> Finding {
    let remedy = "add quorate-launch for autoscaling:EC2_INSTANCE_LAUNCHING, heartbeat timeout 300 s, default ABANDON, to the group's own definition";
    let found = "none: a new instance counts as in service before it has joined, and a refresh may take the next one too early";
    Finding::warning("launch hook", found, remedy)
}

fn no_termination_hook(policy: &Policy) -> Finding {
    let remedy = "add quorate-terminate for autoscaling:EC2_INSTANCE_TERMINATING, heartbeat timeout 300 s, default CONTINUE, to the group's own definition";
    let found = format!("none: an instance that its group terminates has at most {:?} to leave", policy.unhooked_leave);
    Finding::problem("termination hook", found, remedy)
}

fn launching(hook: &FoundHook, needs: Needs) -> Finding {
    if let Some(finding) = too_quick(hook, needs) {
        return finding;
    }
    if hook.default_result != "ABANDON" {
        let remedy = "make its default result ABANDON: with CONTINUE a node that could not join still goes into service";
        return Finding::warning(name(hook), format!("its default result is {}", hook.default_result), remedy);
    }
    capped(hook, needs.join, "a join may take")
}

fn terminating(hook: &FoundHook, needs: Needs) -> Finding {
    too_quick(hook, needs).unwrap_or_else(|| capped(hook, needs.leave, needs.leaving))
}

fn too_quick(hook: &FoundHook, needs: Needs) -> Option<Finding> {
    let short = hook.heartbeat_timeout < needs.heartbeat;
    short.then(|| {
        let found = format!("heartbeat timeout {:?}: one slow call, and the action has timed out", hook.heartbeat_timeout);
        Finding::problem(name(hook), found, format!("give it at least {:?}; 300 s is good", needs.heartbeat))
    })
}

/// Judges a hook's cap: heartbeats keep an action open only up to it.
fn capped(hook: &FoundHook, needed: Duration, what: &str) -> Finding {
    let FoundHook { heartbeat_timeout, global_timeout, default_result, .. } = hook;
    if *global_timeout >= needed {
        let found = format!("heartbeat timeout {heartbeat_timeout:?}, kept open for at most {global_timeout:?}, default {default_result}");
        return Finding::ok(name(hook), found);
    }
    let remedy =
        format!("give it a heartbeat timeout of at least {} s: the cap is a hundred of them", needed.as_secs().div_ceil(100).max(30));
    Finding::warning(name(hook), format!("kept open for at most {global_timeout:?}, but {what} {needed:?}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem, Warning};
    use quorate_core::role::Role;

    fn hook(name: &str, transition: Transition, heartbeat: u64) -> FoundHook {
        let heartbeat_timeout = Duration::from_secs(heartbeat);
        let default_result = if transition == Transition::Launching { "ABANDON" } else { "CONTINUE" }.to_owned();
        FoundHook {
            name: name.into(),
            transition: Some(transition),
            heartbeat_timeout,
            global_timeout: heartbeat_timeout * 100,
            default_result,
        }
    }

    fn pair(heartbeat: u64) -> Vec<FoundHook> {
        vec![hook("quorate-launch", Transition::Launching, heartbeat), hook("quorate-terminate", Transition::Terminating, heartbeat)]
    }

    fn findings(hooks: &[FoundHook]) -> Vec<Finding> {
        judge(Parts::of(Role::Etcd), hooks, &Settings::parse("").unwrap())
    }

    fn verdicts(hooks: &[FoundHook]) -> Vec<crate::check::finding::Verdict> {
        findings(hooks).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn the_shipped_hooks_are_well() {
        assert_eq!(verdicts(&pair(300)), [Fine, Fine]);
        assert_eq!(verdicts(&pair(30)), [Fine, Fine], "AWS accepts no shorter one");
    }

    #[test]
    fn a_missing_hook_is_missed() {
        assert_eq!(verdicts(&[]), [Warning, Problem]);
        assert_eq!(verdicts(&pair(300)[1..]), [Warning, Fine]);
        assert_eq!(verdicts(&pair(300)[..1]), [Fine, Problem]);
    }

    /// Cycle 2 s and call 5 s: a third of 21 s is the least that survives a slow call.
    #[test]
    fn a_heartbeat_timeout_of_three_cycles_with_their_calls_is_the_least() {
        assert_eq!(verdicts(&pair(21)), [Fine, Fine]);
        assert_eq!(verdicts(&pair(20)), [Problem, Problem]);
        assert!(findings(&pair(20))[0].remedy.as_deref().unwrap().contains("21s"));
    }

    #[test]
    fn a_cap_below_what_it_guards_is_told() {
        let mut hooks = pair(300);
        (hooks[0].global_timeout, hooks[1].global_timeout) = (Duration::from_secs(609), Duration::from_secs(329));
        assert_eq!(verdicts(&hooks), [Warning, Warning]);
        (hooks[0].global_timeout, hooks[1].global_timeout) = (Duration::from_secs(610), Duration::from_secs(330));
        assert_eq!(verdicts(&hooks), [Fine, Fine]);
    }

    /// A drain takes 300 s by default, three margins 30 s, and a replacement is waited for meanwhile.
    #[test]
    fn a_node_needs_time_for_its_drain_and_a_worker_awaits_no_replacement() {
        let verdict = |role, settings: &str, cap| {
            let mut hooks = pair(300);
            hooks[1].global_timeout = Duration::from_secs(cap);
            judge(Parts::of(role), &hooks, &Settings::parse(settings).unwrap())[1].verdict
        };
        let (long_drain, long_wait) = ("[kubernetes]\ndrain_budget_s = 600\n", "[timing]\nreplacement_patience_s = 600\n");
        for (role, settings, least) in [
            (Role::Etcd, long_drain, 330),
            (Role::ControlPlane, long_drain, 630),
            (Role::ControlPlane, long_wait, 630),
            (Role::Worker, long_drain, 630),
            (Role::Worker, long_wait, 330),
        ] {
            assert_eq!((verdict(role, settings, least), verdict(role, settings, least - 1)), (Fine, Warning), "{role:?} {settings}");
        }
    }

    #[test]
    fn a_launch_that_continues_by_default_is_told() {
        let mut hooks = pair(300);
        hooks[0].default_result = "CONTINUE".into();
        assert_eq!(verdicts(&hooks), [Warning, Fine]);
    }

    #[test]
    fn hooks_of_others_count_for_nothing_and_are_mentioned() {
        let others = [hook("lambda-drain", Transition::Terminating, 5)];
        assert_eq!(verdicts(&[pair(300), others.to_vec()].concat()), [Fine, Fine, Fine]);
        assert!(findings(&others)[2].found.contains("lambda-drain"));
    }
}
