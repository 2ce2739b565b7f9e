//! What is left over on this disk is removed beside the loop: when the agent starts, and every hour.

use std::sync::Arc;
use std::time::Duration;

use tracing::{Instrument, warn};

use crate::snapshot::DrillPlace;
use crate::telemetry::chain;

const EVERY: Duration = Duration::from_secs(3600);

/// See the module.
#[derive(Debug)]
pub struct Tidy {
    drill: Arc<DrillPlace>,
    /// What failed the last time: it is said once.
    told: Vec<String>,
}

impl Tidy {
    /// Of these places.
    #[must_use]
    pub fn new(drill: Arc<DrillPlace>) -> Self {
        Self { drill, told: Vec::new() }
    }

    /// Goes on until the process ends.
    pub fn start(mut self) {
        let work = async move {
            loop {
                self.tidy().await;
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::spawn(work.in_current_span());
    }

    async fn tidy(&mut self) {
        let mut failed = Vec::new();
        if let Err(error) = self.drill.clear_leftovers().await {
            failed.push(format!("what a trial left over cannot be removed: {}", chain(&error)));
        }
        failed.iter().filter(|why| !self.told.contains(why)).for_each(|why| warn!("{why}"));
        self.told = failed;
    }
}
