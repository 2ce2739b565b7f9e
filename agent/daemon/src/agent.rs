//! The loop: observe, decide, pass the gate, execute one step, look again. It sleeps only when there is nothing to do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use quorate_core::memory::{Kept, Memory, Order};
use quorate_core::observation::{DataClaim, LocalData, Observation, PeerAnswer, Process, Shutdown, ShutdownKind};
use quorate_core::plan::{Outcome, Plan, Step};
use quorate_core::planner;
use quorate_core::report::{Phase, Report};
use quorate_core::safety;
use quorate_core::time::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{Instrument, error, info, info_span, warn};

use crate::adapters::host::memory_file::{self, Loaded};
use crate::adapters::peer;
use crate::clock::Clock;
use crate::config::{ServiceSettings, Settings};
use crate::control::server::{self, Ask};
use crate::control::{OrderAnswer, OrderRequest, PauseRequest, SOCKET, pausing};
use crate::execute::Executor;
use crate::messages;
use crate::notices::NoticeLog;
use crate::observe::Observer;
use crate::status::{Cycle, Status};
use crate::systemd::notify::Notifier;
use crate::systemd::shutdown::{Notice, ShutdownWatch};
use crate::telemetry::chain;
use crate::world::World;

/// After so many steps without a pause one is made all the same: a step that changes nothing must not spin.
const STEPS_WITHOUT_PAUSE: u32 = 40;

/// What repeats is logged again after this.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Runs the agent until SIGTERM or SIGINT, which only end it: the member runs on, and nothing is left or changed.
///
/// # Errors
/// What it needs to run at all is missing: its state directory, its socket, its peer port, or its memory cannot be read.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut stop = Stop::new()?;
    let clock = Clock::start();
    let world = tokio::select! {
        world = World::enter(&settings, clock) => world?,
        () = stop.wait() => return Ok(()),
    };
    // Fields of every line in the journal.
    let span = info_span!("agent", quorate.instance = %world.me.instance, quorate.cluster = %world.me.cluster);
    let life = async {
        let mut agent = Agent::new(settings, clock, world).await?;
        agent.run(&mut stop).await;
        Ok(())
    };
    life.instrument(span).await
}

/// SIGTERM and SIGINT.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

struct Agent {
    clock: Clock,
    settings: Settings,
    memory: Memory,
    /// What of the memory is on the disk.
    stored: Option<Kept>,
    memory_path: PathBuf,
    observer: Observer,
    executor: Executor,
    answer: watch::Sender<PeerAnswer>,
    asks: mpsc::Receiver<Ask>,
    waiting: Vec<oneshot::Sender<Status>>,
    last_report: Option<(Report, Timestamp)>,
    /// The phase that was told of last.
    told_phase: Option<Phase>,
    notifier: Notifier,
    watch: Option<ShutdownWatch>,
    /// The machine shuts down.
    shutdown: Option<Shutdown>,
    /// The agent itself was told to end with it.
    ending: bool,
    notices: NoticeLog,
    /// What steps came to, as it was logged, and when: what repeats is logged once a minute.
    told: BTreeMap<String, Timestamp>,
}

impl Agent {
    async fn new(settings: Settings, clock: Clock, world: World) -> anyhow::Result<Self> {
        let memory_path = settings.paths.state_dir.join("memory.json");
        let me = world.me.clone();
        let (watches, bus) = (settings.service != ServiceSettings::Exec, world.bus.clone());
        let kept = match memory_file::load(&memory_path, &me.instance)? {
            Loaded::Kept(kept) => *kept,
            Loaded::New => Kept::new(me.instance.clone()),
            Loaded::AnotherInstances(other) => {
                warn!("{} is the memory of {other}, from a baked image or a warm pool; it is ignored", memory_path.display());
                Kept::new(me.instance.clone())
            }
        };
        let memory = Memory::new(kept, clock.now());
        let (answer, answers) = watch::channel(first_answer(&memory));
        peer::server::serve(std::net::SocketAddr::new(me.address, settings.peer_port), answers).await?;
        std::fs::create_dir_all(&settings.paths.run_dir)?;
        let (ask, asks) = mpsc::channel(16);
        server::serve(&settings.paths.run_dir.join(SOCKET), ask)?;
        info!(message_id = messages::STARTED, quorate.group = %me.group, "quorate {} runs on {} ({})", env!("CARGO_PKG_VERSION"), me.instance, me.address);
        Ok(Self {
            clock,
            observer: Observer::new(&settings, &world),
            executor: Executor::new(&settings, world, clock),
            memory,
            stored: None,
            memory_path,
            settings,
            answer,
            asks,
            waiting: Vec::new(),
            last_report: None,
            told_phase: None,
            notifier: Notifier::from_environment(),
            watch: watches.then(|| ShutdownWatch::start(bus)),
            shutdown: None,
            ending: false,
            notices: NoticeLog::default(),
            told: BTreeMap::new(),
        })
    }

