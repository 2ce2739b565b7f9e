//! The loop: observe, decide, pass the gate, execute one step, look again. It sleeps only when there is nothing to do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use quorate_core::engine::{Engine, Next, Ready};
use quorate_core::memory::{Order, PersistentState};
use quorate_core::observation::{Observation, PeerAnswer, Shutdown, ShutdownKind};
use quorate_core::plan::{Plan, Step};
use quorate_core::recovery;
use quorate_core::report::Phase;
use quorate_core::role::Role;
use quorate_core::text::{SENTENCE, printable};
use quorate_core::time::Timestamp;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::{mpsc, watch};
use tracing::{Instrument, error, info, info_span, warn};

use crate::adapters::host::memory_file::{self, Loaded};
use crate::adapters::peer;
use crate::alias::{Alias, Writer};
use crate::certificates::CertificateKeeper;
use crate::cleanup::Cleanup;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::config::{ServiceSettings, Settings};
use crate::control::server::{self, Ask, Sources};
use crate::control::{OrderAnswer, OrderRequest, PauseRequest, SOCKET, pausing};
use crate::cycle::{Cycle, LastCycle};
use crate::endpoint_directory::Publisher;
use crate::endpoints::EndpointsFile;
use crate::execute::Executor;
use crate::handout::Handout;
use crate::health;
use crate::journal::Journal;
use crate::kubernetes::Kubernetes;
use crate::listener::{Inherited, Kind, Listeners};
use crate::messages;
use crate::metrics::Metrics;
use crate::notices::NoticeLog;
use crate::observe::Observer;
use crate::rendered::{self, Rendered};
use crate::systemd::notify::Notifier;
use crate::systemd::shutdown::{Notice, ShutdownWatch};
use crate::telemetry::chain;

/// Runs the agent until SIGTERM or SIGINT, which end only the agent: the member keeps running, and nothing is left or changed.
///
/// # Errors
/// Something essential is missing: its state directory, its socket or its peer port; or its memory cannot be read.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    // Taken before anything is started that would inherit them too.
    let inherited = Inherited::from_environment();
    let mut stop = Stop::new()?;
    let clock = Clock::start();
    let clients = tokio::select! {
        clients = Clients::enter(&settings, clock) => clients?,
        () = stop.wait() => return Ok(()),
    };
    // Fields of every line in the journal.
    let span = info_span!("agent", quorate.instance = %clients.me.instance, quorate.cluster = %clients.me.cluster);
    let life = async {
        let mut agent = Agent::new(settings, clock, clients, inherited)?;
        agent.run(&mut stop).await;
        Ok(())
    };
    life.instrument(span).await
}

/// SIGTERM and SIGINT.
struct Stop(Signals);

impl Stop {
    fn new() -> std::io::Result<Self> {
        Signals::new([SIGTERM, SIGINT]).map(Self)
    }

    /// Until one of them comes, or has come since the last time. The stream never ends by itself.
    async fn wait(&mut self) {
        self.0.next().await;
    }
}

struct Agent {
    clock: Clock,
    engine: Engine,
    memory_path: PathBuf,
    observer: Observer,
    executor: Executor,
    answer: watch::Sender<PeerAnswer>,
    asks: mpsc::Receiver<Ask>,
    /// The last cycle, from which every question is answered.
    cycles: watch::Sender<Option<Arc<Cycle>>>,
    journal: Journal,
    metrics: Arc<Metrics>,
    kubernetes: Option<Arc<Kubernetes>>,
    endpoints: EndpointsFile,
    notifier: Notifier,
    watch: Option<ShutdownWatch>,
    /// The machine shuts down.
    shutdown: Option<Shutdown>,
    /// The agent itself was told to stop too.
    ending: bool,
    notices: NoticeLog,
}

