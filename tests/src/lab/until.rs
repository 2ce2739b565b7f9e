//! Waiting for something to become true, and saying what was awaited when it does not.

use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use super::Lab;
use super::site::Site;

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
}

impl Lab {
    /// Everything that the machine of an instance has logged.
    #[must_use]
    pub fn log(&self, instance: &quorate_core::ids::InstanceId) -> String {
        String::from_utf8_lossy(&std::fs::read(self.machines.log(instance)).unwrap_or_default()).into_owned()
    }
}
