//! A witness of the whole run: looks at every running member ten times a second and remembers what a promise is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use quorate_core::ids::{EtcdClusterId, InstanceId};
use quorate_core::time::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use super::etcd::{self, Clients, View};
use super::site::Site;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// A frozen member must not hold up the look at the others.
const PATIENCE: Duration = Duration::from_millis(400);

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    /// Every cluster id that any member ever stated.
    pub clusters: BTreeSet<EtcdClusterId>,
    /// The most clusters that had a leader in one and the same look: with two of them there would be two histories.
    pub most_clusters: usize,
    /// When an instance was first listed as a voter.
    pub voting_since: BTreeMap<InstanceId, Timestamp>,
    /// When the leader's list first lacked an instance that had voted.
    pub removed_at: BTreeMap<InstanceId, Timestamp>,
    /// The fewest voters on the leader's list, since counting was begun.
    pub fewest_voters: Option<usize>,
    /// The most members, learners too, on the leader's list, since counting was begun.
    pub most_members: usize,
    /// The leader and the number of voters, as seen last.
    pub now: Option<(String, usize)>,
    counting: bool,
}

/// Looks until it is dropped.
#[derive(Debug)]
pub struct Witness {
    seen: Arc<Mutex<Sightings>>,
    task: JoinHandle<()>,
}

impl Witness {
    /// Begins to look.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        let seen = Arc::<Mutex<Sightings>>::default();
        let site = site.clone();
        let into = seen.clone();
        let task = tokio::spawn(async move {
            let mut clients = Clients::default();
            let mut turns = interval(PAUSE);
            loop {
                turns.tick().await;
                let views = look(&mut clients, &site).await;
                lock(&into).take(&views, site.now());
            }
        });
        Self { seen, task }
    }

    /// Counts the fewest voters and the most members from now on: before, the cluster was only growing.
    pub fn count_voters(&self) {
        let mut seen = lock(&self.seen);
        (seen.counting, seen.fewest_voters, seen.most_members) = (true, None, 0);
    }

    /// Stops counting them: from here on, fewer are wanted.
    pub fn stop_counting(&self) {
        lock(&self.seen).counting = false;
    }

    /// What was seen so far.
    #[must_use]
    pub fn sightings(&self) -> Sightings {
        lock(&self.seen).clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(clients: &mut Clients, site: &Site) -> Vec<View> {
    let mut questions = Vec::new();
    for (instance, address) in site.powered() {
        if let Ok(client) = clients.with(address, site.host.credentials(&instance)).await {
            questions.push(timeout(PATIENCE, etcd::own_list(client)));
        }
    }
    join_all(questions).await.into_iter().filter_map(|answer| answer.ok()?.ok()).collect()
}

impl Sightings {
    fn take(&mut self, views: &[View], now: Timestamp) {
        self.clusters.extend(views.iter().map(|view| view.cluster));
        let led: BTreeSet<_> = views.iter().filter(|view| view.leads()).map(|view| view.cluster).collect();
        self.most_clusters = self.most_clusters.max(led.len());
        for voter in views.iter().flat_map(View::voters).filter(|voter| !voter.name.is_empty()) {
            self.voting_since.entry(InstanceId::new(&voter.name)).or_insert(now);
        }
        if let Some(leader) = views.iter().find(|view| view.leads()) {
            self.take_leaders(leader, now);
        }
    }

    /// The leader's list is the newest.
    fn take_leaders(&mut self, view: &View, now: Timestamp) {
        let voters: BTreeSet<_> = view.voters().map(|voter| voter.name.as_str()).collect();
        for gone in self.voting_since.keys().filter(|instance| !voters.contains(instance.as_str())) {
            self.removed_at.entry(gone.clone()).or_insert(now);
        }
        if self.counting {
            self.most_members = self.most_members.max(view.members.len());
            self.fewest_voters = Some(self.fewest_voters.map_or(voters.len(), |fewest| fewest.min(voters.len())));
        }
        let leader = view.members.iter().find(|member| member.id == view.member).map(|member| member.name.clone());
        self.now = leader.map(|leader| (leader, voters.len()));
    }
}

fn lock(seen: &Mutex<Sightings>) -> MutexGuard<'_, Sightings> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
