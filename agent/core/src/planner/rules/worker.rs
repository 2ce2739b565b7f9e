//! A Kubernetes worker: it joins through any living server, serves, and leaves in order. While no API server answers nothing is done to its unit, its
//! pods or its Node, unless its instance is leaving: workloads outlive the control plane's troubles.

use std::net::IpAddr;

use crate::authority::Pin;
use crate::explain::hooks::launch_of_a_ready_node;
use crate::explain::worker as explain;
use crate::memory::BackoffKey;
use crate::observation::{ShutdownKind, Transition};
use crate::plan::{HookResult, Start, Step, StopReason};
use crate::report::Phase;
use crate::situation::{Departure, Situation};

use crate::planner::decision::Decision;
use crate::planner::subjects::{completion, departing, hooks, joining, node, targets, worker};

pub(in crate::planner) fn leave(s: &Situation<'_>) -> Option<Decision> {
    let departure = s.departure()?;
    if let Some(drain) = node::drain_before_leaving(s, &departure, departing::reserve(s)).filter(|_| !is_out_of_time(s, &departure)) {
        return Some(targets::meanwhile(s, &departure, drain));
    }
    if s.runs() {
        let message = explain::stops_kubelet(&departure.why);
        return Some(Decision::act(Phase::Leaving, Step::StopMember(StopReason::Left), message).until(departure.deadline));
    }
    Some(completion::has_left(s, &departure))
}

fn is_out_of_time(s: &Situation<'_>, departure: &Departure) -> bool {
    departure.deadline.is_some_and(|deadline| s.now + s.policy.leave_margin >= deadline)
}

/// Cordons the node before it stops with its machine.
pub(in crate::planner) fn reboot(s: &Situation<'_>) -> Option<Decision> {
    s.seen.local.shutdown.filter(|shutdown| shutdown.kind == ShutdownKind::Reboot)?;
    node::before_reboot(s).or_else(|| Some(Decision::rest(Phase::Resting, explain::is_ready_for_the_reboot())))
}

pub(in crate::planner) fn unknown_process(s: &Situation<'_>) -> Option<Decision> {
    let process = &s.seen.local.process;
    process.fresh().is_none().then(|| Decision::wait(Phase::Starting, explain::process_is_unknown(&process.why_not_fresh())))
}

pub(in crate::planner) fn start(s: &Situation<'_>) -> Option<Decision> {
    if !s.is_stopped() {
        return None;
    }
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Some(Decision::wait(Phase::Joining, explain::started_just_now()).again_in(s.policy.retry));
    }
    let Some(server) = worker::living_server(s) else {
        let known = s.seen.kubernetes.servers.len();
        let answer = s.seen.kubernetes.servers.iter().filter(|one| one.healthy).count();
        let wait = match answer {
            0 => explain::no_server_answers(known),
            _ => explain::no_server_is_named(answer),
        };
        return Some(Decision::wait(Phase::Joining, wait).again_in(s.policy.retry));
    };
    Some(join_through(s, server))
}

/// Joins through this server. Any process at that address would be given the token, so something must show that it is a server of this cluster.
fn join_through(s: &Situation<'_>, server: IpAddr) -> Decision {
    let Some(pin) = s.seen.kubernetes.authority.fresh() else {
        let why = s.seen.kubernetes.authority.why_not_fresh();
        return Decision::wait(Phase::Joining, explain::authority_was_not_read(&why)).again_in(s.policy.retry);
    };
    let join =
        |authority, message| Decision::act(Phase::Joining, Step::StartMember(Start::Worker { server, authority }, s.transport()), message);
    match pin {
        Pin::ByToken => join(None, explain::joins(server)),
        Pin::ByStore(hash) => join(Some(*hash), explain::joins_by_the_store(server)),
        Pin::ByNobody => join(None, explain::joins_whoever_answers(server)),
        Pin::Disputed { token, store } => Decision::halt(Phase::Joining, explain::authorities_differ(token, store)),
    }
}

/// Restarts a worker when every server that its kubelet knew is gone and others have replaced them, because it does not find them on its own. Its pods keep
/// running meanwhile. A server must first say that the node is not ready: as long as one that the kubelet knows answers, it is ready.
pub(in crate::planner) fn reattach(s: &Situation<'_>) -> Option<Decision> {
    // A restored cluster may never have heard of it.
    let unready = s.seen.kubernetes.node.fresh().is_some_and(|node| node.as_ref().is_none_or(|node| !node.ready));
    let known = s.seen.kubernetes.points_at?;
    let server = worker::living_server(s).filter(|server| *server != known && unready && s.runs())?;
    Some(Decision::act(Phase::Joining, Step::StopMember(StopReason::Reattach), explain::turns_to(server, known)))
}

pub(in crate::planner) fn complete_launch(s: &Situation<'_>) -> Option<Decision> {
    let hook = hooks::open(s, Transition::Launching).find(|h| !s.memory.hook_waits(&h.hook, s.me(), s.now))?;
    node::own(s).filter(|node| node.ready)?;
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Continue };
    Some(Decision::act(Phase::Worker, step, launch_of_a_ready_node(&hook.hook)))
}

/// Gives up the launch past the deadline, for its group to try another; but not while no server answers, because another would fare no better.
pub(in crate::planner) fn give_up(s: &Situation<'_>) -> Option<Decision> {
    if !joining::deadline_passed(s) || node::own(s).is_some_and(|node| node.ready) || worker::living_server(s).is_none() {
        return None;
    }
    let hook = hooks::open(s, Transition::Launching).find(|h| !s.memory.hook_waits(&h.hook, s.me(), s.now))?;
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Abandon };
    Some(Decision::act(Phase::Joining, step, explain::abandons()))
}

pub(in crate::planner) fn idle(s: &Situation<'_>) -> Option<Decision> {
    let wait = match node::own(s) {
        Some(node) if node.ready => return Some(Decision::rest(Phase::Worker, explain::serves())),
        Some(_) => explain::node_is_not_ready(),
        None if s.memory.servers.api_answered.is_some() && worker::living_server(s).is_none() => {
            return Some(Decision::wait(Phase::Worker, explain::serves_without_a_server()));
        }
        None => explain::node_is_absent(),
    };
    Some(Decision::wait(Phase::Joining, wait).again_in(s.policy.retry))
}
