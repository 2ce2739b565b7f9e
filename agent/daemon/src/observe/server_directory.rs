//! What a worker reads from the store: before it starts, which authority signs its servers' certificates; and other servers, if none that it knows answers and
//! AWS does not help either.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::authority::{AuthorityHash, Pin};
use quorate_core::endpoint_directory::EndpointDirectory;
use quorate_core::observation::Server;
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::adapters::object_store::{EndpointDirectoryStore, StoreError};
use crate::clients::Clients;
use crate::telemetry::chain;

/// The shortest pause between two questions, because a whole fleet of workers asks.
const PAUSE: Duration = Duration::from_secs(60);
/// For this many cycles only AWS, the peers and the servers themselves are asked.
const CYCLES_BEFORE: u32 = 5;

/// How long the store's answer on the authority is valid: a start takes no longer.
const GOOD: Duration = Duration::from_secs(120);
/// How soon a worker that is about to start asks again if the store did not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// What a worker asks the store for.
#[derive(Clone, Copy)]
pub(super) struct Need {
    /// No server that it knows answers.
    pub(super) server: bool,
    /// It is about to start.
    pub(super) authority: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct ServerDirectory {
    /// None on a node that does not ask.
    store: Option<Arc<EndpointDirectoryStore>>,
    lacking: Option<Timestamp>,
    asked: Option<Timestamp>,
    asking: Option<JoinHandle<Result<Option<EndpointDirectory>, StoreError>>>,
    published: Option<EndpointDirectory>,
    /// When the store last answered, whether or not anything is published there.
    answered: Option<Timestamp>,
    trouble: Option<String>,
}

impl ServerDirectory {
    /// For this node: servers never ask, because they know each other from etcd.
    pub(super) fn of(clients: &Clients) -> Self {
        Self { store: clients.published.clone().filter(|_| clients.me.role == Role::Worker), ..Self::default() }
    }

    /// The servers that the store named when it was last asked.
    pub(super) fn servers(&self) -> impl Iterator<Item = Server> {
        self.published.iter().flat_map(EndpointDirectory::servers)
    }

    /// How the servers are recognised: by a token of its own that names an authority, or by the store. If the store denies access or has nothing, there is no
    /// authority. If it does not answer, it may still name one.
    pub(super) fn authority(&self, token: Option<AuthorityHash>, now: Timestamp) -> Reading<Pin> {
        let answered = self.answered.is_some_and(|at| now.since(at) < GOOD);
        let store = self.published.as_ref().filter(|_| answered).and_then(|published| published.authority);
        match &self.trouble {
            _ if self.store.is_none() || answered || token.is_some() => Reading::Fresh(Pin::of(token, store), now),
            Some(why) => Reading::unknown(why.clone()),
            None => Reading::unknown("it was not asked yet"),
        }
    }

    /// Asks beside the cycle if that is due, and collects answers.
    pub(super) async fn look(&mut self, need: Need, policy: &Policy, now: Timestamp) {
        let Some(store) = self.store.clone() else { return };
        if self.asking.as_ref().is_some_and(JoinHandle::is_finished) {
            let answer = match self.asking.take() {
                Some(asking) => match asking.await {
                    // S3 says so to a caller that may not list, if there is no object.
                    Ok(Err(error)) if error.is_denied() => {
                        warn!("the store's list of servers may not be read here, or is not there: {}", chain(&error));
                        Ok(None)
                    }
                    Ok(answer) => answer.map_err(|error| chain(&error)),
                    Err(error) => Err(error.to_string()),
                },
                None => return,
            };
            self.take(answer, now);
        }
        let pause = if need.authority && self.answered.is_none_or(|at| now.since(at) >= GOOD) { AGAIN } else { PAUSE };
        let rests = self.asked.is_some_and(|at| now.since(at) < pause) || self.asking.is_some();
        let since = if need.server { Some(*self.lacking.get_or_insert(now)) } else { None };
        self.lacking = since;
        let lacks = since.is_some_and(|since| now.since(since) >= policy.cycle * CYCLES_BEFORE);
        if (lacks || (need.authority && pause == AGAIN)) && !rests {
            self.asked = Some(now);
            self.asking = Some(tokio::spawn(async move { store.read().await }));
        }
    }

    fn take(&mut self, answer: Result<Option<EndpointDirectory>, String>, now: Timestamp) {
        if answer.is_ok() {
            self.answered = Some(now);
        }
        match answer {
            Ok(Some(published)) => {
                if self.published.as_ref().is_none_or(|before| !before.says_the_same(&published)) {
                    info!("the store tells of {}, written by {}", published.servers.len(), published.written_by);
                }
                (self.published, self.trouble) = (Some(published), None);
            }
            Ok(None) => self.trouble = None,
            Err(why) => {
                if self.trouble.as_ref() != Some(&why) {
                    warn!("what the store tells of the servers cannot be read: {why}");
                }
                self.trouble = Some(why);
            }
        }
    }
}
