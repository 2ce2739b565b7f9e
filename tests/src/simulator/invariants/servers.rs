//! What a control plane adds: servers are let in one at a time (I4), drained before they leave (I5), and their Nodes leave with them (I3). k3s
//! itself must not take the quorum away, nor promote a member that no agent writes into the charter (I1).

use std::time::Duration;

use quorate_core::ids::{InstanceId, MemberId};
use quorate_core::memory::Admission;
use quorate_core::plan::{NodeStep, Start, Step};
use quorate_core::report::Phase;
use quorate_core::time::Timestamp;

use crate::region::Ec2State;
use crate::simulator::node::Agent;
use crate::simulator::world::World;

/// k3s promotes every learner in sync every 15 s, and asks no charter. The agent beside the leader brings the charter in line in its next cycles. Where
/// that agent can work and the store answers, an unnamed voter must be named within this time.
const NAMED_WITHIN: Duration = Duration::from_secs(20);
/// An answer of a peer is acted on while it is fresh, and a step takes effect a little later.
const HEARSAY: Duration = Duration::from_secs(12);

/// What the checks of a control plane remember.
#[derive(Debug, Default)]
pub(crate) struct ServerChecks {
    /// When each instance last held the lock, in truth and by its own look.
    held: Vec<(InstanceId, Timestamp)>,
    /// The servers that the agents let in and that are not in the list yet.
    on_their_way: Vec<OnItsWay>,
    /// The server that the agent beside the leader let in last.
    admission: Option<Admission>,
    /// Counts everything that may make two agents believe that they are to let others in.
    era: u64,
    /// The agent beside the leader: node, epoch.
    beside: Option<(usize, u32)>,
    /// A voter that no record names, the time since which an agent could have recorded it, and the era.
    unnamed: Option<(MemberId, Timestamp, u64)>,
}

/// A server that was let in.
#[derive(Clone, Copy, Debug)]
struct OnItsWay {
    node: usize,
    since: Timestamp,
    era: u64,
    /// The node whose agent let it in. A new leader's agent does not know which server the previous one let in.
    by: Option<usize>,
}

impl World {
    /// After a look: notes which node holds the lock.
    pub(crate) fn note_holder(&mut self, n: usize) {
        if !self.has_servers() {
            return;
        }
        let me = self.nodes[n].me.instance.clone();
        if self.etcd.holds_lock(&me, self.now) {
            self.checks.servers.held.retain(|(id, _)| *id != me);
            self.checks.servers.held.push((me, self.now));
        }
    }

    /// After a decision: a server that was let in and did not come in time is passed over, however late it began.
    pub(crate) fn note_admission(&mut self, agent: &Agent) {
        let now = agent.memory().servers.admission.as_ref();
        let before = self.checks.servers.admission.as_ref();
        if !self.has_servers() || now.is_none() || before == now {
            return;
        }
        let patience = self.policy.learner_patience;
        if before.is_some_and(|a| self.now.since(a.since) >= patience) {
            self.begin_era();
        }
        self.checks.servers.admission = now.cloned();
    }

    /// Something that excuses two admissions: a lost lock, a cut, a leader that stands still.
    pub(crate) fn begin_era(&mut self) {
        self.checks.servers.era += 1;
    }

    /// Each beat.
    pub(crate) fn check_servers(&mut self) {
        if !self.has_servers() {
            return;
        }
        let beside = self.look_beside();
        let mut ways = std::mem::take(&mut self.checks.servers.on_their_way);
        ways.retain(|way| self.nodes[way.node].k3s.joining.is_some());
        self.checks.servers.on_their_way = ways;
        self.check_named(beside);
    }

    /// The leader's host, if its agent is awake; another one, or another agent there, knows nothing of the servers that were let in.
    fn look_beside(&mut self) -> Option<usize> {
        let beside = self.true_leader().map(|l| (l, self.nodes[l].epoch)).filter(|(l, _)| self.nodes[*l].is_awake());
        if beside != self.checks.servers.beside {
            self.checks.servers.beside = beside;
            self.begin_era();
        }
        beside.map(|(l, _)| l)
    }

