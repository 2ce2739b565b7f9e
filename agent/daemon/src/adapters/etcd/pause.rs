//! The cluster's pause: the key `/quorate/pause`, beside the lock's and without a lease.

use etcd_client::{Compare, CompareOp, KeyValue, Txn, TxnOp};
use quorate_core::ids::InstanceId;
use quorate_core::pausing::Pause;
use quorate_core::plan::Outcome;
use quorate_core::time::Timestamp;

use super::{Etcd, outcome};

pub(super) const KEY: &str = "/quorate/pause";

/// What the key says. A value that no agent wrote pauses all the same: somebody wanted something there.
pub(super) fn read(entry: &KeyValue) -> Pause {
    serde_json::from_slice(entry.value()).unwrap_or_else(|_| Pause {
        since: Timestamp(0),
        by: format!("whoever wrote {KEY}: {}", String::from_utf8_lossy(entry.value()).chars().take(80).collect::<String>()),
        on: InstanceId::new("unknown"),
    })
}

impl Etcd {
    /// Writes the cluster's pause, unless there is one: that stands, and is as good.
    pub async fn set_pause(&self, url: &str, pause: &Pause) -> Outcome {
        let value = serde_json::json!(pause).to_string();
        let put = TxnOp::put(KEY, value, None);
        let txn = Txn::new().when([Compare::create_revision(KEY, CompareOp::Equal, 0)]).and_then([put]);
        outcome::of(self.endpoints.call(url, "Txn", self.call_timeout, async |c| c.kv_client().txn(txn).await).await, &[], &[])
    }

    /// Deletes it.
    pub async fn clear_pause(&self, url: &str) -> Outcome {
        outcome::of(
            self.endpoints.call(url, "DeleteRange", self.call_timeout, async |c| c.kv_client().delete(KEY, None).await).await,
            &[],
            &[],
        )
    }
}
