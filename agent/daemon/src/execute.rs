//! Executes the one step that was decided. Nothing here chooses by the cluster's state: each step contains all that it needs.

use std::path::Path;
use std::time::Duration;

use quorate_core::ids::{Generation, SnapshotKey};
use quorate_core::plan::{Outcome, Start, Step, StopReason, Via, peer_url};
use quorate_core::snapshot::SnapshotOrder;
use quorate_core::transport::Transport;

use crate::adapters::host::{DataDir, HostError, Label, RestoreOrder, RestoreTool};
use crate::adapters::object_store::{SnapshotStore, StoreError};
use crate::adapters::service_manager::ServiceError;
use crate::clients::{Clients, FoundingUrls};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crash::CrashPoint;
use crate::telemetry::chain;

/// How long etcd may take to stop after SIGTERM, before SIGKILL: it hands over leadership first, for up to 7 s by its defaults.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long the restore tool may take; it copies the whole database.
const RESTORE_LIMIT: Duration = Duration::from_secs(600);
/// The same for a distribution that restores itself: there are other things to do before and after it.
const DISTRIBUTION_LIMIT: Duration = Duration::from_secs(540);

/// How long deletions may take: the watchdog of `quorate.service` waits for a minute.
const PRUNE_LIMIT: Duration = Duration::from_secs(20);

/// Executes steps.
pub struct Executor {
    clients: Clients,
    clock: Clock,
    policy: quorate_core::policy::Policy,
    restore_tool: Option<std::path::PathBuf>,
    binary: std::path::PathBuf,
    data_dir: DataDir,
    /// Where this node's etcd serves clients while it serves only this node.
    founding: FoundingUrls,
    crash: Option<CrashPoint>,
}

impl Executor {
    /// An executor on this machine.
    #[must_use]
    pub fn new(settings: &Settings, clients: Clients, clock: Clock) -> Self {
        Self {
            founding: clients.founding_urls(settings),
            data_dir: clients.data_dir(settings),
            clients,
            clock,
            policy: settings.policy.clone(),
            restore_tool: settings.etcd.restore_tool.clone(),
            binary: settings.etcd.binary.clone(),
            crash: CrashPoint::from_environment(),
        }
    }

    /// Executes one step, once.
    ///
    /// # Guarantees
    /// It is bounded in time and idempotent: after a crash or a lost answer, the next look shows whether it happened.
    pub async fn execute(&self, step: &Step) -> Outcome {
        self.crash.iter().for_each(|point| point.before(step));
        let outcome = self.act(step).await;
        self.crash.iter().for_each(|point| point.after(step));
        outcome
    }

    /// How long this step may take, if that is longer than any other's.
    #[must_use]
    pub fn may_take(step: &Step) -> Option<Duration> {
        matches!(step, Step::RestoreOwnData { .. } | Step::RestoreSnapshot { .. }).then_some(RESTORE_LIMIT)
    }

