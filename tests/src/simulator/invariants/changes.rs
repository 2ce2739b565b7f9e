//! I4: one membership change at a time, and no voluntary step costs the quorum.

use quorate_core::ids::{EtcdClusterId, MemberId};
use quorate_core::plan::{Outcome, Step, StopReason};
use quorate_core::quorum;

use crate::simulator::etcd_model::{Data, Links};
use crate::simulator::story::describe;
use crate::simulator::world::World;

impl World {
    /// Before a step that takes this node's voter out of service: whether the quorum depends on it.
    pub(crate) fn check_before(&mut self, n: usize, step: &Step) {
        match step {
            Step::StopMember(StopReason::LastVoterLeaves | StopReason::Retire | StopReason::OpenToClients | StopReason::Recover) => {}
            Step::StopMember(_) | Step::ReportUnhealthy if self.quorum_hangs_on(n) => {
                let text = format!("{} does this, and the quorum goes with it: {}", self.nodes[n].me.instance, describe(step));
                self.violate("I4", text);
            }
            Step::RemoveMember { member, .. } => self.check_removal(n, *member),
            _ => {}
        }
    }

    /// After it: whatever the outcome said, there must still be a quorum in truth.
    pub(crate) fn check_after(&mut self, n: usize, step: &Step, outcome: &Outcome) {
        match step {
            Step::Promote { member, .. } => self.check_promotion(*member),
            Step::RemoveMember { member, .. } if *outcome == Outcome::Done => self.check_quorum_left(n, *member),
            _ => {}
        }
        self.check_clusters();
    }

    fn check_promotion(&mut self, member: MemberId) {
        let Some(list) = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()) else { return };
        let votes = list.entry(member).is_some_and(|m| !m.learner);
        let (voters, alive) = (list.voters().count(), self.alive_voters(list));
        if votes && !self.store.ever_listed.contains(&member) {
            self.violate("I1", format!("member {member} votes, and no record names it"));
        } else if votes && !quorum::has_quorum(voters, alive) {
            self.violate("I4", format!("member {member} was promoted, and only {alive} of {voters} voters are healthy"));
        }
    }

    /// No node may remove another instance's member that works and is not on its way out.
    fn check_removal(&mut self, n: usize, member: MemberId) {
        let Some(host) = (0..self.nodes.len()).find(|h| self.etcd.member_id(*h) == Some(member)).filter(|h| *h != n) else { return };
        let receives = self.etcd.servers[host].receives.is_some_and(|(_, until)| self.now < until);
        let node = &self.nodes[host];
        let instance = self.region.instance(&node.me.instance);
        let in_service = instance.is_some_and(|i| i.powered && i.alive() && !i.lifecycle.leaving());
        let well = node.is_awake() && self.now.since(node.able_since) > self.policy.learner_patience && self.network.both(n, host);
        if receives && well && instance.is_some_and(|i| i.powered && i.alive() && !i.lifecycle.leaving()) {
            let text = format!("{} removes the learner of {}, which receives a snapshot", self.nodes[n].me.instance, node.me.instance);
            return self.violate("I8", text);
        }
        if in_service && well && self.etcd.serves(host) && self.etcd.local_list(host).is_ok() && !node.ordered_out {
            let text = format!("{} removes the healthy voter of {}", self.nodes[n].me.instance, self.nodes[host].me.instance);
            self.violate("I4", text);
        }
    }

    pub(crate) fn check_quorum_left(&mut self, n: usize, member: MemberId) {
        let Some(cluster) = self.store.ever_established.last().copied() else { return };
        let Some(list) = self.newest(cluster).filter(|d| d.removed.contains(&member)) else { return };
        let (voters, alive) = (list.voters().count(), self.alive_voters(list));
        if !quorum::has_quorum(voters, alive) {
            let text = format!("{} removed member {member}, and only {alive} of {voters} voters are healthy", self.nodes[n].me.instance);
            self.violate("I4", text);
        }
    }

    fn newest(&self, cluster: EtcdClusterId) -> Option<&Data> {
        self.etcd.live_hosts().filter_map(|h| self.etcd.servers[h].data.as_ref()).filter(|d| d.cluster == cluster).max_by_key(|d| d.applied)
    }

    fn alive_voters(&self, list: &Data) -> usize {
        list.voters().filter(|m| self.etcd.host_of(list.cluster, m.id).is_some()).count()
    }

    /// Whether this node's voter works now and the others would be no quorum without it.
    fn quorum_hangs_on(&self, n: usize) -> bool {
        let Some(list) = self.true_leader().and_then(|l| self.etcd.servers[l].data.as_ref()) else { return false };
        let Some(me) = self.etcd.servers[n].live().map(|(d, _)| d).filter(|d| d.cluster == list.cluster) else { return false };
        if list.entry(me.member).is_none_or(|m| m.learner) {
            return false;
        }
        let (voters, alive) = (list.voters().count(), self.alive_voters(list));
        quorum::has_quorum(voters, alive) && !quorum::has_quorum(voters, alive - 1)
    }
}
