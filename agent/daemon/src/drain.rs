//! Runs a drain: looks at the API server, asks the core, does its step, and notes the result. The decisions are the core's ([`quorate_core::drain`]).

mod task;

use std::time::Duration;

use futures::future::{join, join_all};
use quorate_core::drain::{Ending, Limits, Progress, Step, Verdict, View, plan};
use quorate_core::plan::Outcome;
use quorate_core::reading::Reading;
use tokio::sync::watch;

pub use task::DrainTask;

use crate::adapters::kubernetes::{ApiServers, KubernetesError};
use crate::clock::Clock;
use crate::telemetry::chain;

/// Time for the last look, even when the drain's time is over: it distinguishes a finished drain from one that is given up.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// The drain of one node.
#[derive(Debug)]
pub struct Drain {
    node: String,
    /// They may change while it runs: a more urgent notice shortens the drain, and what was tried is not forgotten.
    limits: watch::Receiver<Limits>,
    progress: Progress,
    clock: Clock,
    /// Why the node could not be cordoned, if it was tried.
    not_cordoned: Option<String>,
}

/// The result of one turn.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The decision on what was seen in this turn. Its sentence is the report.
    pub verdict: Verdict,
    /// A step was taken and changed something: look again at once.
    pub moved: bool,
}

impl Drain {
    /// Begins a drain.
    #[must_use]
    pub fn new(node: &str, limits: watch::Receiver<Limits>, clock: Clock) -> Self {
        Self { node: node.to_owned(), limits, progress: Progress::new(clock.now()), clock, not_cordoned: None }
    }

    /// What it remembers, including whether this agent cordoned the node.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    fn limits(&self) -> Limits {
        *self.limits.borrow()
    }

    /// Runs one turn: a look, a decision, and its step. It takes no longer than the drain's time, or one last look.
    pub async fn turn(&mut self, servers: &ApiServers) -> Turn {
        let view = self.look(servers).await;
        self.progress.absorb(&view);
        let mut verdict = plan(&view, &self.progress, &self.limits(), self.clock.now());
        let moved = match &mut verdict {
            Verdict::Goes { step: Some(step), message } => {
                let moved = self.execute(servers, step).await;
                if let Some(why) = self.not_cordoned.as_ref().filter(|_| *step == Step::Cordon) {
                    *message = format!("could not cordon its node, and tries again: {why}");
                }
                moved
            }
            Verdict::Goes { step: None, .. } | Verdict::Done { .. } | Verdict::GaveUp { .. } => false,
        };
        Turn { verdict, moved }
    }

    /// Runs turns until it is done or given up, with a pause after each that changed nothing. `message` gets each sentence when it changes.
    pub async fn run(&mut self, servers: &ApiServers, pause: Duration, mut message: impl FnMut(&str)) -> Verdict {
        let mut said = String::new();
        loop {
            let turn = self.turn(servers).await;
            let (Verdict::Goes { message: sentence, .. } | Verdict::Done { message: sentence } | Verdict::GaveUp { message: sentence }) =
                &turn.verdict;
            if *sentence != said {
                message(sentence);
                said.clone_from(sentence);
            }
            match turn.verdict {
                Verdict::Goes { .. } if turn.moved => {}
                Verdict::Goes { .. } => tokio::time::sleep(pause.min(self.time_left(pause))).await,
                over => return over,
            }
        }
    }

    /// The time left, at least `least`, so nothing spins when the time is over.
    fn time_left(&self, least: Duration) -> Duration {
        self.limits().end.since(self.clock.now()).max(least)
    }

    async fn look(&self, servers: &ApiServers) -> View {
        let limit = self.time_left(LAST_LOOK);
        let looks = join(servers.is_schedulable(&self.node), servers.pods_on(&self.node));
        let at = self.clock.now();
        match tokio::time::timeout(limit, looks).await {
            Ok((schedulable, pods)) => View { schedulable: reading(schedulable, at), pods: reading(pods, at) },
            Err(_) => {
                let late = || format!("no API server answered within the {} s that are left for the drain", limit.as_secs());
                View { schedulable: Reading::unknown(late()), pods: Reading::unknown(late()) }
            }
        }
    }

    /// Does a step within the drain's time; true if all of it was accepted.
    async fn execute(&mut self, servers: &ApiServers, step: &Step) -> bool {
        match step {
            Step::Cordon => self.cordon(servers).await,
            Step::Evict(endings) => {
                let calls = endings.iter().map(|ending| self.in_time(servers.evict(ending)));
                let outcomes = join_all(calls).await;
                self.note(endings, &outcomes)
            }
            Step::Delete(endings) => {
                let calls = endings.iter().map(|ending| self.in_time(servers.delete_pod(ending)));
                let outcomes = join_all(calls).await;
                self.note(endings, &outcomes)
            }
        }
    }

    async fn cordon(&mut self, servers: &ApiServers) -> bool {
        self.not_cordoned = match self.in_time(servers.cordon(&self.node)).await {
            Outcome::Done => None,
            Outcome::Refused(why) | Outcome::NotOpen(why) | Outcome::Unclear(why) => Some(why),
        };
        let cordoned = self.not_cordoned.is_none();
        self.progress.cordoned |= cordoned;
        cordoned
    }

    /// Notes the outcomes; true if all were accepted.
    fn note(&mut self, endings: &[Ending], outcomes: &[Outcome]) -> bool {
        let now = self.clock.now();
        for (ending, outcome) in endings.iter().zip(outcomes) {
            self.progress.note(ending, outcome, now);
        }
        outcomes.iter().all(|outcome| *outcome == Outcome::Done)
    }

    async fn in_time(&self, call: impl Future<Output = Outcome>) -> Outcome {
        let limit = self.time_left(Duration::ZERO);
        let late = |_| Outcome::Unclear("the time for the drain was over before the API server answered".to_owned());
        tokio::time::timeout(limit, call).await.unwrap_or_else(late)
    }
}

fn reading<T>(result: Result<T, KubernetesError>, at: quorate_core::time::Timestamp) -> Reading<T> {
    match result {
        Ok(value) => Reading::Fresh(value, at),
        Err(error) => Reading::unknown(chain(&error)),
    }
}
