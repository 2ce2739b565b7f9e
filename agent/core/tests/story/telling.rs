//! What the node decides, in words.

use std::time::Duration;

use quorate_core::charter::{Origin, Record, State};
use quorate_core::engine::{Next, Ready};
use quorate_core::plan::{Plan, Start, Step};
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use quorate_core::{planner, recovery};

use super::effects;
use super::words::Words;
use super::world::World;

/// More steps than this in one `go` are an endless loop.
const MOST: usize = 12;

/// Looks, decides, and asks the gate.
pub(crate) fn decide(world: &mut World) -> Vec<String> {
    let (seen, Ready { plan, next, .. }) = world.decide();
    let again = planner::plan(&seen, world.memory(), world.policy(), world.now);
    let masked = world.full.is_some() && plan.step.is_none();
    assert!(masked || (&plan.step, plan.report.rule) == (&again.step, again.report.rule), "the planner is not deterministic");
    (world.pending, world.refusal) = match next {
        Next::Act(step) => (Some(step), None),
        Next::Refused { refusal, .. } => (None, Some(refusal)),
        Next::Wait { .. } => (None, None),
    };
    let mut told = vec![headline(&plan)];
    if let Some(step) = &plan.step {
        let refusal = world.refusal.as_ref().map(|refusal| format!("; THE GATE REFUSES: {}", refusal.why));
        told.push(format!("    step: {}{}", describe(step), refusal.unwrap_or_default()));
    }
    told.extend(times(&plan, world.now));
    told
}

/// `recover`: what the command of that name would show.
pub(crate) fn recover(world: &mut World) -> Vec<String> {
    let seen = world.look();
    let shown = recovery::of(&seen, world.memory(), world.policy(), world.now).to_string();
    shown.lines().map(|line| format!("    {line}")).collect()
}

/// `go`: decides and does until there is nothing to do, or for `go N` at most N steps.
pub(crate) fn go(world: &mut World, words: &Words<'_>) -> Vec<String> {
    let most = words.all().first().map_or(MOST, |word| usize::try_from(words.number(word)).unwrap());
    let mut told = Vec::new();
    for _ in 0..most {
        told.extend(decide(world));
        let Some(step) = world.pending.take() else { return told };
        effects::carry_out(world, &step);
    }
    if most == MOST {
        words.fail("this never ends");
    }
    told
}

fn headline(plan: &Plan) -> String {
    let report = &plan.report;
    let alarm = if report.needs_operator { " [needs an operator]" } else { "" };
    format!("{} by {}: {}{alarm}", report.phase, report.rule, report.message)
}

fn times(plan: &Plan, now: Timestamp) -> Option<String> {
    let again = plan.step.is_none().then(|| format!("looks again in {}", seconds(plan.look_again)));
    let until = plan.report.until.map(|at| format!("until {} from now", seconds(at.since(now))));
    let both: Vec<String> = again.into_iter().chain(until).collect();
    (!both.is_empty()).then(|| format!("    {}", both.join(", ")))
}

/// To a tenth of a second, so the length of a moment in a story does not show.
fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths.is_multiple_of(10) { format!("{} s", tenths / 10) } else { format!("{}.{} s", tenths / 10, tenths % 10) }
}