    async fn run(&mut self, stop: &mut Stop) {
        let mut steps = 0;
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
            steps = if pause.is_zero() { steps + 1 } else { 0 };
            let pause = if steps > STEPS_WITHOUT_PAUSE { self.settings.policy.cycle } else { pause };
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

    /// Told to stop: whether there is something to do before, because the machine stops too. The second time there is not.
    async fn goes_on(&mut self) -> bool {
        let Some(watch) = self.watch.as_ref().filter(|_| !self.ending) else { return false };
        let Some(kind) = watch.queued().await else { return false };
        self.begin_shutdown(kind);
        self.ending = true;
        self.notifier.stopping(self.settings.policy.shutdown_budget * 2);
        true
    }

    fn take_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Begins(Some(kind)) => self.begin_shutdown(kind),
            // systemd before 255: nobody knows to what end until the jobs are queued, for which logind must be let go.
            Notice::Begins(None) => self.watch.iter().for_each(ShutdownWatch::let_go),
            Notice::Cancelled if self.ending => {}
            Notice::Cancelled => self.shutdown = None,
        }
    }

    /// A later notice of the same shutdown restarts nothing.
    fn begin_shutdown(&mut self, kind: ShutdownKind) {
        let deadline = self.shutdown.map_or_else(|| self.clock.now() + self.settings.policy.shutdown_budget, |before| before.deadline);
        self.shutdown = Some(Shutdown { kind, deadline });
        if let Some(pause) = self.memory.kept.pausing.in_force() {
            warn!(message_id = messages::NOTICE_RECEIVED, "the machine shuts down, and nothing is done before: paused {pause}");
            return;
        }
        match kind {
            ShutdownKind::PowerOff => info!(message_id = messages::NOTICE_RECEIVED, "the machine powers off: its member leaves before"),
            ShutdownKind::Reboot => {
                info!(message_id = messages::NOTICE_RECEIVED, "the machine reboots: its member rests, and comes back with it")
            }
        }
    }

    /// Whether all is done that can be done before the machine stops, if it does; then logind is held up no longer.
    fn is_ready_for_shutdown(&self) -> bool {
        let Some(shutdown) = self.shutdown else { return true };
        let phase = self.last_report.as_ref().map(|(report, _)| report.phase);
        // While paused nothing is done before: the member stops with the machine.
        let done = self.memory.kept.pausing.in_force().is_some()
            || match shutdown.kind {
                ShutdownKind::PowerOff => (phase == Some(Phase::Left) && self.memory.hook_not_before.is_empty()) || self.memory.rests,
                ShutdownKind::Reboot => phase == Some(Phase::Resting),
            };
        let ready = done || self.clock.now() >= shutdown.deadline;
        if ready {
            self.watch.iter().for_each(ShutdownWatch::let_go);
        }
        ready
    }

    /// One cycle; how long to sleep after it.
    async fn cycle(&mut self) -> Duration {
        while let Ok(ask) = self.asks.try_recv() {
            self.take(ask);
        }
        let seen = self.observer.observe(&mut self.memory, self.shutdown, self.clock).await;
        let now = self.clock.now();
        self.notices.tell(&seen);
        let policy = &self.settings.policy;
        self.memory.absorb(&seen, policy, now);
        self.store_pausing();
        let policy = &self.settings.policy;
        let plan = planner::plan(&seen, &self.memory, policy, now);
        self.publish(&seen, &plan, now);
        let Some(step) = plan.step.clone() else { return plan.look_again };
        if let Err(problem) = self.store_memory() {
            error!("cannot store what must be remembered before the next step, and so does not take it: {problem}");
            return self.settings.policy.cycle;
        }
        if let Err(refusal) = safety::check(&step, &seen, &self.memory, &self.settings.policy, now) {
            if self.is_news(refusal.to_string(), now) {
                error!(message_id = messages::REFUSED, quorate.rule = plan.report.rule, "{}, but {refusal}", plan.report.says);
            }
            return self.settings.policy.retry;
        }
        self.take_step(&step, &plan).await
    }

    async fn take_step(&mut self, step: &Step, plan: &Plan) -> Duration {
        let long = Executor::may_take(step);
        long.iter().for_each(|limit| self.notifier.may_take(*limit));
        let outcome = self.executor.execute(step).await;
        long.iter().for_each(|_| self.notifier.took());
        let now = self.clock.now();
        self.memory.note(step, &outcome, &self.settings.policy, now);
        self.observer.after(step);
        if let Err(problem) = self.store_memory() {
            error!("cannot store what must be remembered: {problem}");
        }
        match &outcome {
            Outcome::Done => {
                if self.is_news(format!("{} {}", step.kind(), plan.report.says), now) {
                    let message_id = messages::of_step(step);
                    info!(message_id, quorate.step = step.kind(), quorate.rule = plan.report.rule, "{}", plan.report.says);
                }
                Duration::ZERO
            }
            Outcome::Refused(why) | Outcome::Unclear(why) => {
                let news = self.is_news(format!("{} {why}", step.kind()), now);
                // Just after a transition AWS refuses heartbeats for a moment: no reason to alarm anybody.
                if news && matches!(step, Step::Heartbeat { .. }) {
                    info!(quorate.step = step.kind(), quorate.rule = plan.report.rule, "{}, and will again: {why}", plan.report.says);
                } else if news {
                    warn!(
                        quorate.step = step.kind(),
                        quorate.rule = plan.report.rule,
                        "{}, but it was not accepted: {why}",
                        plan.report.says
                    );
                }
                self.settings.policy.retry / 4
            }
        }
    }

    /// Tells peers, the socket and the log: the log only of a change.
    fn publish(&mut self, seen: &Observation, plan: &Plan, now: Timestamp) {
        let same = self.last_report.as_ref().is_some_and(|(last, _)| last.phase == plan.report.phase && last.says == plan.report.says);
        if !same {
            if plan.step.is_none() && self.is_news(plan.report.to_string(), now) {
                self.tell(seen, &plan.report);
            }
            self.last_report = Some((plan.report.clone(), now));
        }
        self.notifier.status(&plan.report.to_string());
        self.answer.send_replace(peer_answer(seen, &self.memory, plan, now));
        let since = self.last_report.as_ref().map_or(now, |(_, since)| *since);
        let cycle = Cycle { seen, memory: &self.memory, policy: &self.settings.policy, plan, since, now };
        for waiting in self.waiting.drain(..) {
            // The asker may have gone away.
            let _ = waiting.send(cycle.status());
        }
    }

    fn tell(&mut self, seen: &Observation, report: &Report) {
        let message_id = messages::of_report(report, self.told_phase.replace(report.phase));
        let member = match seen.local.data.last() {
            Some(LocalData::Present(identity)) => identity.member.map(|id| id.to_string()),
            Some(LocalData::Empty) | None => None,
        };
        let (phase, reason) = (report.phase.to_string(), &*report.says);
        if report.needs_operator {
            error!(
                message_id,
                quorate.phase = phase,
                quorate.rule = report.rule,
                quorate.member_id = member,
                quorate.reason = reason,
                "{report}. An operator must act"
            );
        } else {
            info!(
                message_id,
                quorate.phase = phase,
                quorate.rule = report.rule,
                quorate.member_id = member,
                quorate.reason = reason,
                "{report}"
            );
        }
    }

    /// Whether this line was not logged within the last minute: a step that is tried again and again is one line, not a hundred.
    fn is_news(&mut self, line: String, now: Timestamp) -> bool {
        self.told.retain(|_, at| now.since(*at) < TELL_AGAIN_AFTER);
        self.told.insert(line, now).is_none()
    }

    fn store_memory(&mut self) -> Result<(), String> {
        if self.stored.as_ref() == Some(&self.memory.kept) {
            return Ok(());
        }
        memory_file::store(&self.memory_path, &self.memory.kept).map_err(|error| chain(&error))?;
        self.stored = Some(self.memory.kept.clone());
        Ok(())
    }

    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Status(reply) => self.waiting.push(reply),
            Ask::Order(request, reply) => {
                let answer = self.order(&request);
                info!("operator: {}", answer.says);
                let _ = reply.send(answer);
            }
        }
    }

    fn order(&mut self, request: &OrderRequest) -> OrderAnswer {
        if let Some(pause) = &request.pause {
            return self.pause(pause);
        }
        let cluster = &self.observer.me().cluster;
        if request.order == Some(Order::RecoverFresh) && request.cluster.as_deref() != Some(cluster.as_str()) {
            let says = format!("refused: this node belongs to cluster {cluster}; type exactly `--cluster {cluster}`");
            return OrderAnswer { taken: false, says };
        }
        let before = self.memory.kept.clone();
        self.memory.kept.order = request.order;
        if request.order == Some(Order::Leave) {
            self.memory.kept.pausing.leave();
        }
        if let Err(problem) = self.store_memory() {
            self.memory.kept = before;
            return OrderAnswer { taken: false, says: format!("not taken, because it cannot be stored: {problem}") };
        }
        let says = match request.order {
            Some(Order::Leave) => "leaves, and stays away until `quorate join`",
            Some(Order::Bootstrap) => "founds the cluster here as soon as every other instance consents, or recovers it from its data here",
            Some(Order::RecoverFresh) => "founds an EMPTY cluster here as soon as no quorum answers and every other instance was heard",
            None => "joins, if it is not a member already",
        };
        OrderAnswer { taken: true, says: says.to_owned() }
    }

    fn pause(&mut self, request: &PauseRequest) -> OrderAnswer {
        let before = self.memory.kept.clone();
        let says = pausing::take(&mut self.memory, request, self.clock.now());
        match self.store_memory() {
            Ok(()) => OrderAnswer { taken: true, says },
            Err(problem) => {
                self.memory.kept = before;
                OrderAnswer { taken: false, says: format!("not taken, because it cannot be stored: {problem}") }
            }
        }
    }

    /// A pause of the cluster that was read is remembered at once: etcd may be lost before the next step, and the node is to stay paused.
    fn store_pausing(&mut self) {
        let stored = self.stored.as_ref().map(|kept| &kept.pausing);
        if stored.map_or(!self.memory.kept.pausing.is_empty(), |stored| *stored != self.memory.kept.pausing)
            && let Err(problem) = self.store_memory()
        {
            error!("cannot store that the cluster is paused or goes on: {problem}");
        }
    }
}

