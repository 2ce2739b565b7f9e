//! Builds one observation: everything is asked side by side, and each fact has its own age. It reports; it never decides.

mod cloud;
mod etcd;
mod imds;
mod kubernetes;
mod last;
mod local;
mod peers;
mod server_directory;
mod snapshots;

use std::time::Duration;

use quorate_core::charter::StoreView;
use quorate_core::engine::Engine;
use quorate_core::ids::MemberId;
use quorate_core::memory::Memory;
use quorate_core::observation::{KubernetesView, Local, Me, Observation, Process, Shutdown};
use quorate_core::plan::Step;
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::role::Role;
use quorate_core::sources::{Failure, Source, Sources};
use quorate_core::time::Timestamp;

use crate::adapters::peer::Callers;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::config::Settings;
use crate::telemetry::chain;
use cloud::CloudObserver;
use etcd::EtcdObserver;
use imds::ImdsObserver;
use kubernetes::KubernetesObserver;
use last::Last;
use local::LocalObserver;
use peers::PeersObserver;
use server_directory::ServerDirectory;
use snapshots::SnapshotsObserver;

/// The pause between reads of the store while nothing changes: one LIST a minute costs little and shows a vanished record soon enough.
const STORE_PAUSE_STEADY: Duration = Duration::from_secs(60);
/// The pause otherwise.
const STORE_PAUSE: Duration = Duration::from_millis(900);

/// Looks at everything, and keeps what was last seen.
pub struct Observer {
    me: Me,
    policy: Policy,
    clients: Clients,
    imds: ImdsObserver,
    store: Last<quorate_core::charter::StoreView>,
    cloud: CloudObserver,
    peers: PeersObserver,
    local: LocalObserver,
    etcd: EtcdObserver,
    kubernetes: KubernetesObserver,
    snapshots: SnapshotsObserver,
    /// The members at the last look: a change means that the charter was written too, most likely by another.
    members: Vec<MemberId>,
    /// The last look found a voter in an established cluster with nothing to do but serve.
    steady: bool,
}

impl Observer {
    /// An observer that has seen nothing yet. The peer server notes in `callers` which instances ask.
    #[must_use]
    pub fn new(settings: &Settings, clients: &Clients, callers: Callers) -> Self {
        Self {
            me: clients.me.clone(),
            policy: settings.policy.clone(),
            clients: clients.clone(),
            imds: ImdsObserver::default(),
            store: Last::default(),
            cloud: CloudObserver::new(settings, clients),
            peers: PeersObserver::new(settings, clients, callers),
            local: LocalObserver::new(settings, clients),
            etcd: EtcdObserver::new(settings, clients),
            kubernetes: KubernetesObserver::new(clients.kubernetes.clone(), clients.me.instance.clone(), ServerDirectory::of(clients)),
            snapshots: SnapshotsObserver::new(clients.snapshots.clone()),
            members: Vec::new(),
            steady: false,
        }
    }

    /// This instance.
    #[must_use]
    pub fn me(&self) -> &Me {
        &self.me
    }

    /// Looks at everything that is due. The engine says what is known of others and what to ask AWS, and notes which questions were asked. `shutdown` is the
    /// machine's own, which comes by signals and is not asked for.
    pub async fn observe(&mut self, engine: &mut Engine, shutdown: Option<Shutdown>, clock: Clock) -> Observation {
        let now = clock.now();
        let memory = engine.memory();
        let local = self.local.look(shutdown, clock).await;
        tokio::join!(
            self.imds.look(&self.clients, &self.policy, now),
            look_at_store(&mut self.store, &self.clients, memory, self.steady, now),
            self.peers.look(memory, now),
            self.etcd.look(&local, memory, now),
            self.snapshots.look(self.steady, now),
        );
        self.tell(engine.sources(), &local, now);
        let mut seen = self.assemble(local, now);
        seen.kubernetes = self.kubernetes.look(&seen, engine.memory(), &self.policy, now).await;
        self.cloud.look(&mut seen, engine, &self.policy, now).await;
        self.steady = is_steady(&seen, engine.memory());
        self.notice_change_of_members(&seen);
        seen
    }