impl Agent {
    fn new(settings: Settings, clock: Clock, clients: Clients, inherited: Inherited) -> anyhow::Result<Self> {
        let memory_path = settings.paths.state_dir.join("memory.json");
        let me = clients.me.clone();
        let (watches, bus) = (settings.service != ServiceSettings::Exec, clients.bus.clone());
        let kept = match memory_file::load(&memory_path, &me.instance)? {
            Loaded::Kept(kept) => *kept,
            Loaded::New => PersistentState::new(me.instance.clone()),
            Loaded::Damaged { aside, why } => {
                let (file, aside) = (memory_path.display(), aside.display());
                error!(
                    "{file} is damaged ({why}) and kept as {aside}: the charter rebuilds it; an order to leave, or a pause of this node, is forgotten"
                );
                let forgotten = PersistentState::forgotten(me.instance.clone());
                // Where this fails the damaged file stays, and the next start finds it.
                if let Err(error) = memory_file::store(&memory_path, &forgotten) {
                    error!("{}", chain(&error));
                }
                forgotten
            }
            Loaded::AnotherInstances(other) => {
                warn!("{} is the memory of {other}, from a baked image or a warm pool; it is ignored", memory_path.display());
                PersistentState::new(me.instance.clone())
            }
        };
        let engine = Engine::new(Arc::new(settings.policy.clone()), kept, clock.now());
        let (answer, answers) = watch::channel(PeerAnswer::before_the_first_look(engine.memory()));
        let callers = peer::Callers::default();
        let key = Arc::new(peer::SigningKey::in_dir(&settings.paths.state_dir, &me.instance)?);
        std::fs::create_dir_all(&settings.paths.run_dir)?;
        let (ask, asks) = mpsc::channel(16);
        let (cycles, last_cycle) = watch::channel(None);
        let metrics = Arc::new(Metrics::new(last_cycle.clone()));
        let sources = Sources { asks: ask, cycles: last_cycle.clone(), clock, metrics: Arc::clone(&metrics) };
        let mut listeners = Listeners::new(inherited, metrics.connections(), clock);
        let peers = SocketAddr::new(me.address, settings.peer_port);
        let listener = listeners.tcp(Kind::Peers, peers).with_context(|| {
            format!("cannot listen for peers on {peers}: is another quorate running, or is the address not this machine's?")
        })?;
        let beside = handout(&settings, &clients, &last_cycle, clock);
        peer::server::serve(listener, answers, callers.clone(), key, clients.agent_port.clone(), beside);
        listen(&mut listeners, &settings, &sources)?;
        beside_the_loop(&settings, &clients, &last_cycle, clock);
        info!(message_id = messages::STARTED, quorate.group = %me.group, "quorate {} runs on {} ({})", env!("CARGO_PKG_VERSION"), me.instance, me.address);
        let own_files = clients.certificates.files.clone();
        Ok(Self {
            clock,
            observer: Observer::new(&settings, &clients, callers),
            kubernetes: clients.kubernetes.clone(),
            executor: Executor::new(&settings, clients, clock),
            engine,
            memory_path,
            answer,
            asks,
            cycles,
            journal: Journal::default(),
            metrics,
            endpoints: EndpointsFile::in_dir(&settings.paths.run_dir, own_files),
            notifier: Notifier::from_environment(),
            watch: watches.then(|| ShutdownWatch::start(bus)),
            shutdown: None,
            ending: false,
            notices: NoticeLog::default(),
        })
    }

    async fn run(&mut self, stop: &mut Stop) {
        loop {
            let pause = tokio::select! {
                pause = self.cycle() => pause,
                () = stop.wait() => match self.goes_on().await {
                    true => continue,
                    false => break,
                },
            };
            self.notifier.cycle_finished();
            let ready = self.is_ready_for_shutdown();
            if self.ending && ready {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(ask) = self.asks.recv() => self.take(ask),
                notice = next_notice(&mut self.watch) => self.take_notice(notice),
                () = stop.wait() => if !self.goes_on().await { break },
            }
        }
        match self.shutdown {
            Some(_) => info!("the agent stops, and the machine with it"),
            None => info!("the agent stops; an etcd that runs here runs on, and the membership stays as it is"),
        }
    }

    /// Whether the agent goes on after it was told to stop: there may be something to do first, because the machine stops too. The second time it stops at
    /// once.
    async fn goes_on(&mut self) -> bool {
        let Some(watch) = self.watch.as_ref().filter(|_| !self.ending) else { return false };
        let Some(kind) = watch.queued().await else { return false };
        self.begin_shutdown(kind);
        self.ending = true;
        self.notifier.stopping(self.engine.policy().shutdown_budget * 2);
        true
    }

