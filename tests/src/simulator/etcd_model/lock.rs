//! The agents' lock: a key under a lease, linearizable, gone when the lease runs out.

use std::time::Duration;

use quorate_core::ids::{EtcdClusterId, InstanceId};
use quorate_core::pausing::Pause;
use quorate_core::time::Timestamp;

use super::{CallError, Etcd, Host, Links};

/// The holder of one cluster's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) holder: InstanceId,
    pub(crate) purpose: &'static str,
    pub(crate) until: Timestamp,
    ttl: Duration,
}

impl Etcd {
    /// The lock as a quorum reports it through `at`.
    ///
    /// # Errors
    /// No quorum.
    pub(crate) fn lock(&self, at: Host, now: Timestamp, links: &impl Links) -> Result<Option<&Held>, CallError> {
        let cluster = self.linearizable(at, links)?;
        Ok(self.locks.get(&cluster).filter(|held| now < held.until))
    }

    /// Takes the lock if no other node has it.
    ///
    /// # Errors
    /// Another node has it, or no quorum.
    pub(crate) fn acquire(
        &mut self,
        at: Host,
        (holder, purpose): (&InstanceId, &'static str),
        ttl: Duration,
        now: Timestamp,
        links: &impl Links,
    ) -> Result<(), CallError> {
        if self.lock(at, now, links)?.is_some_and(|held| held.holder != *holder) {
            return Err(CallError::Refused("the lock is held"));
        }
        let cluster = self.linearizable(at, links)?;
        self.locks.insert(cluster, Held { holder: holder.clone(), purpose, until: now + ttl, ttl });
        Ok(())
    }

    /// Renews the holder's lease.
    ///
    /// # Errors
    /// It is no longer the holder, or no quorum.
    pub(crate) fn renew(&mut self, at: Host, holder: &InstanceId, now: Timestamp, links: &impl Links) -> Result<(), CallError> {
        let cluster = self.linearizable(at, links)?;
        match self.locks.get_mut(&cluster) {
            Some(held) if held.holder == *holder && now < held.until => {
                held.until = now + held.ttl;
                Ok(())
            }
            _ => Err(CallError::Refused("etcdserver: requested lease not found")),
        }
    }

    /// Releases the lock; does nothing if another node holds it.
    ///
    /// # Errors
    /// No quorum.
    pub(crate) fn release(&mut self, at: Host, holder: &InstanceId, links: &impl Links) -> Result<(), CallError> {
        let cluster = self.linearizable(at, links)?;
        if self.locks.get(&cluster).is_some_and(|held| held.holder == *holder) {
            self.locks.remove(&cluster);
        }
        Ok(())
    }

    /// The cluster's pause as a quorum reports it through `at`.
    ///
    /// # Errors
    /// No quorum.
    pub(crate) fn pause(&self, at: Host, links: &impl Links) -> Result<Option<Pause>, CallError> {
        let cluster = self.linearizable(at, links)?;
        Ok(self.pauses.get(&cluster).cloned())
    }

    /// Writes it unless there is one, or deletes it.
    ///
    /// # Errors
    /// No quorum.
    pub(crate) fn set_pause(&mut self, at: Host, pause: Option<&Pause>, links: &impl Links) -> Result<(), CallError> {
        let cluster = self.linearizable(at, links)?;
        match pause {
            Some(pause) => drop(self.pauses.entry(cluster).or_insert_with(|| pause.clone())),
            None => drop(self.pauses.remove(&cluster)),
        }
        Ok(())
    }

    /// Whether any cluster's lock is held.
    pub(crate) fn lock_is_held(&self, now: Timestamp) -> bool {
        self.locks.iter().any(|(cluster, held)| now < held.until && self.live_hosts().any(|h| self.cluster_of(h) == Some(*cluster)))
    }

    /// Whether it is held by this one.
    pub(crate) fn holds_lock(&self, holder: &InstanceId, now: Timestamp) -> bool {
        self.locks.values().any(|held| now < held.until && held.holder == *holder)
    }

    fn cluster_of(&self, host: Host) -> Option<EtcdClusterId> {
        self.servers[host].data.as_ref().map(|d| d.cluster)
    }

    /// The fault "the lease ran out under a live holder".
    pub(crate) fn expire_locks(&mut self) {
        self.locks.clear();
    }

    /// A new leader gives every lease its full time again.
    pub(super) fn extend_lock(&mut self, cluster: EtcdClusterId) {
        if let Some(held) = self.locks.get_mut(&cluster) {
            held.until = held.until + held.ttl / 2;
        }
    }

    /// Proves that `at` speaks for a quorum, and says of which cluster.
    fn linearizable(&self, at: Host, links: &impl Links) -> Result<EtcdClusterId, CallError> {
        let (data, _) = self.servers[at].live().filter(|(_, run)| run.ready).ok_or(CallError::Timeout)?;
        self.leader_near(at, links).filter(|l| self.has_quorum(*l, links)).ok_or(CallError::Timeout)?;
        Ok(data.cluster)
    }
}
