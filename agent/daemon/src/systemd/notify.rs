//! Notifies systemd of this service's state (sd_notify(3)), if a manager asked for it.

use std::time::Duration;

use quorate_core::text::printable;
use sd_notify::NotifyState;
use tracing::warn;

/// Longest status that is sent.
const STATUS: usize = 1000;

/// The start continues: systemd waits another minute for `READY`.
pub fn waiting_to_start(message: &str) {
    send(&[NotifyState::Status(&printable(message, STATUS)), NotifyState::ExtendTimeoutUsec(micros(Duration::from_secs(60)))]);
}

/// The notification socket, and how often systemd wants a sign of life.
#[derive(Debug)]
pub struct Notifier {
    watchdog: Option<Duration>,
    ready: bool,
    status: String,
    stopping: bool,
}

impl Notifier {
    /// The notifier, from the environment.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled(), ready: false, status: String::new(), stopping: false }
    }

    /// A cycle has finished: the first one makes the service ready, and each feeds the watchdog.
    pub fn cycle_finished(&mut self) {
        if !self.ready {
            self.ready = true;
            send(&[NotifyState::Ready]);
        }
        if self.watchdog.is_some() {
            send(&[NotifyState::Watchdog]);
        }
    }

    /// The report, for `systemctl status`; sent when it changed.
    pub fn status(&mut self, message: &str) {
        // One line, whatever the sentence quotes: systemd would read each further line as a field of its own.
        let message = printable(message, STATUS);
        if self.status != message {
            send(&[NotifyState::Status(&message)]);
            self.status = message;
        }
    }

    /// A step begins that may take this long: the watchdog waits for it too, and no longer.
    pub fn may_take(&self, step: Duration) {
        if let Some(watchdog) = self.watchdog {
            set_watchdog(watchdog.max(step + watchdog / 2));
        }
    }

    /// The step of [`Self::may_take`] is over.
    pub fn took(&self) {
        self.watchdog.iter().for_each(|watchdog| set_watchdog(*watchdog));
    }

    /// The service stops, and takes at most this long from now on: each call extends `TimeoutStopSec=`.
    pub fn stopping(&mut self, within: Duration) {
        if !self.stopping {
            self.stopping = true;
            send(&[NotifyState::Stopping]);
        }
        send(&[NotifyState::ExtendTimeoutUsec(micros(within))]);
    }
}

fn set_watchdog(limit: Duration) {
    send(&[NotifyState::WatchdogUsec(micros(limit)), NotifyState::Watchdog]);
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!("cannot notify systemd: {error}");
    }
}