    fn take_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Begins(Some(kind)) => self.begin_shutdown(kind),
            // systemd before 255: the kind of shutdown is not known until the jobs are queued, for which logind must be released.
            Notice::Begins(None) => self.watch.iter().for_each(ShutdownWatch::let_go),
            Notice::Cancelled if self.ending => {}
            Notice::Cancelled => self.shutdown = None,
        }
    }

    /// A later notice of the same shutdown restarts nothing.
    fn begin_shutdown(&mut self, kind: ShutdownKind) {
        let deadline = self.shutdown.map_or_else(|| self.clock.now() + self.engine.policy().shutdown_budget, |before| before.deadline);
        self.shutdown = Some(Shutdown { kind, deadline });
        if let Some(pause) = self.engine.kept().pausing.in_force() {
            warn!(message_id = messages::NOTICE_RECEIVED, "the machine shuts down, and nothing is done before: paused {pause}");
            return;
        }
        match kind {
            ShutdownKind::PowerOff if self.engine.phase() == Some(Phase::Left) => {
                info!("the machine powers off; its member has left already")
            }
            ShutdownKind::PowerOff => info!(message_id = messages::NOTICE_RECEIVED, "the machine powers off: its member leaves before"),
            ShutdownKind::Reboot => {
                info!(message_id = messages::NOTICE_RECEIVED, "the machine reboots: its member rests, and comes back with it")
            }
        }
    }

    /// Whether everything is done that must be done before the machine stops, if it does; logind is then released.
    fn is_ready_for_shutdown(&self) -> bool {
        let Some(shutdown) = self.shutdown else { return true };
        let (phase, memory) = (self.engine.phase(), self.engine.memory());
        // While paused nothing is done first: the member stops with the machine.
        let done = memory.kept.pausing.in_force().is_some()
            || match shutdown.kind {
                ShutdownKind::PowerOff => {
                    (phase == Some(Phase::Left) && memory.hooks.not_before.is_empty()) || memory.has_ended_its_cluster()
                }
                ShutdownKind::Reboot => phase == Some(Phase::Resting),
            };
        let ready = done || self.clock.now() >= shutdown.deadline;
        if ready {
            self.watch.iter().for_each(ShutdownWatch::let_go);
        }
        ready
    }

    /// Runs one cycle, and returns how long to sleep after it.
    async fn cycle(&mut self) -> Duration {
        while let Ok(ask) = self.asks.try_recv() {
            self.take(ask);
        }
        let begun = self.clock.now();
        let seen = self.observer.observe(&mut self.engine, self.shutdown, self.clock).await;
        let now = self.clock.now();
        self.notices.tell(&seen);
        self.metrics.looked(now.since(begun));
        self.journal.sources(&self.engine.sources().changes(now), now);
        let Ready { plan, since, next, .. } = self.look(&seen, now);
        let refusal = if let Next::Refused { refusal, .. } = &next { Some(refusal.clone()) } else { None };
        let (memory, policy) = (self.engine.memory().clone(), Arc::clone(self.engine.policy()));
        let cycle = Arc::new(Cycle { seen, memory, policy, plan, refusal, since, at: now });
        self.publish(&cycle);
        self.note_that_it_stays();
        match next {
            Next::Act(step) => self.take_step(&step, &cycle.plan).await,
            Next::Refused { refusal, look_again } => {
                self.journal.refused(&cycle.plan, &refusal, now);
                self.metrics.refused();
                look_again
            }
            Next::Wait { look_again } => look_again,
        }
    }

    /// Decides, and has on the disk what must be there before the step. The plan that is published is the one that is carried out: where the disk cannot be
    /// written, a step that rests on it is not in it.
    fn look(&mut self, seen: &Observation, now: Timestamp) -> Ready {
        let ready = self.engine.look(seen, now);
        match self.persist(ready.persist.clone()) {
            Ok(()) => ready,
            Err(problem) => {
                self.journal.forgets("what must be remembered before the next step", &problem, now);
                self.engine.not_persisted(ready, &printable(&problem, SENTENCE), now)
            }
        }
    }

    async fn take_step(&mut self, step: &Step, plan: &Plan) -> Duration {
        let long = Executor::may_take(step);
        long.iter().for_each(|limit| self.notifier.may_take(*limit));
        let outcome = self.executor.execute(step).await;
        long.iter().for_each(|_| self.notifier.took());
        let now = self.clock.now();
        let followup = self.engine.done(step, &outcome, now);
        self.observer.after(step, now);
        if let Err(problem) = self.persist(followup.persist) {
            self.journal.forgets("what must be remembered", &problem, now);
        }
        match followup.only_early {
            true => self.journal.is_early(step, plan),
            false => self.journal.stepped(step, plan, &outcome, now),
        }
        self.metrics.stepped(step, &outcome);
        followup.look_again
    }

    /// Tells peers, the socket, systemd and the journal what was decided.
    fn publish(&mut self, cycle: &Arc<Cycle>) {
        let plan = &cycle.plan;
        if plan.step.is_none() {
            self.journal.waits(&cycle.seen, &plan.report, cycle.at);
        }
        self.notifier.status(&plan.report.to_string());
        self.answer.send_modify(|answer| {
            answer.update(&cycle.seen, &cycle.memory, &plan.report, cycle.at);
        });
        self.endpoints.keep(cycle);
        self.cycles.send_replace(Some(Arc::clone(cycle)));
        self.journal.snapshots(cycle);
    }

    /// Writes what has to survive a restart.
    fn persist(&mut self, kept: Option<PersistentState>) -> Result<(), String> {
        let Some(kept) = kept else { return Ok(()) };
        memory_file::store(&self.memory_path, &kept).map_err(|error| chain(&error))?;
        self.engine.persisted(kept);
        Ok(())
    }

    /// Continues with what an operator has changed, once that is written.
    fn adopt(&mut self, kept: PersistentState) -> Result<(), String> {
        memory_file::store(&self.memory_path, &kept).map_err(|error| chain(&error))?;
        self.engine.adopt(kept);
        Ok(())
    }

    fn take(&mut self, Ask(request, reply): Ask) {
        let answer = self.order(&request);
        info!("operator: {}", answer.message);
        // The asker may have gone away.
        let _ = reply.send(answer);
    }

    fn order(&mut self, request: &OrderRequest) -> OrderAnswer {
        if let Some(pause) = &request.pause {
            return self.pause(pause);
        }
        if let Some(why) = request.order.as_ref().filter(|order| order.recovers()).and_then(|order| self.why_not(order, request)) {
            return OrderAnswer { taken: false, message: format!("refused: {why}") };
        }
        let mut kept = self.engine.kept().clone();
        kept.take_order(request.order.clone());
        if let Err(problem) = self.adopt(kept) {
            return not_stored(&problem);
        }
        let message = match &request.order {
            Some(Order::Leave) => "leaves, and stays away until `quorate join`".to_owned(),
            Some(Order::Bootstrap) => {
                "founds the cluster here as soon as every other instance consents, or recovers it from its data here".to_owned()
            }
            Some(Order::RecoverFresh) => {
                "founds an EMPTY cluster here as soon as no quorum answers and every other instance has answered".to_owned()
            }
            Some(order @ (Order::RecoverSnapshot { .. } | Order::RecoverSurvivor { .. } | Order::RecoverReattachedVolume)) => {
                self.first_of(order)
            }
            Some(Order::RotateAuthority) => {
                "rotates the authority of the cluster's certificates: `quorate status` shows how far it is".to_owned()
            }
            None => "joins, if it is not a member already".to_owned(),
        };
        OrderAnswer { taken: true, message }
    }

    /// Why an order to recover is not accepted. The planner and the gate check the same again at each step.
    fn why_not(&self, order: &Order, request: &OrderRequest) -> Option<String> {
        let cluster = &self.observer.me().cluster;
        if request.cluster.as_deref() != Some(cluster.as_str()) {
            return Some(format!("this node belongs to cluster {cluster}; type exactly `--cluster {cluster}`"));
        }
        let cycle = self.cycles.borrow().clone()?;
        recovery::refusal(order, &cycle.seen, &cycle.memory, &cycle.policy, cycle.at)
    }

    /// What is done first, or awaited, now that the order is accepted.
    fn first_of(&self, order: &Order) -> String {
        let first = self.cycles.borrow().as_ref().map(|c| recovery::under(order.clone(), &c.seen, &c.memory, &c.policy, c.at));
        format!("accepted, and remembered until it is carried out or `quorate join` withdraws it: {}", first.unwrap_or_default())
    }

    fn pause(&mut self, request: &PauseRequest) -> OrderAnswer {
        let mut kept = self.engine.kept().clone();
        let message = pausing::take(&mut kept, request, self.clock.now());
        match self.adopt(kept) {
            Ok(()) => OrderAnswer { taken: true, message },
            Err(problem) => not_stored(&problem),
        }
    }

    /// Forgets the drain if the node stays, because its notice was withdrawn: another notice drains it again.
    fn note_that_it_stays(&self) {
        if let Some(kubernetes) = self.kubernetes.as_ref().filter(|_| self.engine.memory().leaving.is_none() && self.shutdown.is_none()) {
            kubernetes.stays();
        }
    }
}

