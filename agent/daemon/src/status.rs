//! What an operator needs to see at 3 a.m.: the members, the leader, what is awaited, since when and until when, and what would happen next.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use quorate_core::authority::AuthorityHash;
use quorate_core::charter::State;
use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::memory::{Leave, Memory};
use quorate_core::observation::{LifecycleState, Lock, Member, Observation, ServerSeen};
use quorate_core::planner;
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::report::Phase;
use quorate_core::rotation::Rotation;
use quorate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cycle::Cycle;

/// How a member answers when it is asked directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It answers and knows a leader.
    Healthy,
    /// It answers, but knows no leader.
    NoLeader,
    /// It does not answer.
    NoAnswer,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::NoLeader => "no leader",
            Self::NoAnswer => "no answer",
        })
    }
}

/// One member of the cluster as `quorate status` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberLine {
    /// The instance, or the peer URL of a member that never started.
    pub instance: String,
    /// The etcd member id, in hex.
    pub member: String,
    /// `voter` or `learner`.
    pub kind: String,
    /// How its own member answers.
    pub health: Health,
    /// It leads, confirmed by a quorum.
    pub leads: bool,
}

/// The charter's record as `quorate status` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordLine {
    /// Its number.
    pub number: u64,
    /// Its generation.
    pub generation: u64,
    /// Its state, in words.
    pub state: String,
    /// The instances that it lists as voters.
    pub voters: Vec<InstanceId>,
}

impl fmt::Display for TlsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.authority, self.ends_in_ms) {
            (Some(authority), Some(0)) => write!(f, "certificates of authority {} HAVE ENDED", &authority[..12.min(authority.len())]),
            (Some(authority), Some(left)) => {
                let left = left / 1000;
                let left = if left < 7200 { format!("{left} s") } else { format!("{} h", left / 3600) };
                write!(f, "certificates of authority {} for {left} more", &authority[..12.min(authority.len())])
            }
            _ => write!(f, "no certificates: {}", self.lacking.as_deref().unwrap_or("why is not known")),
        }?;
        match self.rotation {
            Some(Rotation::To(next)) => write!(f, "; the authority is rotated: all members are to trust {} too", short(next)),
            Some(Rotation::From(old)) => write!(f, "; the authority is rotated: {} is trusted until all have new certificates", short(old)),
            None => Ok(()),
        }
    }
}

/// Enough of it to tell two apart.
fn short(hash: AuthorityHash) -> String {
    hash.to_string().chars().take(12).collect()
}

/// This node's certificates as `quorate status` shows them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TlsLine {
    /// The authority that they come from, by its hash; absent while there are none.
    pub authority: Option<String>,
    /// How far the rotation to another authority is, as the charter says; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// In how many milliseconds they end; absent likewise.
    pub ends_in_ms: Option<u64>,
    /// Why there are none.
    pub lacking: Option<String>,
}

/// One server of the control plane as `quorate status` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerLine {
    /// Its instance.
    pub instance: InstanceId,
    /// Where its API is.
    pub address: IpAddr,
    /// Its API answers.
    pub healthy: bool,
    /// This node's configuration names it.
    pub used: bool,
}

