//! A Kubernetes worker: it joins through any living server, serves, and goes in order. While no API server answers nothing is done to its unit, its
//! pods or its Node, unless its instance goes: workloads outlive the control plane's troubles.

use std::net::IpAddr;

use crate::authority::Pin;
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
        let says = format!("leaves, as {}: stops its kubelet", departure.why);
        return Some(Decision::act(Phase::Leaving, Step::StopMember(StopReason::Left), says).until(departure.deadline));
    }
    Some(completion::has_left(s, &departure))
}

fn is_out_of_time(s: &Situation<'_>, departure: &Departure) -> bool {
    departure.deadline.is_some_and(|deadline| s.now + s.policy.leave_margin >= deadline)
}

/// The node is cordoned and stops with its machine.
pub(in crate::planner) fn reboot(s: &Situation<'_>) -> Option<Decision> {
    s.seen.local.shutdown.filter(|shutdown| shutdown.kind == ShutdownKind::Reboot)?;
    node::before_reboot(s).or_else(|| Some(Decision::wait(Phase::Resting, "its node is as ready for the reboot as it gets")))
}

pub(in crate::planner) fn unknown_process(s: &Situation<'_>) -> Option<Decision> {
    let process = &s.seen.local.process;
    process
        .fresh()
        .is_none()
        .then(|| Decision::wait(Phase::Starting, format!("whether its kubelet runs is not known: {}", process.why_not_fresh())))
}

pub(in crate::planner) fn start(s: &Situation<'_>) -> Option<Decision> {
    if !s.is_stopped() {
        return None;
    }
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Some(
            Decision::wait(Phase::Joining, "started its kubelet a moment ago; waits for it, or to start it again").again_in(s.policy.retry),
        );
    }
    let Some(server) = worker::living_server(s) else {
        let known = s.seen.kubernetes.servers.len();
        let answer = s.seen.kubernetes.servers.iter().filter(|one| one.healthy).count();
        let says = match answer {
            0 => format!("waits for a server: none of the {known} that are known answers"),
            _ => format!("waits for a server at an address that EC2 gives: of the {answer} that answer it has named none"),
        };
        return Some(Decision::wait(Phase::Joining, says).again_in(s.policy.retry));
    };
    Some(join_through(s, server))
}

/// Anything at that address is given the token: what tells that it is a server of this cluster?
fn join_through(s: &Situation<'_>, server: IpAddr) -> Decision {
    let Some(pin) = s.seen.kubernetes.authority.fresh() else {
        let why = s.seen.kubernetes.authority.why_not_fresh();
        let says = format!("waits to read in the store which authority its servers' certificates are signed by: {why}");
        return Decision::wait(Phase::Joining, says).again_in(s.policy.retry);
    };
    let join = |authority, says| Decision::act(Phase::Joining, Step::StartMember(Start::Worker { server, authority }), says);
    match pin {
        Pin::ByToken => join(None, format!("joins through {server}")),
        Pin::ByStore(hash) => {
            join(Some(*hash), format!("joins through {server}, if its certificate is of the authority that the store names"))
        }
        Pin::ByNobody => join(
            None,
            format!("joins through {server}, whoever answers there: neither its token nor the store names the cluster's authority"),
        ),
        Pin::Disputed { token, store } => Decision::halt(
            Phase::Joining,
            format!(
                "does not join: its token names authority {token}, and the store names {store}: one of them is another cluster's; see to kubernetes.token_file"
            ),
        ),
    }
}

/// Every server that its kubelet knew is gone, and others have come in their place: it does not find them by itself. Its pods run on while it starts
/// again. A server's own word that the node is not ready comes first: as long as one answers that the kubelet knows, it is.
pub(in crate::planner) fn reattach(s: &Situation<'_>) -> Option<Decision> {
    // A restored cluster may never have heard of it.
    let unready = s.seen.kubernetes.node.fresh().is_some_and(|node| node.as_ref().is_none_or(|node| !node.ready));
    let known = s.seen.kubernetes.points_at?;
    let server = worker::living_server(s).filter(|server| *server != known && unready && s.runs())?;
    let says = format!("stops its kubelet, which turned to {known}, to start it again through {server}: its pods run on");
    Some(Decision::act(Phase::Joining, Step::StopMember(StopReason::Reattach), says))
}

pub(in crate::planner) fn complete_launch(s: &Situation<'_>) -> Option<Decision> {
    let hook = hooks::open(s, Transition::Launching).find(|h| !s.memory.hook_waits(&h.hook, s.me(), s.now))?;
    node::own(s).filter(|node| node.ready)?;
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Continue };
    Some(Decision::act(Phase::Worker, step, format!("completes launch hook {}: its node is ready", hook.hook)))
}

/// Past the deadline its launch is given up, for its group to try another; but not while no server answers: then another would fare no better.
pub(in crate::planner) fn give_up(s: &Situation<'_>) -> Option<Decision> {
    if !joining::deadline_passed(s) || node::own(s).is_some_and(|node| node.ready) || worker::living_server(s).is_none() {
        return None;
    }
    let hook = hooks::open(s, Transition::Launching).find(|h| !s.memory.hook_waits(&h.hook, s.me(), s.now))?;
    let step = Step::CompleteHook { hook: hook.hook.clone(), instance: s.me().clone(), result: HookResult::Abandon };
    Some(Decision::act(Phase::Joining, step, "abandons its launch: its node did not become ready within its deadline"))
}

pub(in crate::planner) fn idle(s: &Situation<'_>) -> Option<Decision> {
    let says = match node::own(s) {
        Some(node) if node.ready => return Some(Decision::wait(Phase::Worker, "serves as a worker")),
        Some(_) => "its node is not ready yet",
        None if s.memory.servers.api_answered.is_some() && worker::living_server(s).is_none() => {
            return Some(Decision::wait(Phase::Worker, "serves on; no server answers, and nothing is done here until one does"));
        }
        None => "waits for its Node to appear",
    };
    Some(Decision::wait(Phase::Joining, says).again_in(s.policy.retry))
}