fn not_stored(problem: &str) -> OrderAnswer {
    OrderAnswer { taken: false, message: format!("not accepted, because it cannot be stored: {problem}") }
}

/// What is given to instances that are no members; nothing, unless the operator grants something.
fn handout(settings: &Settings, clients: &Clients, cycles: &LastCycle, clock: Clock) -> axum::Router {
    let Some((sts, authority)) = clients.sts.clone().zip(clients.authority.clone()) else { return axum::Router::new() };
    let (me, ec2, cycles) = (clients.me.clone(), Arc::clone(&clients.ec2), cycles.clone());
    Handout { me, grants: settings.grants.clone(), sts, ec2, authority, cycles, life: settings.leaf_life, clock }.router()
}

/// Starts what runs at its own pace: the removal of leftovers and, from the last cycle, the published list of servers, the rendered files and the alias of the
/// API.
fn beside_the_loop(settings: &Settings, clients: &Clients, cycles: &LastCycle, clock: Clock) {
    Cleanup { drill: Arc::clone(&clients.drill), trash: Arc::clone(&clients.trash), keep: settings.paths.trash_keep, clock }.start();
    if let Some(store) = clients.published.clone().filter(|_| clients.me.role != Role::Worker) {
        let root = (clients.me.role == Role::Etcd).then(|| clients.certificates.files.root.clone());
        Publisher::new(store, clients.distribution.clone(), root).start(cycles.clone());
    }
    if let Some(store) = clients.authority.clone() {
        let own = Arc::clone(&clients.certificates);
        CertificateKeeper::new(own, store, clients.me.clone(), settings.leaf_life, clock).start(cycles.clone());
    }
    let runs_under_systemd = settings.service != ServiceSettings::Exec;
    let reload = if runs_under_systemd { rendered::by_systemd(clients.bus.clone()) } else { rendered::by_nobody() };
    Rendered::new(settings.render.clone(), &settings.paths.run_dir, reload).start(cycles.clone());
    let Some(name) = settings.kubernetes.alias.clone().filter(|_| clients.kubernetes.is_some()) else { return };
    let writer = if runs_under_systemd { Writer::Unit(clients.bus.clone()) } else { Writer::Itself };
    Alias::new(name, settings.kubernetes.hosts_file.clone(), settings.paths.run_dir.clone(), writer).start(cycles.clone());
}