/// The whole answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// This instance.
    pub instance: InstanceId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its group.
    pub group: GroupName,
    /// What it is doing.
    pub phase: Phase,
    /// The rule that decided.
    pub rule: String,
    /// What is being done or awaited, and why.
    pub message: String,
    /// For how long it has been so, in milliseconds.
    pub for_ms: u64,
    /// In how many milliseconds the wait ends on its own, if it does.
    pub until_ms: Option<u64>,
    /// The name of what is awaited, if nothing is done and the node does not simply rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<String>,
    /// For how long a wait that takes too long has lasted, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue_ms: Option<u64>,
    /// An operator must act.
    pub needs_operator: bool,
    /// The step that would be taken next, in words.
    pub step: Option<String>,
    /// Why the gate would not let it through.
    pub refused: Option<String>,
    /// What is paused, since when and by whom.
    #[serde(default)]
    pub paused: Option<String>,
    /// Who leads.
    pub leader: Option<String>,
    /// The instances that vote.
    pub voters: Vec<InstanceId>,
    /// All members.
    pub members: Vec<MemberLine>,
    /// How old the list of members is, in milliseconds; absent if none was ever read.
    pub members_age_ms: Option<u64>,
    /// Who holds the cluster-wide lock.
    pub lock: Option<String>,
    /// This instance's Kubernetes Node, in words; absent if there can be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The servers of the control plane that are known here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerLine>,
    /// This node's certificates; absent where Quorate keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsLine>,
    /// The charter.
    pub record: Option<RecordLine>,
    /// The newest snapshot of the current generation, and one that is being taken, in words; absent if none are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// What stays unreadable, since when and why, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// The last refusal or failure.
    pub last_trouble: Option<String>,
    /// What would happen if this instance were terminated now.
    pub if_terminated: String,
    /// How long ago all this was seen and decided, in milliseconds.
    pub age_ms: u64,
    /// Whether that is longer than any cycle should take.
    pub is_old: bool,
}

impl Status {
    /// The status to show at `now`, as the last cycle left things.
    #[must_use]
    pub fn of(cycle: &Cycle, now: Timestamp) -> Self {
        let Cycle { seen, memory, plan, refusal, .. } = cycle;
        let step = plan.step.as_ref();
        let members = members(seen);
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            instance: seen.me.instance.clone(),
            cluster: seen.me.cluster.clone(),
            group: seen.me.group.clone(),
            phase: plan.report.phase,
            rule: plan.report.rule.name().to_owned(),
            message: plan.report.message.to_string(),
            for_ms: millis(now.since(cycle.since)),
            until_ms: plan.report.until.map(|until| millis(until.since(now))),
            awaits: plan.report.awaits.map(|awaits| awaits.reason.name().to_owned()),
            overdue_ms: plan.report.overdue.map(|(_, since)| millis(now.since(since))),
            needs_operator: plan.report.needs_operator,
            step: step.map(|s| s.kind().to_owned()),
            refused: refusal.as_ref().map(ToString::to_string),
            paused: paused(memory),
            leader: members.iter().find(|m| m.leads).map(|m| m.instance.clone()),
            voters: seen.etcd.membership.last().into_iter().flat_map(|m| m.voters().filter_map(|v| v.name.clone())).collect(),
            members,
            members_age_ms: seen.etcd.membership.at().map(|at| millis(now.since(at))),
            lock: lock(seen),
            node: node(seen),
            servers: servers(seen),
            tls: tls(cycle, now),
            record: record(memory),
            snapshot: snapshot(cycle, now),
            unreadable: memory.sources.unreadable(now).iter().map(|unreadable| unreadable.message(now)).collect(),
            last_trouble: memory.last_trouble.clone(),
            if_terminated: if_terminated(cycle),
            age_ms: millis(now.since(cycle.at)),
            is_old: cycle.age_if_old(now).is_some(),
        }
    }
}

fn paused(memory: &Memory) -> Option<String> {
    let pausing = &memory.kept.pausing;
    let what = if pausing.is_of_the_cluster() { "the cluster" } else { "this node" };
    pausing.in_force().map(|pause| format!("{what}, {pause}"))
}

/// The members from the last list; an old list does not say which one leads.
fn members(seen: &Observation) -> Vec<MemberLine> {
    let Some(membership) = seen.etcd.membership.last() else { return Vec::new() };
    let leader = seen.etcd.membership.fresh().and_then(|m| m.leader);
    let line = |m: &Member| MemberLine {
        instance: m.name.as_ref().map_or_else(|| m.peer_url.to_string(), ToString::to_string),
        member: m.id.to_string(),
        kind: if m.learner { "learner" } else { "voter" }.to_owned(),
        health: match seen.etcd.statuses.get(&m.id).and_then(|s| s.fresh()) {
            Some(status) if status.leader.is_some() => Health::Healthy,
            Some(_) => Health::NoLeader,
            None => Health::NoAnswer,
        },
        leads: leader == Some(m.id),
    };
    membership.members.iter().map(line).collect()
}

