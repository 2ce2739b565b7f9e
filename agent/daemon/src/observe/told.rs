//! Whom the store tells of: the last resort of a worker that knows no server that answers, where AWS does not help it either.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::observation::Server;
use quorate_core::policy::Policy;
use quorate_core::published::Published;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::adapters::object_store::{PublishedStore, StoreError};
use crate::telemetry::chain;
use crate::world::World;

/// A fleet of workers asks the store at most so often.
const PAUSE: Duration = Duration::from_secs(60);
/// AWS, the peers and the servers themselves are asked for so many cycles before.
const CYCLES_BEFORE: u32 = 5;

/// See the module.
#[derive(Default)]
pub(super) struct Told {
    /// None where nobody is to ask.
    store: Option<Arc<PublishedStore>>,
    lacking: Option<Timestamp>,
    asked: Option<Timestamp>,
    asking: Option<JoinHandle<Result<Option<Published>, StoreError>>>,
    published: Option<Published>,
    trouble: Option<String>,
}

impl Told {
    /// Servers know each other by etcd.
    pub(super) fn of(world: &World) -> Self {
        Self { store: world.published.clone().filter(|_| world.me.role == Role::Worker), ..Self::default() }
    }

    /// The servers that the store told of, the last time that it was asked.
    pub(super) fn servers(&self) -> impl Iterator<Item = Server> {
        self.published.iter().flat_map(Published::servers)
    }

    /// Asks beside the cycle if that is due, and takes in what has come.
    pub(super) async fn look(&mut self, healthy: bool, policy: &Policy, now: Timestamp) {
        let Some(store) = self.store.clone() else { return };
        if self.asking.as_ref().is_some_and(JoinHandle::is_finished) {
            let answer = match self.asking.take() {
                Some(asking) => asking.await.map_err(|error| error.to_string()).and_then(|answer| answer.map_err(|error| chain(&error))),
                None => return,
            };
            self.take(answer);
        }
        if healthy {
            self.lacking = None;
            return;
        }
        let since = *self.lacking.get_or_insert(now);
        let rests = self.asked.is_some_and(|at| now.since(at) < PAUSE) || self.asking.is_some();
        if now.since(since) >= policy.cycle * CYCLES_BEFORE && !rests {
            self.asked = Some(now);
            self.asking = Some(tokio::spawn(async move { store.read().await }));
        }
    }

    fn take(&mut self, answer: Result<Option<Published>, String>) {
        match answer {
            Ok(Some(published)) => {
                if self.published.as_ref().is_none_or(|before| !before.says_the_same(&published)) {
                    info!("no server answers; the store tells of {}, written by {}", published.servers.len(), published.written_by);
                }
                (self.published, self.trouble) = (Some(published), None);
            }
            Ok(None) => self.trouble = None,
            Err(why) => {
                if self.trouble.as_ref() != Some(&why) {
                    warn!("no server answers, and what the store tells of them cannot be read: {why}");
                }
                self.trouble = Some(why);
            }
        }
    }
}
