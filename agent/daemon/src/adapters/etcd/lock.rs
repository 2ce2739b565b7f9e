//! The cluster-wide lock: the key `/quorate/lock` under a lease.
//!
//! It is a courtesy between agents, backed by etcd's strict-reconfig-check. Its deadline is measured here by a clock that counts suspended time, from before
//! the call that granted or renewed it, so it never ends later here than in etcd.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Compare, CompareOp, GetOptions, GetResponse, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};
use quorate_core::ids::InstanceId;
use quorate_core::observation::Lock;
use quorate_core::pausing::Pause;
use quorate_core::plan::{LockPurpose, Outcome};
use quorate_core::text::{Foreign, printable};
use quorate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Etcd, EtcdError, outcome, pause};
use crate::telemetry::chain;

const KEY: &str = "/quorate/lock";

/// At most this many characters are shown of a value that no agent wrote.
pub(super) const SHOWN: usize = 80;

/// The lease that this process believes it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    lease: i64,
    /// How long each renewal lasts.
    granted: Duration,
    until: Timestamp,
}

/// The key's value.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    instance: InstanceId,
    purpose: Foreign,
}

impl Etcd {
    /// Reads the lock, linearizably.
    ///
    /// # Errors
    /// No quorum, no answer, or a learner.
    pub async fn lock(&self, url: &str, me: &InstanceId) -> Result<Lock, EtcdError> {
        self.lock_and_pause(url, me).await.map(|(lock, _)| lock)
    }

    /// Reads the lock and the cluster's pause at once, linearizably.
    ///
    /// # Errors
    /// No quorum, no answer, or a learner.
    pub async fn lock_and_pause(&self, url: &str, me: &InstanceId) -> Result<(Lock, Option<Pause>), EtcdError> {
        // The two keys are neighbours; a range excludes its end.
        let both = || GetOptions::new().with_range(format!("{}\0", pause::KEY));
        let response = self.endpoints.call(url, "Range", self.call_timeout, async |c| c.kv_client().get(KEY, Some(both())).await).await?;
        let entry = |key: &str| response.kvs().iter().find(|entry| entry.key() == key.as_bytes());
        let pause = entry(pause::KEY).map(pause::read);
        let lock = match entry(KEY) {
            None => {
                *self.held() = None;
                Lock::Free
            }
            Some(entry) => self.read(url, entry, me).await?,
        };
        Ok((lock, pause))
    }

    async fn read(&self, url: &str, entry: &KeyValue, me: &InstanceId) -> Result<Lock, EtcdError> {
        let Holder { instance, purpose } = holder(entry);
        if instance != *me {
            *self.held() = None;
            return Ok(Lock::Other { holder: instance, purpose });
        }
        let held = *self.held();
        let held = match held.filter(|h| h.lease == entry.lease()) {
            Some(held) => held,
            None => self.adopt(url, entry.lease()).await?,
        };
        Ok(Lock::Mine { remaining: held.until.since(self.clock.now()) })
    }

    /// Takes over a lease granted to an earlier run of this agent. etcd rounds its time down; -1 is an expired lease.
    async fn adopt(&self, url: &str, lease: i64) -> Result<Held, EtcdError> {
        let asked = self.clock.now();
        let call = async |c: &etcd_client::Client| c.lease_client().time_to_live(lease, None).await;
        let left = self.endpoints.call(url, "LeaseTimeToLive", self.call_timeout, call).await?;
        let held = Held { lease, granted: seconds(left.granted_ttl()), until: asked + seconds(left.ttl()) };
        *self.held() = Some(held);
        Ok(held)
    }

    /// Takes the lock, if it is free or this instance's own from before.
    ///
    /// # Flow
    /// It gets a lease first, then creates the key under it in one transaction. If it loses, it gives the lease back. etcd refuses this under NOSPACE.
    pub async fn acquire(&self, url: &str, me: &InstanceId, purpose: LockPurpose, ttl: Duration) -> Outcome {
        let held = match self.grant(url, ttl).await {
            Ok(held) => held,
            Err(error) => return outcome::of::<()>(Err(error), &[], &[]),
        };
        let value = value(me, purpose);
        match self.create_key(url, held.lease, &value).await {
            Ok(response) if response.succeeded() => self.holds(held),
            Ok(response) => self.contest(url, me, held, &value, current(&response)).await,
            Err(error) => self.unsure(url, held, error).await,
        }
    }