fn lock(seen: &Observation) -> Option<String> {
    match seen.etcd.lock.last()? {
        Lock::Free => None,
        Lock::Mine { remaining } => Some(format!("{} (for {} ms more)", seen.me.instance, remaining.as_millis())),
        Lock::Other { holder, purpose } => Some(format!("{holder}, to {purpose}")),
    }
}

fn node(seen: &Observation) -> Option<String> {
    if !seen.me.role.has_node() {
        return None;
    }
    Some(match seen.kubernetes.node.last() {
        None => format!("not known: {}", seen.kubernetes.node.why_not_fresh()),
        Some(None) => "there is none".to_owned(),
        Some(Some(node)) => {
            let ready = if node.ready { "ready" } else { "not ready" };
            let cordoned = if node.schedulable { "" } else { ", cordoned" };
            let old = if seen.kubernetes.node.fresh().is_none() { " when an API server last answered" } else { "" };
            format!("{ready}{cordoned}{old}")
        }
    })
}

fn servers(seen: &Observation) -> Vec<ServerLine> {
    let line = |one: &ServerSeen| ServerLine {
        instance: one.server.instance.clone(),
        address: one.server.address,
        healthy: one.healthy,
        used: seen.kubernetes.points_at == Some(one.server.address),
    };
    seen.kubernetes.servers.iter().map(line).collect()
}

