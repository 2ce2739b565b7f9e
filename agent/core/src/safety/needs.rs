//! Requirements that many rules share, each with the refusal that follows if it is not met.

use crate::charter::Record;
use crate::ids::{InstanceId, MemberId, SnapshotKey};
use crate::observation::{Alarm, DataIdentity, LocalData, Lock, Membership, Process};

use super::facts::Facts;
use super::refusal::{DataFault, HookFault, LockState, MemberFault, SnapshotFault, Unread};
use super::verdict::{Verdict, forbid, require};

impl Facts<'_> {
    pub(super) fn needs_an_empty_disk(&self) -> Verdict {
        match self.seen.local.data.fresh() {
            Some(LocalData::Empty) => Ok(()),
            Some(LocalData::Present(data)) => Err(DataFault::NotEmpty(data.generation).into()),
            None => Err(Unread::Disk.into()),
        }
    }

    /// Requires that etcd reports no difference in its members' data. A new member could copy the wrong data, and the newest snapshot may hold it.
    pub(super) fn needs_equal_data(&self) -> Verdict {
        let corrupt =
            self.seen.etcd.statuses.values().filter_map(|status| status.fresh()).any(|status| status.alarms.contains(&Alarm::Corrupt));
        require(!corrupt, MemberFault::Corrupt)
    }

    pub(super) fn needs_a_stopped_service(&self) -> Verdict {
        match self.seen.local.process.fresh() {
            Some(Process::Stopped { .. }) => Ok(()),
            Some(Process::Running { since, .. }) => Err(MemberFault::Runs(*since).into()),
            None => Err(Unread::Process.into()),
        }
    }

    /// Requires that this data is what the record describes: of its generation and of its etcd cluster.
    pub(super) fn needs_data_of(&self, record: &Record, data: Option<&DataIdentity>) -> Verdict {
        let (generation, cluster) = (data.and_then(|d| d.generation), data.and_then(|d| d.cluster));
        let same = generation == Some(record.generation) && cluster.is_some() && cluster == record.etcd_cluster;
        require(same, DataFault::NotOfRecord { record: record.number, generation, cluster })
    }

    pub(super) fn needs_proof_of(&self, snapshot: &SnapshotKey) -> Verdict {
        require(self.seen.snapshots.fetched.as_ref() == Some(snapshot), SnapshotFault::NotProved(snapshot.clone()))
    }

    pub(super) fn needs_no_quorum(&self) -> Verdict {
        forbid(self.membership().ok(), |membership| MemberFault::QuorumAlive(membership.cluster))
    }

    /// Requires that this node's member leads, and has led for longer than an agent beside another leader may rely on what it read.
    pub(super) fn needs_a_long_lead(&self) -> Verdict {
        let leader = self.seen.etcd.membership.fresh().and_then(|m| m.leader);
        let mine = self.data().and_then(|d| d.member).filter(|_| self.votes());
        let led = self.gate.led().filter(|(led, _)| Some(*led) == leader && leader == mine);
        let (_, since) = led.ok_or(HookFault::DoesNotLead)?;
        require(self.now.since(since) > self.policy.stale_after, HookFault::LedTooShort(since))
    }

    /// Requires the lock, for longer than any one call may take.
    pub(super) fn needs_the_lock(&self) -> Verdict {
        require(self.lock_outlasts_a_call(), MemberFault::NoLock(self.lock_state()))
    }

    fn lock_state(&self) -> LockState {
        match self.seen.etcd.lock.fresh() {
            Some(Lock::Free) => LockState::Free,
            Some(Lock::Mine { .. }) => LockState::EndsSoon,
            Some(Lock::Other { holder, .. }) => LockState::HeldBy(holder.clone()),
            None => LockState::Unread,
        }
    }

    pub(super) fn needs_an_answer(&self, member: MemberId) -> Verdict {
        require(self.answers(member), MemberFault::Silent(member))
    }

    pub(super) fn needs_no_member_of(&self, membership: &Membership, instance: &InstanceId) -> Verdict {
        let is_member = membership.members.iter().any(|m| self.instance_behind(m).as_ref() == Some(instance));
        require(!is_member, MemberFault::StillMember(instance.clone()))
    }

    /// Requires that every voter answers.
    pub(super) fn needs_all_voters(&self, membership: &Membership) -> Verdict {
        forbid(membership.voters().find(|m| !self.answers(m.id)), |m| MemberFault::Silent(m.id))
    }
}