    async fn grant(&self, url: &str, ttl: Duration) -> Result<Held, EtcdError> {
        let asked = self.clock.now();
        let seconds_asked = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX).max(1);
        let call = async |c: &etcd_client::Client| c.lease_client().grant(seconds_asked, None).await;
        let granted = self.endpoints.call(url, "LeaseGrant", self.call_timeout, call).await?;
        // etcd grants more than was asked for where its election time-out requires it.
        let (lease, granted) = (granted.id(), seconds(granted.ttl()));
        Ok(Held { lease, granted, until: asked + granted })
    }

    async fn create_key(&self, url: &str, lease: i64, value: &str) -> Result<TxnResponse, EtcdError> {
        let put = TxnOp::put(KEY, value, Some(PutOptions::new().with_lease(lease)));
        let txn = Txn::new().when([Compare::create_revision(KEY, CompareOp::Equal, 0)]).and_then([put]).or_else([TxnOp::get(KEY, None)]);
        self.endpoints.call(url, "Txn", self.call_timeout, async |c| c.kv_client().txn(txn).await).await
    }

    /// Handles a key that existed already: another's, or this instance's own from before, which is moved to the new lease.
    async fn contest(&self, url: &str, me: &InstanceId, held: Held, value: &str, found: Option<KeyValue>) -> Outcome {
        let Some(found) = found else {
            self.revoke(url, held.lease).await.ok();
            return Outcome::Unclear("the lock was taken and given back at once".to_owned());
        };
        let Holder { instance, purpose } = holder(&found);
        if instance != *me {
            self.revoke(url, held.lease).await.ok();
            return Outcome::Refused(format!("{instance} holds the lock ({purpose})"));
        }
        match self.replace_key(url, held.lease, value, found.mod_revision()).await {
            Ok(response) if response.succeeded() => {
                self.revoke(url, found.lease()).await.ok();
                self.holds(held)
            }
            Ok(_) => {
                self.revoke(url, held.lease).await.ok();
                Outcome::Unclear("the lock changed hands meanwhile".to_owned())
            }
            Err(error) => self.unsure(url, held, error).await,
        }
    }

    async fn replace_key(&self, url: &str, lease: i64, value: &str, revision: i64) -> Result<TxnResponse, EtcdError> {
        let put = TxnOp::put(KEY, value, Some(PutOptions::new().with_lease(lease)));
        let txn = Txn::new().when([Compare::mod_revision(KEY, CompareOp::Equal, revision)]).and_then([put]);
        self.endpoints.call(url, "Txn", self.call_timeout, async |c| c.kv_client().txn(txn).await).await
    }

    fn holds(&self, held: Held) -> Outcome {
        *self.held() = Some(held);
        Outcome::Done
    }

    /// Handles a failed transaction. Where it may have happened, the lease is remembered, so the next look knows its deadline. After a clear refusal it is
    /// given back at once; a put refused for lack of space may have been applied anyway.
    async fn unsure(&self, url: &str, held: Held, error: EtcdError) -> Outcome {
        if error.refusal().is_some() {
            self.revoke(url, held.lease).await.ok();
        } else {
            *self.held() = Some(held);
        }
        outcome::of::<()>(Err(error), &[], &[])
    }

    /// Renews the lease.
    pub async fn renew(&self, url: &str) -> Outcome {
        let Some(held) = *self.held() else { return Outcome::Refused("this agent does not hold the lock".to_owned()) };
        let asked = self.clock.now();
        // It sends one ping and waits for the answer. An expired lease is an error of the client's own.
        let call = async |c: &etcd_client::Client| c.lease_client().keep_alive(held.lease).await;
        match self.endpoints.call(url, "LeaseKeepAlive", self.call_timeout, call).await {
            Ok(_) => self.holds(Held { until: asked + held.granted, ..held }),
            Err(EtcdError::Transport { source, .. }) if matches!(*source, etcd_client::Error::LeaseKeepAliveError(_)) => {
                Outcome::Refused("the lock's lease has run out".to_owned())
            }
            Err(error) => outcome::of::<()>(Err(error), &[], &[]),
        }
    }

    /// Gives the lock back. Without a lease in memory, as after a restart, the key says which one it is.
    pub async fn release(&self, url: &str, me: &InstanceId) -> Outcome {
        if self.held().is_none() {
            match self.lock(url, me).await {
                Ok(Lock::Mine { .. }) => {}
                Ok(Lock::Free | Lock::Other { .. }) => return Outcome::Done,
                Err(error) => return Outcome::Unclear(chain(&error)),
            }
        }
        let Some(Held { lease, .. }) = *self.held() else { return Outcome::Done };
        let outcome = outcome::of(self.revoke(url, lease).await, &["requested lease not found"], &[]);
        if outcome == Outcome::Done {
            *self.held() = None;
        }
        outcome
    }

    async fn revoke(&self, url: &str, lease: i64) -> Result<(), EtcdError> {
        let call = async |c: &etcd_client::Client| c.lease_client().revoke(lease).await;
        self.endpoints.call(url, "LeaseRevoke", self.call_timeout, call).await.map(|_| ())
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock's holder. A value that no agent wrote still blocks, and the report shows it.
fn holder(entry: &KeyValue) -> Holder {
    serde_json::from_slice(entry.value()).unwrap_or_else(|_| Holder {
        instance: InstanceId::new("i-unknown"),
        purpose: format!("{KEY} holds what no agent wrote: {}", printable(&String::from_utf8_lossy(entry.value()), SHOWN)).into(),
    })
}

fn value(me: &InstanceId, purpose: LockPurpose) -> String {
    serde_json::json!({ "instance": me, "purpose": purpose.words() }).to_string()
}

fn current(response: &TxnResponse) -> Option<KeyValue> {
    let first = response.op_responses().into_iter().next();
    let Some(TxnOpResponse::Get(get)) = first else { return None };
    GetResponse::kvs(&get).first().cloned()
}

fn seconds(ttl: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl).unwrap_or_default())
}