fn tls(cycle: &Cycle, now: Timestamp) -> Option<TlsLine> {
    if !cycle.has_tls() {
        return None;
    }
    let own = &cycle.seen.local.certificates;
    let (known, millis) = (own.last(), |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    Some(TlsLine {
        authority: known.map(|own| own.authority.to_string()),
        rotation: cycle.memory.kept.record.as_ref().and_then(|record| record.rotation),
        ends_in_ms: known.map(|own| millis(own.not_after.since(now))),
        lacking: known.is_none().then(|| own.why_not_fresh().into_owned()),
    })
}

fn record(memory: &Memory) -> Option<RecordLine> {
    let record = memory.kept.record.as_ref()?;
    let state = match &record.state {
        State::Founding { founder } => format!("founding by {founder}"),
        State::Established => "established".to_owned(),
        State::Retired { key, .. } => format!("retired to {key}"),
    };
    let voters = record.voters.iter().map(|v| v.instance.clone()).collect();
    Some(RecordLine { number: record.number, generation: record.generation.0, state, voters })
}

fn snapshot(cycle: &Cycle, now: Timestamp) -> Option<String> {
    let record = cycle.situation().record_to_snapshot()?;
    let view = &cycle.seen.snapshots;
    let mut message = match view.stored.last() {
        None => format!("not known: {}", view.stored.why_not_fresh()),
        Some(listing) => match record.etcd_cluster.and_then(|cluster| listing.newest_of(record.generation, cluster)) {
            None => "none yet of this generation".to_owned(),
            Some(newest) => {
                let age = seconds(now.since(newest.stored_at));
                format!("{} of revision {}, {age} old", newest.key, newest.manifest.revision)
            }
        },
    };
    if let Some(overdue) = cycle.situation().snapshot_overdue() {
        let _ = write!(message, "; OVERDUE: there has been no newer one for {}", seconds(overdue));
    }
    if let Some(taking) = view.taking {
        let of = taking.of.map_or_else(String::new, |of| format!(" of {} MiB", of >> 20));
        let _ = write!(message, "; one is being taken ({} MiB{of})", taking.bytes >> 20);
    }
    message.push_str(&drills(cycle, now));
    if let Some(Err(why)) = view.taken.as_ref().map(|taken| &taken.result) {
        let _ = write!(message, "; the last one failed: {why}");
    }
    Some(message)
}

/// What is known here about restore drills.
fn drills(cycle: &Cycle, now: Timestamp) -> String {
    let (drills, mut message) = (&cycle.seen.snapshots.drills, String::new());
    if let Some(proved) = &drills.proved {
        let _ = write!(message, "; restored on trial {} ago (revision {})", seconds(now.since(proved.at)), proved.revision);
    }
    if drills.running.is_some() {
        message.push_str("; a trial goes on");
    }
    if let Some(why) = drills.last.as_ref().and_then(|last| last.failed.as_ref()) {
        let _ = write!(message, "; the last trial FAILED: {why}");
    }
    if let Some(overdue) = cycle.situation().drill_overdue() {
        let _ = write!(message, "; OVERDUE: no trial has succeeded for {}", seconds(overdue));
    }
    message
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..180 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// Runs the same planner on the altered observation, without target groups: leaving them comes first and delays nothing, and what matters comes after it.
fn if_terminated(cycle: &Cycle) -> String {
    let mut seen = cycle.seen.clone();
    seen.target = Reading::Fresh(Some(LifecycleState::Terminated), cycle.at);
    let mut memory = cycle.memory.clone();
    memory.leaving = Some(Leave::begun(cycle.at));
    let policy = Policy { target_groups: Vec::new(), ..Policy::clone(&cycle.policy) };
    planner::plan(&seen, &memory, &policy, cycle.at).report.to_string()
}

/// An older list of members is reported as old.
const OLD_MS: u64 = 10_000;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  cluster {}  group {}", self.instance, self.cluster, self.group)?;
        if self.is_old {
            writeln!(f, "  AS OF {} s AGO: the agent has been busy since", self.age_ms / 1000)?;
        }
        writeln!(f, "  {}: {}", self.phase, self.message)?;
        let until = self.until_ms.map_or_else(String::new, |ms| format!(", for {} s at most", ms.div_ceil(1000)));
        writeln!(f, "  for {} s{until}{}", self.for_ms / 1000, if self.needs_operator { "; AN OPERATOR MUST ACT" } else { "" })?;
        if let Some(paused) = &self.paused {
            writeln!(f, "  PAUSED: {paused}")?;
        }
        if let Some(record) = &self.record {
            writeln!(f, "  charter: record {}, generation {}, {}", record.number, record.generation, record.state)?;
        }
        if let Some(snapshot) = &self.snapshot {
            writeln!(f, "  snapshot: {snapshot}")?;
        }
        for m in &self.members {
            let leads = if m.leads { ", leads" } else { "" };
            writeln!(f, "  {:<22} {:<17} {:<8} {}{leads}", m.instance, m.member, m.kind, m.health)?;
        }
        if let Some(age) = self.members_age_ms.filter(|age| *age > OLD_MS) {
            writeln!(f, "  no quorum has answered for {} s: that list is so old", age / 1000)?;
        }
        if let Some(node) = &self.node {
            writeln!(f, "  node: {node}")?;
        }
        for s in &self.servers {
            let (health, used) = (if s.healthy { "answers" } else { "no answer" }, if s.used { ", used here" } else { "" });
            writeln!(f, "  {:<22} {:<17} server   {health}{used}", s.instance, s.address)?;
        }
        if let Some(lock) = &self.lock {
            writeln!(f, "  lock: {lock}")?;
        }
        if let Some(tls) = &self.tls {
            writeln!(f, "  tls: {tls}")?;
        }
        if let Some(refused) = &self.refused {
            writeln!(f, "  {refused}")?;
        }
        for unreadable in &self.unreadable {
            writeln!(f, "  UNREADABLE: {unreadable}")?;
        }
        if let Some(trouble) = &self.last_trouble {
            writeln!(f, "  last trouble: {trouble}")?;
        }
        write!(f, "  if terminated now: {}", self.if_terminated)
    }
}
