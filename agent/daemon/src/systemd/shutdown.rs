//! The operating system's shutdown: a delay inhibitor of logind's, its signals, and systemd's queue of jobs.
//!
//! SIGTERM looks the same on a restart of the agent, a reboot and a power-off. From systemd 255 on logind says which it is before anything is stopped; with
//! earlier versions it is not known until the jobs are queued, which is when SIGTERM comes. The units' order then keeps network and etcd up until the agent has
//! stopped.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use quorate_core::observation::ShutdownKind;
use tokio::sync::mpsc;
use tracing::warn;
use zbus::OwnedFd;

use super::interfaces::{PrepareForShutdown, PrepareForShutdownWithMetadata};
use super::{Bus, LogindProxy, ManagerProxy};
use crate::telemetry::chain;

/// What logind said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The machine is about to shut down, with the kind if logind names it.
    Begins(Option<ShutdownKind>),
    /// The shutdown was cancelled.
    Cancelled,
}

/// The watch over the machine's shutdown.
#[derive(Debug)]
pub struct ShutdownWatch {
    bus: Bus,
    notices: mpsc::Receiver<Notice>,
    inhibitor: Inhibitor,
}

/// While it is held, logind waits, for at most `InhibitDelayMaxSec=`.
type Inhibitor = Arc<Mutex<Option<OwnedFd>>>;

/// Pause before logind is asked again if it is away.
const RETRY: Duration = Duration::from_secs(30);

impl ShutdownWatch {
    /// Starts the watch.
    #[must_use]
    pub fn start(bus: Bus) -> Self {
        let (sender, notices) = mpsc::channel(8);
        let inhibitor = Inhibitor::default();
        tokio::spawn(watch_for_ever(bus.clone(), sender, inhibitor.clone()));
        Self { bus, notices, inhibitor }
    }

    /// The next notice.
    pub async fn next(&mut self) -> Notice {
        match self.notices.recv().await {
            Some(notice) => notice,
            None => std::future::pending().await,
        }
    }