async fn next_notice(watch: &mut Option<ShutdownWatch>) -> Notice {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

/// Before the first look nothing is known, and nothing is consented to.
fn first_answer(memory: &Memory) -> PeerAnswer {
    PeerAnswer {
        instance: memory.kept.instance.clone(),
        phase: Phase::Starting,
        record: memory.kept.record.clone(),
        data: DataClaim::Unknown,
        quorum: None,
        leaving: false,
        leave_within_ms: None,
    }
}

fn peer_answer(seen: &Observation, memory: &Memory, plan: &Plan, now: Timestamp) -> PeerAnswer {
    let leaving = memory.leaving.is_some();
    let within = |until: Timestamp| u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX);
    PeerAnswer {
        instance: memory.kept.instance.clone(),
        phase: plan.report.phase,
        record: memory.kept.record.clone(),
        data: data_claim(seen),
        quorum: seen.etcd.membership.fresh().map(|m| m.cluster),
        leaving,
        leave_within_ms: plan.report.until.filter(|_| leaving).map(within),
    }
}

fn data_claim(seen: &Observation) -> DataClaim {
    let identity = match seen.local.data.fresh() {
        None => return DataClaim::Unknown,
        Some(LocalData::Empty) => return DataClaim::None,
        Some(LocalData::Present(identity)) => identity,
    };
    let (Some(cluster), Some(member)) = (identity.cluster, identity.member) else { return without_log(seen) };
    let status = seen.etcd.statuses.get(&member).and_then(|s| s.fresh());
    DataClaim::Holds {
        cluster,
        member,
        generation: identity.generation,
        voter: status.map(|s| !s.learner),
        term: status.map(|s| s.term),
        applied: status.map(|s| s.applied),
    }
}

/// A directory without a write-ahead log holds no member, unless etcd is just about to write one.
fn without_log(seen: &Observation) -> DataClaim {
    match seen.local.process.fresh() {
        Some(Process::Stopped { .. }) => DataClaim::None,
        Some(Process::Running { .. }) | None => DataClaim::Unknown,
    }
}