    async fn act(&self, step: &Step) -> Outcome {
        let clients = &self.clients;
        let me = &clients.me.instance;
        match step {
            Step::Heartbeat { hook } => clients.autoscaling.heartbeat(hook, me).await,
            Step::CompleteHook { hook, instance, result } => clients.autoscaling.complete(hook, instance, *result).await,
            // Without a store the memory, which keeps every accepted record, is the log.
            Step::CreateRecord(_) if !clients.has_store => Outcome::Done,
            Step::CreateRecord(record) => clients.store.create(record).await,
            Step::StartMember(start, transport) => self.start(start, *transport).await,
            Step::StopMember(reason) => of(self.stop(*reason).await),
            Step::PutDataAside { why } => self.put_aside(why.name()).await,
            Step::AdoptData { owner, .. } => of(self.data_dir.adopt(owner, me)),
            Step::RestoreOwnData { generation, token, .. } if clients.distribution.is_some() => {
                self.have_own_restored(*generation, token).await
            }
            Step::RestoreOwnData { generation, token, transport } => {
                of(self.restore(&self.restore_order(*generation, token, *transport)).await)
            }
            Step::FetchSnapshot { key } => match &clients.snapshots {
                // A node that could not restore it afterwards does not begin. A distribution restores with its own binary.
                Some(snapshots) => match self.tool() {
                    Err(error) if clients.distribution.is_none() => Outcome::Refused(chain(&error)),
                    _ => snapshots.begin_fetch(key),
                },
                None => Outcome::Refused(NO_SNAPSHOTS.to_owned()),
            },
            Step::RestoreSnapshot { key, generation, token, transport } => match &clients.snapshots {
                Some(snapshots) if clients.distribution.is_some() => self.have_restored(&snapshots.place(key), *generation, token).await,
                Some(snapshots) => {
                    let order = self.restore_order(*generation, token, *transport);
                    of(self.restore_snapshot(&snapshots.place(key), &order).await)
                }
                None => Outcome::Refused(NO_SNAPSHOTS.to_owned()),
            },
            Step::DropSuperseded => of(self.data_dir.drop_superseded(&clients.trash, self.clock.now())),
            Step::AcquireLock { via, purpose } => clients.etcd.acquire(&via.url, me, *purpose, self.policy.lock_ttl).await,
            Step::RenewLock { via } => clients.etcd.renew(&via.url).await,
            Step::ReleaseLock { via } => clients.etcd.release(&via.url, me).await,
            Step::AddLearner { via, peer_url } => clients.etcd.add_learner(&via.url, &peer_url.to_string()).await,
            Step::Promote { via, member } => clients.etcd.promote(&via.url, *member).await,
            Step::RemoveMember { via, member } => clients.etcd.remove(&via.url, *member).await,
            Step::UpdatePeerUrl { via, member, peer_url } => clients.etcd.update_peer_url(&via.url, *member, &peer_url.to_string()).await,
            Step::MoveLeader { via, to } => clients.etcd.move_leader(&via.url, *to).await,
            Step::ReportUnhealthy => clients.autoscaling.set_unhealthy(me).await,
            Step::ForgetOrder => Outcome::Done,
            Step::TakeSnapshot(order) => match &clients.snapshots {
                Some(snapshots) if order.on_loopback => {
                    let url = self.founding.like(&order.via.url);
                    let via = Via { url, ..order.via.clone() };
                    snapshots.begin(&SnapshotOrder { via, ..order.clone() })
                }
                Some(snapshots) => snapshots.begin(order),
                None => Outcome::Refused(NO_SNAPSHOTS.to_owned()),
            },
            Step::DrillSnapshot { key } => match &clients.snapshots {
                Some(snapshots) => snapshots.begin_drill(key, self.tool()),
                None => Outcome::Refused(NO_SNAPSHOTS.to_owned()),
            },
            Step::PruneSnapshots { keys, abandoned } => match &clients.snapshots {
                Some(snapshots) => match tokio::time::timeout(PRUNE_LIMIT, prune(snapshots.store(), keys, abandoned)).await {
                    Ok(result) => of(result),
                    Err(_) => Outcome::Unclear(format!("the store did not answer within {} s", PRUNE_LIMIT.as_secs())),
                },
                None => Outcome::Refused(NO_SNAPSHOTS.to_owned()),
            },
            Step::DeregisterTarget { group } => match &clients.load_balancing {
                Some(load_balancing) => load_balancing.deregister(group, me).await,
                None => Outcome::Refused(format!("no target group is configured, and so not {group}")),
            },
            Step::Node(step) => match &clients.kubernetes {
                Some(kubernetes) => kubernetes.act(step).await,
                None => Outcome::Refused(format!("there is no Kubernetes here to {step}")),
            },
            Step::SetPause { via, pause } => clients.etcd.set_pause(&via.url, pause).await,
            Step::ClearPause { via } => clients.etcd.clear_pause(&via.url).await,
        }
    }

    /// Starts the member. Data is labelled with its generation before etcd first touches it.
    async fn start(&self, start: &Start, transport: Transport) -> Outcome {
        let label = match start {
            Start::Found { generation, token } => Some(self.label(*generation, Some(token.clone()))),
            Start::Join { generation, .. } | Start::JoinServer { generation, .. } => Some(self.label(*generation, None)),
            Start::Worker { .. } | Start::Resume { .. } | Start::Alone => None,
        };
        let prepare = |label: &Label| {
            self.data_dir.clear_restore_marker(&self.clients.trash, self.clock.now())?;
            self.data_dir.prepare(label)
        };
        if let Some(Err(error)) = label.as_ref().map(prepare) {
            return Outcome::Refused(chain(&error));
        }
        match self.clients.service.start(start, transport).await {
            // It was started, and exited at once: the next look finds it stopped.
            Err(error @ ServiceError::NotStarted { .. }) => Outcome::Unclear(chain(&error)),
            started => of(started),
        }
    }

