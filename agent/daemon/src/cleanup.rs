//! Removes leftovers on this disk beside the loop: when the agent starts, and every hour.

use std::sync::Arc;
use std::time::Duration;

use tracing::{Instrument, info, warn};

use crate::adapters::host::{Expired, Trash};
use crate::clock::Clock;
use crate::snapshot::DrillPlace;
use crate::telemetry::chain;

const EVERY: Duration = Duration::from_secs(3600);

/// See the module.
#[derive(Debug)]
pub struct Cleanup {
    /// What an agent left behind that was killed during a drill.
    pub drill: Arc<DrillPlace>,
    /// What was put aside. It is never a member's current data, whatever is decided meanwhile.
    pub trash: Arc<Trash>,
    /// How long it is kept; for ever if there is no limit.
    pub keep: Option<Duration>,
    /// The agent's.
    pub clock: Clock,
}

impl Cleanup {
    /// Starts the removal, which continues until the process ends.
    pub fn start(self) {
        let work = async move {
            let mut told = Vec::new();
            loop {
                told = self.clean_up(&told).await;
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::spawn(work.in_current_span());
    }

    /// Removes leftovers, and returns what failed. A failure is reported unless it was before.
    async fn clean_up(&self, told: &[String]) -> Vec<String> {
        let mut failed = Vec::new();
        if let Err(error) = self.drill.clear_leftovers().await {
            failed.push(format!("what a trial left over cannot be removed: {}", chain(&error)));
        }
        failed.extend(self.expire().await);
        failed.iter().filter(|why| !told.contains(why)).for_each(|why| warn!("{why}; it is tried again every hour"));
        failed
    }

    /// Removes expired data, but not on the loop's thread: freeing gigabytes takes a disk seconds.
    async fn expire(&self) -> Vec<String> {
        let Some(keep) = self.keep else { return Vec::new() };
        let (trash, now) = (Arc::clone(&self.trash), self.clock.now());
        let expired = tokio::task::spawn_blocking(move || trash.expire(now, keep)).await;
        let Expired { removed, failed } = match expired {
            Ok(expired) => expired,
            Err(error) => return vec![format!("what was put aside cannot be removed: {error}")],
        };
        for path in removed {
            info!("{} is removed: it was put aside more than {} hours ago", path.display(), keep.as_secs() / 3600);
        }
        failed.iter().map(|error| format!("what was put aside cannot be removed: {}", chain(error))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn cleanup(dir: &Path, keep: Option<Duration>) -> Cleanup {
        let drill = Arc::new(DrillPlace::new(dir.join("etcd.drill"), dir.join("drills.json"), "i-1".into()));
        Cleanup { drill, trash: Arc::new(Trash::new(dir.join("etcd.trash"))), keep, clock: Clock::start() }
    }

    #[tokio::test]
    async fn what_is_old_goes_and_what_fails_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let [leftover, old] = ["etcd.drill/trial-1-k", "etcd.trash/20240101T000000Z-left"].map(|name| dir.path().join(name));
        [&leftover, &old].into_iter().for_each(|path| fs::create_dir_all(path.join("member")).unwrap());
        assert!(cleanup(dir.path(), None).clean_up(&[]).await.is_empty());
        assert!(!leftover.exists() && old.exists(), "without a limit trash is kept for ever");
        fs::write(dir.path().join("etcd.trash/20240101T000000Z-file"), "").unwrap();
        let failed = cleanup(dir.path(), Some(EVERY)).clean_up(&[]).await;
        assert!(!old.exists() && failed.len() == 1 && failed[0].contains("-file"), "{failed:?}");
    }
}
