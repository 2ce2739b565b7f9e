//! What an operator is told at 3 a.m.: who is here, who leads, what is awaited, since when and until when, and what would happen next.

use std::fmt;

use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::memory::Memory;
use quorate_core::observation::{LifecycleState, Lock, Observation};
use quorate_core::plan::Plan;
use quorate_core::planner;
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::report::Phase;
use quorate_core::safety;
use quorate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One member of the cluster as `quorate status` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberLine {
    /// The instance, or the peer URL of a member that never started.
    pub instance: String,
    /// The etcd member id, in hex.
    pub member: String,
    /// `voter` or `learner`.
    pub kind: String,
    /// It answers and knows a leader.
    pub healthy: bool,
    /// It leads.
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
    pub says: String,
    /// For how long it has been so, in milliseconds.
    pub for_ms: u64,
    /// In how many milliseconds the wait ends by itself, if it does.
    pub until_ms: Option<u64>,
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
    /// Who holds the cluster-wide lock.
    pub lock: Option<String>,
    /// The charter.
    pub record: Option<RecordLine>,
    /// The last refusal or failure.
    pub last_trouble: Option<String>,
    /// What would happen if this instance were terminated now.
    pub if_terminated: String,
}

/// One cycle, with what came of it.
pub struct Cycle<'a> {
    /// What was seen.
    pub seen: &'a Observation,
    /// What is remembered.
    pub memory: &'a Memory,
    /// What the operator chose.
    pub policy: &'a Policy,
    /// What was decided.
    pub plan: &'a Plan,
    /// Since when the decision has been the same.
    pub since: Timestamp,
    /// The time.
    pub now: Timestamp,
}

impl Cycle<'_> {
    /// The status to show.
    #[must_use]
    pub fn status(&self) -> Status {
        let step = self.plan.step.as_ref();
        let refusal = step.and_then(|s| safety::check(s, self.seen, self.memory, self.policy, self.now).err());
        let members = self.members();
        Status {
            instance: self.seen.me.instance.clone(),
            cluster: self.seen.me.cluster.clone(),
            group: self.seen.me.group.clone(),
            phase: self.plan.report.phase,
            rule: self.plan.report.rule.to_owned(),
            says: self.plan.report.says.to_string(),
            for_ms: u64::try_from(self.now.since(self.since).as_millis()).unwrap_or(u64::MAX),
            until_ms: self.plan.report.until.map(|until| u64::try_from(until.since(self.now).as_millis()).unwrap_or(u64::MAX)),
            needs_operator: self.plan.report.needs_operator,
            step: step.map(|s| s.kind().to_owned()),
            refused: refusal.map(|r| r.to_string()),
            paused: self.paused(),
            leader: members.iter().find(|m| m.leads).map(|m| m.instance.clone()),
            voters: self.seen.etcd.membership.last().into_iter().flat_map(|m| m.voters().filter_map(|v| v.name.clone())).collect(),
            members,
            lock: self.lock(),
            record: self.record(),
            last_trouble: self.memory.last_trouble.clone(),
            if_terminated: self.if_terminated(),
        }
    }

    fn paused(&self) -> Option<String> {
        let pausing = &self.memory.kept.pausing;
        let what = if pausing.is_of_the_cluster() { "the cluster" } else { "this node" };
        pausing.in_force().map(|pause| format!("{what}, {pause}"))
    }

    fn members(&self) -> Vec<MemberLine> {
        let Some(membership) = self.seen.etcd.membership.last() else { return Vec::new() };
        let line = |m: &quorate_core::observation::Member| MemberLine {
            instance: m.name.as_ref().map_or_else(|| m.peer_url.to_string(), ToString::to_string),
            member: m.id.to_string(),
            kind: if m.learner { "learner" } else { "voter" }.to_owned(),
            healthy: self.seen.etcd.statuses.get(&m.id).and_then(|s| s.fresh()).is_some_and(|s| s.leader.is_some()),
            leads: membership.leader == Some(m.id),
        };
        membership.members.iter().map(line).collect()
    }

    fn lock(&self) -> Option<String> {
        match self.seen.etcd.lock.last()? {
            Lock::Free => None,
            Lock::Mine { remaining } => Some(format!("{} (for {} ms more)", self.seen.me.instance, remaining.as_millis())),
            Lock::Other { holder, purpose } => Some(format!("{holder}, to {purpose}")),
        }
    }

    fn record(&self) -> Option<RecordLine> {
        let record = self.memory.kept.record.as_ref()?;
        let state = match &record.state {
            quorate_core::charter::State::Founding { founder } => format!("founding by {founder}"),
            quorate_core::charter::State::Established => "established".to_owned(),
            quorate_core::charter::State::Retired { key, .. } => format!("retired to {key}"),
        };
        let voters = record.voters.iter().map(|v| v.instance.clone()).collect();
        Some(RecordLine { number: record.number, generation: record.generation.0, state, voters })
    }

    /// The same planner on the altered observation.
    fn if_terminated(&self) -> String {
        let mut seen = self.seen.clone();
        seen.target = Reading::Fresh(Some(LifecycleState::Terminated), self.now);
        let mut memory = self.memory.clone();
        memory.leaving = Some(self.now);
        planner::plan(&seen, &memory, self.policy, self.now).report.to_string()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  cluster {}  group {}", self.instance, self.cluster, self.group)?;
        writeln!(f, "  {}: {}", self.phase, self.says)?;
        let until = self.until_ms.map_or_else(String::new, |ms| format!(", for {} s at most", ms.div_ceil(1000)));
        writeln!(f, "  for {} s{until}{}", self.for_ms / 1000, if self.needs_operator { "; AN OPERATOR MUST ACT" } else { "" })?;
        if let Some(paused) = &self.paused {
            writeln!(f, "  PAUSED: {paused}")?;
        }
        if let Some(record) = &self.record {
            writeln!(f, "  charter: record {}, generation {}, {}", record.number, record.generation, record.state)?;
        }
        for m in &self.members {
            let health = if m.healthy { "healthy" } else { "no answer" };
            writeln!(f, "  {:<22} {:<17} {:<8} {health}{}", m.instance, m.member, m.kind, if m.leads { ", leads" } else { "" })?;
        }
        if let Some(lock) = &self.lock {
            writeln!(f, "  lock: {lock}")?;
        }
        if let Some(refused) = &self.refused {
            writeln!(f, "  {refused}")?;
        }
        if let Some(trouble) = &self.last_trouble {
            writeln!(f, "  last trouble: {trouble}")?;
        }
        write!(f, "  if terminated now: {}", self.if_terminated)
    }
}