/// Serves until the process ends: the socket, and everything that the operator gave an address for.
fn listen(listeners: &mut Listeners, settings: &Settings, sources: &Sources) -> anyhow::Result<()> {
    let refused = |key, at| move || format!("cannot listen at {key} = {at}: give an address of this machine and a free port");
    if let Some(at) = settings.metrics_listen {
        let listener = listeners.tcp(Kind::Metrics, at).with_context(refused("metrics.listen", at))?;
        listener.serve(server::metrics(Arc::clone(&sources.metrics)), std::future::pending());
    }
    if let Some(at) = settings.health_listen {
        let listener = listeners.tcp(Kind::Health, at).with_context(refused("health.listen", at))?;
        listener.serve(health::router(sources.cycles.clone(), sources.clock), std::future::pending());
    }
    server::serve(listeners.unix(Kind::Control, &settings.paths.run_dir.join(SOCKET))?, sources.clone());
    for at in listeners.left() {
        warn!("systemd holds {at} for the agent, which is not to listen there: peer.port and ListenStream= of quorate.socket differ");
    }
    Ok(())
}

async fn next_notice(watch: &mut Option<ShutdownWatch>) -> Notice {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use signal_hook::low_level::raise;

    use super::*;

    /// Without a handler either signal would end the test program.
    #[tokio::test]
    async fn either_signal_ends_the_wait_once_and_is_kept_until_somebody_waits() {
        let mut stop = Stop::new().unwrap();
        for signal in [SIGTERM, SIGINT] {
            raise(signal).unwrap();
            tokio::time::timeout(Duration::from_secs(5), stop.wait()).await.unwrap();
            assert!(stop.wait().now_or_never().is_none(), "a signal counts twice");
        }
    }
}
