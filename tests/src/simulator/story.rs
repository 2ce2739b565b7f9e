//! The story of a run, as text.

use quorate_core::plan::{Start, Step};
use quorate_core::policy::{Policy, SnapshotPolicy};
use quorate_core::snapshot::retention::Retention;

use super::schedule::Schedule;

/// What the seed decided beforehand.
pub(crate) fn head(seed: u64, s: &Schedule) -> String {
    format!(
        "seed {seed}: {}{}, {}, at most {} voters, {:?}, EC2 tells a death after {:?}, lists a launch after {:?}, \
         forgets after {:?}{}{}; weather {:?}; {}; calm from {}\n",
        if s.role.has_node() { "a control plane, " } else { "" },
        groups(&s.sizes),
        if s.hooks { format!("hooks {:?}/{:?}", s.launch_timeout, s.terminate_timeout) } else { "no hooks".to_owned() },
        s.policy.max_voters,
        s.rule,
        s.delays.status,
        s.delays.listing,
        s.delays.forget,
        if s.reuse_addresses { ", addresses are reused" } else { "" },
        if s.retain_on_abandon { ", abandoned are retained" } else { "" },
        s.weather,
        snapshots(&s.policy),
        s.calm
    )
}

fn snapshots(policy: &Policy) -> String {
    let SnapshotPolicy { enabled, interval, recent, change_patience, retention, .. } = policy.snapshots;
    let Retention { all, at_least, .. } = retention;
    match enabled {
        true => format!(
            "a snapshot each {interval:?} and {recent:?} before a change, which waits {change_patience:?}; kept {all:?}, at least {at_least}"
        ),
        false => "no snapshots".to_owned(),
    }
}

fn groups(sizes: &[u32]) -> String {
    let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    format!("{} group(s) of {}", sizes.len(), sizes.join(", "))
}

/// A step in few words.
pub(crate) fn describe(step: &Step) -> String {
    match step {
        Step::Heartbeat { hook } => format!("heartbeat {hook}"),
        Step::CompleteHook { hook, instance, result } => format!("complete {hook} of {instance} with {result}"),
        Step::CreateRecord(record) => {
            let voters: Vec<&str> = record.voters.iter().map(|v| v.instance.as_str()).collect();
            format!("create {record}, origin {:?}, voters {voters:?}", record.origin)
        }
        Step::StartMember(start, _) => match start {
            Start::Found { generation, .. } => format!("start etcd: found generation {generation}"),
            Start::Join { generation, initial_cluster } => {
                let names: Vec<&str> = initial_cluster.iter().map(|(name, _)| name.as_str()).collect();
                format!("start etcd: join generation {generation} as one of {names:?}")
            }
            Start::JoinServer { generation, server } => format!("start the server: join generation {generation} through {server}"),
            Start::Worker { server, .. } => format!("start the worker through {server}"),
            Start::Resume { loopback_only, server } => {
                let turn_to = server.map_or_else(String::new, |server| format!(" with {server} to turn to"));
                format!("start etcd: resume{}{turn_to}", if *loopback_only { " on loopback" } else { "" })
            }
            Start::Alone => "start etcd: for its agent alone".to_owned(),
        },
        Step::StopMember(reason) => format!("stop etcd: {reason:?}"),
        Step::PutDataAside { why } => format!("put data aside: {why}"),
        Step::AdoptData { owner, member } => format!("adopt the data of {owner}, member {member}"),
        Step::UpdatePeerUrl { via, member, peer_url } => format!("list {member} at {peer_url} through {}", via.url),
        Step::RestoreOwnData { generation, .. } => format!("restore own data as generation {generation}"),
        Step::AcquireLock { via, purpose } => format!("acquire the lock through {} to {purpose}", via.url),
        Step::RenewLock { via } => format!("renew the lock through {}", via.url),
        Step::ReleaseLock { via } => format!("release the lock through {}", via.url),
        Step::AddLearner { via, peer_url } => format!("add learner {peer_url} through {}", via.url),
        Step::Promote { via, member } => format!("promote {member} through {}", via.url),
        Step::RemoveMember { via, member } => format!("remove {member} through {}", via.url),
        Step::MoveLeader { to, .. } => format!("move leader to {to}"),
        Step::Node(step) => step.to_string(),
        Step::DeregisterTarget { group } => format!("deregister at target group {group}"),
        Step::TakeSnapshot(order) => format!("take a snapshot ({}) through {}", order.trigger, order.via.url),
        Step::FetchSnapshot { key } => format!("fetch snapshot {key}"),
        Step::RestoreSnapshot { key, generation, .. } => format!("restore snapshot {key} as generation {generation}"),
        Step::DrillSnapshot { key } => format!("restore snapshot {key} on trial"),
        Step::PruneSnapshots { keys, .. } => format!("delete {} snapshots", keys.len()),
        Step::DropSuperseded | Step::ReportUnhealthy | Step::ForgetOrder | Step::SetPause { .. } | Step::ClearPause { .. } => {
            step.kind().to_owned()
        }
    }
}