    /// Puts the data aside. etcd exits on its own once it learns that its member was removed, and no step stopped it then: so it is kept down here too.
    async fn put_aside(&self, why: &str) -> Outcome {
        match self.clients.service.keep_down().await {
            Ok(()) => of(self.data_dir.put_aside(&self.clients.trash, why, self.clock.now())),
            Err(error) => Outcome::Refused(chain(&error)),
        }
    }

    async fn stop(&self, reason: StopReason) -> Result<(), ServiceError> {
        if reason.is_final() {
            self.clients.service.keep_down().await?;
        }
        self.clients.service.stop(STOP_GRACE).await
    }

    async fn restore(&self, order: &RestoreOrder) -> Result<(), HostError> {
        let tool = self.tool()?;
        self.data_dir.restore_own(&tool, order, &self.clients.trash, self.clock.now()).await
    }

    async fn restore_snapshot(&self, snapshot: &Path, order: &RestoreOrder) -> Result<(), HostError> {
        let tool = self.tool()?;
        let restored = self.data_dir.restore_snapshot(&tool, order, snapshot, &self.clients.trash, self.clock.now()).await;
        if let Err(HostError::RestoreFailed { .. }) = &restored {
            // It was verified on arrival, perhaps by another run of the agent: the next one verifies it again.
            let _ = std::fs::remove_file(snapshot);
        }
        restored
    }

    /// Has the distribution itself restore the snapshot. A second call does nothing; an interrupted restore starts over.
    async fn have_restored(&self, snapshot: &Path, generation: Generation, token: &str) -> Outcome {
        let label = self.label(generation, Some(token.to_owned()));
        // An agent that exited in the middle may have left one running.
        if let Err(error) = self.clients.service.stop(STOP_GRACE).await {
            return Outcome::Refused(chain(&error));
        }
        match self.data_dir.begin_restore(&label, &self.clients.trash, self.clock.now()) {
            Ok(true) => self.have_made(snapshot, &label).await,
            done => of(done),
        }
    }

    /// The same for this node's own data, which stays beside what is made from it.
    async fn have_own_restored(&self, generation: Generation, token: &str) -> Outcome {
        let label = self.label(generation, Some(token.to_owned()));
        if let Err(error) = self.clients.service.stop(STOP_GRACE).await {
            return Outcome::Refused(chain(&error));
        }
        let (data_dir, trash, now, of_copy) = (self.data_dir.clone(), self.clients.trash.clone(), self.clock.now(), label.clone());
        // It copies the whole database.
        let begun = tokio::task::spawn_blocking(move || data_dir.begin_own_restore(&of_copy, &trash, now)).await;
        match begun {
            Ok(Ok(Some(own))) => self.have_made(&own, &label).await,
            Ok(done) => of(done),
            Err(error) => Outcome::Unclear(chain(&error)),
        }
    }

    async fn have_made(&self, snapshot: &Path, label: &Label) -> Outcome {
        match self.clients.service.restore(snapshot, DISTRIBUTION_LIMIT).await {
            Ok(()) => of(self.data_dir.finish_restore(label)),
            // What lies there stays marked as unfinished, and does not count.
            Err(error) => Outcome::Refused(chain(&error)),
        }
    }

    fn tool(&self) -> Result<RestoreTool, HostError> {
        match &self.restore_tool {
            Some(path) => Ok(RestoreTool::at(path)),
            None => RestoreTool::beside(&self.binary),
        }
    }

    fn restore_order(&self, generation: Generation, token: &str, transport: Transport) -> RestoreOrder {
        RestoreOrder {
            label: self.label(generation, Some(token.to_owned())),
            token: token.to_owned(),
            peer_url: peer_url(self.clients.me.address, transport).to_string(),
            limit: RESTORE_LIMIT,
        }
    }

    fn label(&self, generation: Generation, token: Option<String>) -> Label {
        Label::new(self.clients.me.instance.clone(), generation, token)
    }
}

const NO_SNAPSHOTS: &str = "snapshots are switched off here, or no store is configured";

async fn prune(store: &SnapshotStore, keys: &[SnapshotKey], abandoned: &[String]) -> Result<(), StoreError> {
    for key in keys {
        store.delete(key).await?;
    }
    for remains in abandoned {
        store.delete_remains(remains).await?;
    }
    Ok(())
}

fn of<T, E: std::error::Error>(result: Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Refused(chain(&error)),
    }
}