    fn check_named(&mut self, beside: Option<usize>) {
        let list = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref());
        let unnamed =
            list.and_then(|d| d.voters().find(|m| !self.store.ever_listed.contains(&m.id) && !self.by_hand.contains(&m.id))).map(|m| m.id);
        let (era, well) = (self.checks.servers.era, self.can_write_charter(beside));
        let before = self.checks.servers.unnamed.filter(|(id, _, known)| Some(*id) == unnamed && *known == era && well);
        let since = before.map_or(self.now, |(_, since, _)| since);
        self.checks.servers.unnamed = unnamed.map(|id| (id, since, era));
        // The agent that stands in for a silent one has the dead to remove first.
        let within = if self.stats.agents_gone > 0 { NAMED_WITHIN * 3 } else { NAMED_WITHIN };
        if let Some(id) = unnamed.filter(|_| self.now.since(since) > within) {
            let text = format!("k3s promoted member {id} {within:?} ago, and no record names it, although nothing stood in the way");
            self.violate("I1", text);
        }
    }

    fn can_write_charter(&self, beside: Option<usize>) -> bool {
        let able = beside.is_some_and(|l| {
            let node = &self.nodes[l];
            let paused = node.agent.as_ref().is_some_and(|a| a.memory().kept.pausing.in_force().is_some());
            !node.store_down && !node.disk_unproven && !paused && self.now.since(node.able_since) > NAMED_WITHIN
        });
        able && !self.store.foreign && !self.store.lags() && self.checks.records_lost.is_empty() && self.weather.lost_calls < 100
    }

    /// Before a step takes effect.
    pub(crate) fn check_server_step(&mut self, n: usize, agent: &Agent, step: &Step) {
        if !self.has_servers() {
            return;
        }
        match step {
            Step::StartMember(Start::JoinServer { .. }, _) => self.check_admission(n, agent),
            Step::Node(NodeStep::AnnotateRemoval { .. }) => self.check_drained(n, agent),
            Step::RemoveMember { member, .. } if self.etcd.member_id(n) == Some(*member) => self.check_drained(n, agent),
            _ => {}
        }
    }

    fn check_admission(&mut self, n: usize, agent: &Agent) {
        self.look_beside();
        let me = self.nodes[n].me.instance.clone();
        let hosts = agent.seen.peers.iter().filter(|(_, p)| p.fresh().is_some_and(|p| p.control_plane.admits.as_ref() == Some(&me)));
        let hosts: Vec<&InstanceId> = hosts.map(|(id, _)| id).collect();
        let held = &self.checks.servers.held;
        let had_lock = held.iter().any(|(id, at)| hosts.contains(&id) && self.now.since(*at) <= HEARSAY + self.weather.timeout * 8);
        if !had_lock {
            self.violate("I4", format!("{me} starts to join, let in by {hosts:?}, and none of them held the lock"));
        }
        let by = hosts.first().and_then(|host| self.node_of(host));
        let way = OnItsWay { node: n, since: self.now, era: self.checks.servers.era, by };
        if let Some(other) = self.checks.servers.on_their_way.iter().find(|other| self.is_beside(other, &way)) {
            let (who, since) = (&self.nodes[other.node].me.instance, other.since);
            let text = format!("{me} is let in, and so has been {who} since {since}, which is not in the list yet");
            self.violate("I4", text);
        }
        self.checks.servers.on_their_way.retain(|other| other.node != n);
        self.checks.servers.on_their_way.push(way);
    }

    /// The one was let in by the same agent and is still awaited, and nothing has happened that would excuse the other.
    fn is_beside(&self, one: &OnItsWay, other: &OnItsWay) -> bool {
        let awaited = self.now.since(one.since) < self.policy.learner_patience;
        let leaves = self.nodes[one.node].agent.as_ref().is_none_or(|a| a.memory().leaving.is_some());
        one.node != other.node && one.era == other.era && one.by == other.by && awaited && !leaves
    }

    /// A leaver's pods have gone, or its time for them is over.
    fn check_drained(&mut self, n: usize, agent: &Agent) {
        let leaves = agent.report.as_ref().is_some_and(|r| r.phase == Phase::Leaving);
        if !leaves || self.nodes[n].k3s.config.is_none() {
            return;
        }
        let time_is_over = agent.drain.as_ref().is_some_and(|drain| self.now >= drain.end);
        // Its Node may have come since it last read it.
        let has_drained = agent.drain.as_ref().is_some_and(|drain| drain.over.is_some());
        let sees_it_open = agent.seen.kubernetes.node.fresh().and_then(Option::as_ref).is_some_and(|node| node.schedulable);
        if !self.process_runs(n) || time_is_over || (has_drained && !sees_it_open) {
            self.nodes[n].k3s.drained = true;
        } else if !self.nodes[n].k3s.drained {
            self.violate("I5", format!("{} leaves, and its node was not drained", self.nodes[n].me.instance));
        }
    }

    /// The launch was completed: its Node must be ready, or have been a moment ago.
    pub(crate) fn check_node_of_launched(&mut self, n: usize) {
        let Some(cluster) = self.etcd.servers[n].data.as_ref().map(|d| d.cluster).filter(|_| self.has_servers()) else { return };
        let id = self.nodes[n].me.instance.clone();
        if !self.registered(cluster, &id).is_some_and(|node| node.was_ready(self.now, HEARSAY)) {
            self.violate("I5", format!("the launch of {id} was completed, and its Node is not ready"));
        }
    }

    /// No agent may delete the Node of an instance that is alive and in service.
    pub(crate) fn check_node_deletion(&mut self, n: usize, instance: &InstanceId) {
        let Some(host) = self.node_of(instance) else { return };
        let lives = self.nodes[host].powered && self.region.instance(instance).is_some_and(|i| i.powered && i.alive());
        if (host != n && lives) || (host == n && self.process_runs(n)) {
            self.violate("I3", format!("{} deletes the Node of {instance}, which lives", self.nodes[n].me.instance));
        }
    }

    /// k3s removed a member because its Node asks for it: the agent that wrote that must have made sure of the quorum.
    pub(crate) fn check_removed_by_k3s(&mut self, leader: usize, id: &InstanceId, member: MemberId) {
        self.check_quorum_left(leader, member);
        if let Some(n) = self.node_of(id).filter(|n| self.etcd.member_id(*n) != Some(member)) {
            self.tell(n, || "k3s removed a member of this name that this disk does not hold".into());
        }
    }

    /// It has not ended: it may join again, is stopped, or lost all that it knew of the cluster with its disk. Then no agent may delete its Node.
    fn may_keep_node(&self, id: &InstanceId) -> bool {
        let Some(n) = self.node_of(id) else { return false };
        let is_off = !self.nodes[n].powered && self.region.instance(id).is_some_and(|i| i.ec2 != Ec2State::Terminated);
        is_off || self.belongs(&self.nodes[n]) || (self.nodes[n].powered && self.nodes[n].wiped)
    }

    /// Why the Nodes are not as they should be: one for each voter, ready and open to pods, and no others.
    pub(crate) fn nodes_unsettled(&self) -> Option<String> {
        let list = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()).filter(|_| self.has_servers())?;
        let voters: Vec<&InstanceId> = list.members.iter().filter_map(|m| m.name.as_ref()).collect();
        let nodes = self.kubernetes.nodes.get(&list.cluster);
        if let Some((id, _)) =
            nodes.into_iter().flatten().find(|(id, _)| !voters.contains(id) && !self.may_keep_node(id) && !self.has_no_agent(id))
        {
            return Some(format!("the Node of {id} is left"));
        }
        voters.into_iter().filter(|id| !self.has_no_agent(id)).find_map(|id| match self.registered(list.cluster, id) {
            None => Some(format!("server {id} has no Node")),
            Some(node) if node.deleting => Some(format!("the Node of {id} is being deleted")),
            Some(node) if !node.is_ready(self.now) => Some(format!("the Node of {id} is not ready")),
            Some(node) if node.cordoned => Some(format!("the Node of {id} takes no pods")),
            Some(_) => None,
        })
    }
}