fn describe(step: &Step) -> String {
    match step {
        Step::Heartbeat { hook } => format!("send a heartbeat for {hook}"),
        Step::CompleteHook { hook, instance, result } => format!("complete {hook} of {instance} with {result}"),
        Step::CreateRecord(record) => format!("create record {}", describe_record(record)),
        Step::StartMember(start, Transport::Plain) => describe_start(start),
        Step::StartMember(start, Transport::Tls) => format!("{}, with TLS", describe_start(start)),
        Step::StopMember(reason) => format!("stop etcd ({reason:?})"),
        Step::PutDataAside { why } => format!("put the data aside ({why})"),
        Step::AdoptData { owner, member } => format!("label the data of {owner}, member {member}, as its own"),
        Step::UpdatePeerUrl { via, member, peer_url } => format!("list member {member} at {peer_url} through {}", via.member),
        Step::RestoreOwnData { generation, token, .. } => format!("restore its own data as generation {generation} with token {token}"),
        Step::FetchSnapshot { key } => format!("fetch snapshot {key}"),
        Step::RestoreSnapshot { key, generation, token, .. } => {
            format!("restore snapshot {key} as generation {generation} with token {token}")
        }
        Step::DropSuperseded => "move the superseded data to the trash".to_owned(),
        Step::AcquireLock { via, purpose } => format!("take the lock through {} to {purpose}", via.member),
        Step::RenewLock { via } => format!("renew the lock through {}", via.member),
        Step::ReleaseLock { via } => format!("give the lock back through {}", via.member),
        Step::AddLearner { via, peer_url } => format!("add learner {peer_url} through {}", via.member),
        Step::Promote { via, member } => format!("promote {member} through {}", via.member),
        Step::RemoveMember { via, member } => format!("remove {member} through {}", via.member),
        Step::MoveLeader { via, to } => format!("move the leadership from {} to {to}", via.member),
        Step::ReportUnhealthy => "report itself unhealthy".to_owned(),
        Step::ForgetOrder => "forget the order".to_owned(),
        Step::SetPause { via, pause } => format!("write the cluster's pause of {} through {}", pause.by, via.member),
        Step::Node(step) => step.to_string(),
        Step::DeregisterTarget { group } => format!("deregister this instance at target group {group}"),
        Step::TakeSnapshot(order) => {
            let how = if order.unconfirmed {
                ", unconfirmed"
            } else if order.on_loopback {
                ", on loopback"
            } else {
                ""
            };
            format!("take a snapshot ({}{how}) of generation {} through {}", order.trigger, order.generation, order.via.member)
        }
        Step::DrillSnapshot { key } => format!("restore snapshot {key} on trial"),
        Step::PruneSnapshots { keys, abandoned } => format!("delete {} snapshots and {} remains", keys.len(), abandoned.len()),
        Step::ClearPause { via } => format!("delete the cluster's pause through {}", via.member),
    }
}

fn describe_record(record: &Record) -> String {
    let state = match &record.state {
        State::Founding { founder } => format!("founding by {founder}"),
        State::Established => "established".to_owned(),
        State::Retired { key, revision } => format!("retired to {key} at revision {revision}"),
    };
    let origin = match &record.origin {
        Origin::Empty => "empty".to_owned(),
        Origin::Snapshot { key } => format!("snapshot {key}"),
        Origin::Survivor { instance } => format!("survivor {instance}"),
        Origin::Fresh => "fresh".to_owned(),
    };
    let voters: Vec<String> = record.voters.iter().map(|v| format!("{}:{}", v.instance, v.member)).collect();
    let before = record.ever_established.filter(|_| record.founder().is_some());
    let before = before.map(|g| format!(", after established generation {g}")).unwrap_or_default();
    format!("{}: generation {} {state}, origin {origin}, voters [{}]{before}", record.number, record.generation, voters.join(" "))
}

fn describe_start(start: &Start) -> String {
    match start {
        Start::Found { generation, token } => format!("start etcd alone as generation {generation} with token {token}, on loopback"),
        Start::Join { generation, initial_cluster } => {
            let list: Vec<String> = initial_cluster.iter().map(|(name, url)| format!("{name}={url}")).collect();
            format!("start etcd as a joiner of generation {generation} with {}", list.join(" "))
        }
        Start::JoinServer { generation, server } => format!("start the server as a joiner of generation {generation} through {server}"),
        Start::Worker { server, authority: None } => format!("start the worker through {server}"),
        Start::Worker { server, authority: Some(hash) } => {
            format!("start the worker through {server}, pinned to authority {}", &hash.to_string()[..8])
        }
        Start::Resume { server: Some(server), .. } => format!("start the server on its data, with {server} to turn to"),
        Start::Resume { loopback_only: true, .. } => "start etcd on its data, on loopback".to_owned(),
        Start::Resume { loopback_only: false, .. } => "start etcd on its data".to_owned(),
        Start::Alone => "start etcd on its data, for its agent alone".to_owned(),
    }
}
