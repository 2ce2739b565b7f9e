//! One cycle of the loop, with its result: all questions about this node are answered from the last one, at once, however long the next takes.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::charter::State;
use quorate_core::ids::{InstanceId, MemberId};
use quorate_core::memory::Memory;
use quorate_core::observation::{Member, Observation};
use quorate_core::plan::Plan;
use quorate_core::policy::Policy;
use quorate_core::role::Role;
use quorate_core::safety::Refusal;
use quorate_core::situation::Situation;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use tokio::sync::watch;

/// A cycle with silent peers takes some seconds; the watchdog of `quorate.service` waits for a minute.
const OLD: Duration = Duration::from_secs(15);

/// What was seen, what was decided, and the basis for it.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// What was seen.
    pub seen: Observation,
    /// What is remembered.
    pub memory: Memory,
    /// What the operator chose.
    pub policy: Arc<Policy>,
    /// What was decided.
    pub plan: Plan,
    /// Why the gate refused the step, if it did.
    pub refusal: Option<Refusal>,
    /// Since when the decision has been the same.
    pub since: Timestamp,
    /// When it was decided.
    pub at: Timestamp,
}

impl Cycle {
    /// Quorate's own etcd runs here, in a cluster with TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        let record = self.memory.kept.record.as_ref();
        self.seen.me.role == Role::Etcd && record.is_some_and(|record| record.transport == Transport::Tls)
    }

    /// The facts derived from it.
    #[must_use]
    pub fn situation(&self) -> Situation<'_> {
        Situation::new(&self.seen, &self.memory, &self.policy, self.at)
    }

    /// Whether this node's member is the leader, confirmed by a quorum.
    #[must_use]
    pub fn leads(&self) -> bool {
        let membership = self.seen.etcd.membership.fresh();
        let leader = membership.and_then(|m| m.get(m.leader?));
        leader.is_some_and(|member| member.name.as_ref() == Some(&self.seen.me.instance))
    }

    /// The voters, confirmed by a quorum, that serve clients and do not say that they are leaving; none until the cluster is established.
    #[must_use]
    pub fn staying_voters(&self) -> Option<Vec<&Member>> {
        self.memory.kept.record.as_ref().filter(|record| record.state == State::Established)?;
        let stays =
            |member: &&Member| member.client_url.is_some() && member.name.as_ref().is_some_and(|name| self.stays(name) && self.knows(name));
        Some(self.seen.etcd.membership.fresh()?.voters().filter(stays).collect())
    }

    /// Whether it is this instance, or is known from AWS or the charter: any client that may write to etcd may list a member under any name.
    fn knows(&self, instance: &InstanceId) -> bool {
        let listed = self.memory.kept.record.as_ref().is_some_and(|record| record.lists(instance));
        *instance == self.seen.me.instance || listed || self.memory.kept.seen.contains_key(instance)
    }

    /// Whether it does not say that it is leaving.
    #[must_use]
    pub fn stays(&self, instance: &InstanceId) -> bool {
        if *instance == self.seen.me.instance {
            return self.memory.leaving.is_none();
        }
        !self.seen.peers.get(instance).and_then(|peer| peer.fresh()).is_some_and(|peer| peer.leaving)
    }

    /// How long ago it was decided, if that is longer than any cycle takes with silent peers: it is then no longer reliable.
    #[must_use]
    pub fn age_if_old(&self, now: Timestamp) -> Option<Duration> {
        let age = now.since(self.at);
        (age > OLD.max(self.policy.cycle * 4)).then_some(age)
    }

    /// Whether the member itself answered just now, and knows a leader.
    #[must_use]
    pub fn is_healthy(&self, member: MemberId) -> bool {
        self.seen.etcd.statuses.get(&member).and_then(|s| s.fresh()).is_some_and(|s| s.leader.is_some())
    }
}

/// The last cycle; none before the first one has finished.
pub type LastCycle = watch::Receiver<Option<Arc<Cycle>>>;

/// The last cycle; waits if none has finished yet. None if the agent stops first.
pub async fn last(cycles: &mut LastCycle) -> Option<Arc<Cycle>> {
    cycles.wait_for(Option::is_some).await.ok()?.clone()
}