    /// Reports which of the sources just asked could be read. AWS is asked later.
    fn tell(&self, sources: &mut Sources, local: &Local, now: Timestamp) {
        self.imds.tell(sources, now);
        self.snapshots.tell(sources, now);
        let store = self.store.tried(now).filter(|_| self.store.value() != Some(&StoreView::NotConfigured));
        store.into_iter().for_each(|result| sources.note(Source::Store, "charter", result, now));
        if self.me.role == Role::Worker {
            // Here runs a kubelet and no etcd.
            return;
        }
        if matches!(local.process.fresh(), Some(Process::Running { .. })) {
            let membership = self.etcd.view().membership;
            let result = membership.fresh().map(drop).ok_or_else(|| Failure::of(&membership.why_not_fresh()));
            sources.note(Source::Etcd, "membership", result, now);
        } else {
            sources.note(Source::Etcd, "membership", Ok(()), now);
        }
    }

    fn notice_change_of_members(&mut self, seen: &Observation) {
        let Some(membership) = seen.etcd.membership.fresh() else { return };
        let members: Vec<MemberId> = membership.members.iter().map(|m| m.id).collect();
        if members != self.members {
            self.members = members;
            self.store.expire();
        }
    }

    /// Makes the next look read again what a step may have changed.
    pub fn after(&mut self, step: &Step, now: Timestamp) {
        match step {
            Step::CreateRecord(_) => self.store.expire(),
            Step::PruneSnapshots { .. } => self.snapshots.may_have_changed(),
            Step::CompleteHook { .. } => self.cloud.own_state_may_have_changed(now),
            _ => {}
        }
    }

    fn assemble(&mut self, local: Local, now: Timestamp) -> Observation {
        let store_limit = if self.steady { STORE_PAUSE_STEADY * 3 / 2 } else { self.policy.stale_after };
        Observation {
            me: self.me.clone(),
            target: self.imds.target(&self.policy, now),
            notices: self.imds.notices(&self.policy, now),
            cloud: self.cloud.cloud(now, &self.policy),
            store: self.store.reading(now, store_limit, "the store was not read yet"),
            peers: self.peers.readings(now, self.policy.stale_after),
            callers: self.peers.callers(),
            local,
            etcd: self.etcd.view(),
            kubernetes: KubernetesView::none(),
            snapshots: self.snapshots.view(self.steady, now),
        }
    }
}

fn is_steady(seen: &Observation, memory: &Memory) -> bool {
    let record_stands = matches!(memory.kept.record.as_ref().map(|r| &r.state), Some(quorate_core::charter::State::Established));
    let membership = seen.etcd.membership.fresh();
    let votes = membership.is_some_and(|m| m.voters().any(|v| v.name.as_ref() == Some(&seen.me.instance)));
    let alone_in_change = membership.is_some_and(|m| m.learner().is_none());
    let serves = matches!(seen.local.process.fresh(), Some(Process::Running { loopback_only: false, .. }));
    let number = memory.kept.record.as_ref().map(|r| r.number);
    // The others write the charter too: it is read again at once where one of them has seen a later record, and while an authority is rotated.
    let told_later = seen.peers.values().filter_map(|p| p.fresh()?.record.as_ref()).any(|r| Some(r.number) > number);
    let rotates = memory.kept.record.as_ref().is_some_and(|r| r.rotation.is_some());
    let settled = !told_later && !rotates;
    settled && record_stands && votes && alone_in_change && serves && memory.leaving.is_none() && memory.kept.order.is_none()
}

async fn look_at_store(
    store: &mut Last<quorate_core::charter::StoreView>,
    clients: &Clients,
    memory: &Memory,
    steady: bool,
    now: Timestamp,
) {
    let pause = if steady { STORE_PAUSE_STEADY } else { STORE_PAUSE };
    if store.is_due(now, pause) {
        store.take(clients.store.read(memory.kept.record.as_ref()).await.map_err(|error| chain(&error)), now);
    }
}

/// A reading that is valid for this cycle only: after a failure it is stale, however young its last value.
fn of_this_cycle<T: Clone>(result: Result<T, String>, before: Option<&(T, Timestamp)>, now: Timestamp) -> Reading<T> {
    match (result, before) {
        (Ok(value), _) => Reading::Fresh(value, now),
        (Err(_), Some((value, at))) => Reading::Stale(value.clone(), *at),
        (Err(why), None) => Reading::unknown(why),
    }
}
