//! Whether the API server of this computer may answer: as long as its own etcd gives linearizable reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use etcd_client::{Client, GetOptions};

use super::log;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// A read that takes longer has failed.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Whether it is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<AtomicBool>);

impl Gate {
    pub(super) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Keeps looking. A learner gives no linearizable read: its server waits for its promotion.
    pub(super) async fn watch(&self, mut client: Client) {
        loop {
            let read = client.get("health", Some(GetOptions::new().with_count_only()));
            let open = matches!(tokio::time::timeout(PATIENCE, read).await, Ok(Ok(_)));
            if self.0.swap(open, Ordering::Relaxed) != open {
                log::info(if open { "Kube API server is now running" } else { "etcd gives no linearizable read: the API server is away" });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
