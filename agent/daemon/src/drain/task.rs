//! This node's drain as a task of its own: it takes minutes, and the loop continues meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::drain::{Limits, Verdict};
use quorate_core::observation::Draining;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use super::Drain;
use crate::adapters::kubernetes::ApiServers;
use crate::clock::Clock;

/// Pause between two looks that changed nothing.
const PAUSE: Duration = Duration::from_millis(500);

/// Drains this node on request, once.
#[derive(Debug)]
pub struct DrainTask {
    node: String,
    clock: Clock,
    state: Arc<Mutex<Draining>>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    limits: watch::Sender<Limits>,
    task: AbortHandle,
}

impl DrainTask {
    /// Nothing is drained yet.
    #[must_use]
    pub fn new(node: &str, clock: Clock) -> Self {
        Self { node: node.to_owned(), clock, state: Arc::default(), running: Mutex::default() }
    }

    /// Its progress.
    #[must_use]
    pub fn state(&self) -> Draining {
        lock(&self.state).clone()
    }

    /// Begins, or continues within these limits.
    pub fn drain(&self, servers: Arc<ApiServers>, limits: Limits) {
        let mut running = lock(&self.running);
        if let Some(running) = running.as_ref().filter(|running| !running.task.is_finished()) {
            running.limits.send_replace(limits);
            self.note_end(limits);
            return;
        }
        *lock(&self.state) = Draining::Goes { message: "begins".to_owned(), end: limits.end };
        let (sender, receiver) = watch::channel(limits);
        let drain = Drain::new(&self.node, receiver, self.clock);
        let task = tokio::spawn(run(drain, servers, Arc::clone(&self.state))).abort_handle();
        *running = Some(Running { limits: sender, task });
    }

    /// Forgets the drain: the node stays after all, and another notice starts over.
    pub fn forget(&self) {
        lock(&self.running).take().iter().for_each(|running| running.task.abort());
        *lock(&self.state) = Draining::NotBegun;
    }

    fn note_end(&self, limits: Limits) {
        if let Draining::Goes { end, .. } = &mut *lock(&self.state) {
            *end = limits.end;
        }
    }
}

async fn run(mut drain: Drain, servers: Arc<ApiServers>, state: Arc<Mutex<Draining>>) {
    let tell = |sentence: &str| {
        info!(quorate.step = "drain", "{sentence}");
        if let Draining::Goes { message, .. } = &mut *lock(&state) {
            sentence.clone_into(message);
        }
    };
    let clock = drain.clock;
    let verdict = drain.run(&servers, PAUSE, tell).await;
    let message = match verdict {
        Verdict::GaveUp { message } => {
            warn!(quorate.step = "drain", "the drain is given up: {message}");
            message
        }
        Verdict::Goes { message, .. } | Verdict::Done { message } => message,
    };
    *lock(&state) = Draining::Over { message, at: clock.now() };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
