//! Waiting for something to become true, and saying what was awaited when it does not.

use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use quorate_core::ids::GroupName;
use tokio::time::Instant;

use super::Lab;
use super::site::Site;
use crate::region::{RefreshPreferences, RefreshStatus};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

impl Site {
    /// Looks until there is an answer; `look` says what is still missing.
    ///
    /// # Errors
    /// There was none in time: what was awaited, what was missing at last, and how the agents' logs end.
    pub async fn until<T, F, L>(&self, within: Duration, what: &str, mut look: F) -> anyhow::Result<T>
    where
        F: FnMut() -> L,
        L: Future<Output = Result<T, String>>,
    {
        let deadline = Instant::now() + within;
        loop {
            let missing = match look().await {
                Ok(answer) => return Ok(answer),
                Err(missing) => missing,
            };
            let troubles = self.host.troubles();
            if Instant::now() >= deadline || !troubles.is_empty() {
                let troubles = troubles.join("\n");
                bail!("waited {} s for {what}; at last: {missing}\n{troubles}\n{}", within.as_secs(), self.host.logs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Replaces what an instance refresh with these preferences replaces, and waits until it has succeeded.
    ///
    /// # Errors
    /// The region refuses it, or it has not succeeded in time.
    pub async fn refresh(&self, group: &GroupName, preferences: RefreshPreferences, within: Duration) -> anyhow::Result<()> {
        self.operator(|api| api.start_instance_refresh(group, Some(preferences)))?;
        let refreshed = || async {
            let region = self.region().lock();
            let status = region.group(group).and_then(|group| group.refreshes.last().map(|refresh| refresh.status));
            if status == Some(RefreshStatus::Successful) { Ok(()) } else { Err(format!("it is {status:?}")) }
        };
        self.until(within, "the refresh", refreshed).await
    }
}

impl Lab {
    /// Everything that the machine of an instance has logged.
    #[must_use]
    pub fn log(&self, instance: &quorate_core::ids::InstanceId) -> String {
        String::from_utf8_lossy(&std::fs::read(self.machines.log(instance)).unwrap_or_default()).into_owned()
    }
}
