//! Members of etcd that belong to no listed instance of this cluster.

use crate::ids::InstanceId;
use crate::observation::{Ec2Answer, Ec2State, Member};

use super::Situation;

/// Why a member is a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Its entry names no instance, or it votes and never started.
    Nobody,
    /// EC2 knows nothing of its instance.
    UnknownToEc2(InstanceId),
    /// Its instance runs, and no group of this cluster has ever listed it.
    Unattached(InstanceId),
}

impl<'a> Situation<'a> {
    /// The strangers by a quorum's word; those whose entry alone shows it come first.
    pub fn strangers(&self) -> impl Iterator<Item = (&'a Member, Stranger)> {
        let membership = self.membership();
        let nobodys = membership.into_iter().flat_map(|m| m.strangers()).map(|m| (m, Stranger::Nobody));
        let others = membership.into_iter().flat_map(|m| m.members.iter()).filter_map(|m| Some((m, self.stranger_by_instance(m)?)));
        nobodys.chain(others)
    }

    fn stranger_by_instance(&self, member: &Member) -> Option<Stranger> {
        let instance = member.name.clone().filter(|instance| instance != self.me())?;
        if self.is_unknown_to_ec2(&instance) {
            return Some(Stranger::UnknownToEc2(instance));
        }
        (self.is_unattached(&instance) && self.runs_by_ec2(&instance)).then_some(Stranger::Unattached(instance))
    }

    /// Its member may end at any time without a word: EC2 does not know it, or no agent of this cluster can run there.
    #[must_use]
    pub fn is_nobodys(&self, instance: &InstanceId) -> bool {
        self.is_unknown_to_ec2(instance) || self.is_unattached(instance)
    }

    /// EC2 knows nothing of the instance, by its last answer, and no group or tag ever showed it: its member is perhaps nobody's. An instance that was shown once
    /// may be unknown for minutes while it is new.
    fn is_unknown_to_ec2(&self, instance: &InstanceId) -> bool {
        self.memory.instances.not_found.contains_key(instance) && !self.memory.kept.seen.contains_key(instance)
    }

    /// No group has listed the instance, by a reading newer than this node's first sight of it, and no agent answers there: without a group an agent does not know
    /// its cluster. A detached instance was listed once, and its agent leaves.
    fn is_unattached(&self, instance: &InstanceId) -> bool {
        let never_listed = self.memory.kept.seen.get(instance).is_some_and(|known| known.group.is_none());
        let first_seen = self.memory.instances.watched.get(instance);
        let read_since = self.seen.cloud.listed.at().zip(first_seen).is_some_and(|(read, first)| read > *first);
        never_listed && read_since && self.peer(instance).is_none()
    }

    /// It is there to be attached.
    fn runs_by_ec2(&self, instance: &InstanceId) -> bool {
        let runs = |answer: &Ec2Answer| matches!(answer, Ec2Answer::Known { state: Ec2State::Pending | Ec2State::Running, .. });
        self.seen.cloud.asked.get(instance).and_then(|asked| asked.fresh()).is_some_and(runs)
    }
}