    /// Releases logind.
    pub fn let_go(&self) {
        self.inhibitor.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The kind of shutdown in systemd's queue; none if none is queued.
    pub async fn queued(&self) -> Option<ShutdownKind> {
        let jobs = self.bus.call("list the jobs", async |connection| ManagerProxy::new(connection).await?.list_jobs().await).await;
        match jobs {
            Ok(jobs) => jobs.iter().filter(|job| job.2 == "start").find_map(|job| target(&job.1)),
            Err(error) => {
                warn!("cannot tell a restart from a shutdown, and so takes it for a restart: {}", chain(&error));
                None
            }
        }
    }
}

fn target(unit: &str) -> Option<ShutdownKind> {
    match unit {
        "poweroff.target" | "halt.target" => Some(ShutdownKind::PowerOff),
        "reboot.target" | "kexec.target" | "soft-reboot.target" => Some(ShutdownKind::Reboot),
        _ => None,
    }
}

/// The `type` in `PrepareForShutdownWithMetadata`.
fn kind(text: &str) -> Option<ShutdownKind> {
    target(&format!("{text}.target"))
}

async fn watch_for_ever(bus: Bus, notices: mpsc::Sender<Notice>, inhibitor: Inhibitor) {
    let mut told = None;
    while !notices.is_closed() {
        if let Err(error) = watch(&bus, &notices, &inhibitor).await {
            let text = error.to_string();
            if told.as_ref() != Some(&text) {
                warn!("logind cannot be watched, so a shutdown is noticed only when the agent is stopped: {text}");
                told = Some(text);
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn watch(bus: &Bus, notices: &mpsc::Sender<Notice>, inhibitor: &Inhibitor) -> zbus::Result<()> {
    let connection = bus.open().await?;
    let logind = LogindProxy::new(&connection).await?;
    // One stream of both signals keeps logind's order. Of two streams that are ready together, either may be looked at first.
    let mut signals = logind.inner().receive_all_signals().await?;
    hold(&logind, inhibitor).await?;
    let mut heard = Heard::default();
    while let Some(message) = signals.next().await {
        let Some(notice) = Signal::of(&message)?.and_then(|signal| heard.notice(signal)) else { continue };
        if notice == Notice::Cancelled {
            hold(&logind, inhibitor).await?;
        }
        if notices.send(notice).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// What logind signals of a shutdown: that it begins, or that it was cancelled.
#[derive(Clone, Copy, Debug)]
enum Signal {
    WithKind { start: bool, kind: Option<ShutdownKind> },
    Plain { start: bool },
}

impl Signal {
    /// The signal in a message; none if that is about something else.
    fn of(message: &zbus::Message) -> zbus::Result<Option<Self>> {
        if let Some(signal) = PrepareForShutdownWithMetadata::from_message(message.clone()) {
            let args = signal.args()?;
            let text = args.metadata.get("type").and_then(|value| value.downcast_ref::<&str>().ok());
            return Ok(Some(Self::WithKind { start: args.start, kind: text.and_then(kind) }));
        }
        let plain = PrepareForShutdown::from_message(message.clone());
        plain.map(|signal| Ok(Self::Plain { start: signal.args()?.start })).transpose()
    }
}

/// What the last signal with a kind said: the plain one, which logind sends after it, says nothing more.
#[derive(Debug, Default)]
struct Heard {
    with_kind: Option<bool>,
}

impl Heard {
    fn notice(&mut self, signal: Signal) -> Option<Notice> {
        let (start, kind) = match signal {
            Signal::WithKind { start, kind } => {
                self.with_kind = Some(start);
                (start, kind)
            }
            Signal::Plain { start } if self.with_kind.take() == Some(start) => return None,
            Signal::Plain { start } => (start, None),
        };
        Some(if start { Notice::Begins(kind) } else { Notice::Cancelled })
    }
}

async fn hold(logind: &LogindProxy<'_>, inhibitor: &Inhibitor) -> zbus::Result<()> {
    let held = logind.inhibit("shutdown", "Quorate", "hands over, or leaves its cluster", "delay").await?;
    inhibitor.lock().unwrap_or_else(PoisonError::into_inner).replace(held);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_systemds_own() {
        for (text, expected) in [
            ("poweroff", Some(ShutdownKind::PowerOff)),
            ("halt", Some(ShutdownKind::PowerOff)),
            ("reboot", Some(ShutdownKind::Reboot)),
            ("kexec", Some(ShutdownKind::Reboot)),
            ("soft-reboot", Some(ShutdownKind::Reboot)),
            ("sleep", None),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        assert_eq!(target("multi-user.target"), None);
    }

    fn notices(signals: &[Signal]) -> Vec<Notice> {
        let mut heard = Heard::default();
        signals.iter().filter_map(|signal| heard.notice(*signal)).collect()
    }

    #[test]
    fn the_plain_signal_says_nothing_after_the_one_with_the_kind() {
        let with_kind = |start, kind| [Signal::WithKind { start, kind }, Signal::Plain { start }];
        let (off, cancelled) = (with_kind(true, Some(ShutdownKind::PowerOff)), with_kind(false, Some(ShutdownKind::PowerOff)));
        let again = with_kind(true, Some(ShutdownKind::Reboot));
        let expected = [Notice::Begins(Some(ShutdownKind::PowerOff)), Notice::Cancelled, Notice::Begins(Some(ShutdownKind::Reboot))];
        assert_eq!(notices(&[off, cancelled, again].concat()), expected);
    }

    #[test]
    fn an_older_logind_says_only_that_it_begins_or_was_cancelled() {
        let signals = [true, false, true].map(|start| Signal::Plain { start });
        assert_eq!(notices(&signals), [Notice::Begins(None), Notice::Cancelled, Notice::Begins(None)]);
    }
}
