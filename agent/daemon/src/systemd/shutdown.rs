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
    let mut with_kind = logind.receive_prepare_for_shutdown_with_metadata().await?;
    let mut plain = logind.receive_prepare_for_shutdown().await?;
    hold(&logind, inhibitor).await?;
    let mut said_with_kind = false;
    loop {
        let notice = tokio::select! {
            Some(signal) = with_kind.next() => {
                let args = signal.args()?;
                said_with_kind = args.start;
                let text = args.metadata.get("type").and_then(|value| value.downcast_ref::<&str>().ok());
                if args.start { Notice::Begins(text.and_then(kind)) } else { Notice::Cancelled }
            }
            Some(signal) = plain.next() => match signal.args()?.start {
                true if said_with_kind => continue,
                true => Notice::Begins(None),
                false => Notice::Cancelled,
            },
            else => return Ok(()),
        };
        if notice == Notice::Cancelled {
            hold(&logind, inhibitor).await?;
        }
        if notices.send(notice).await.is_err() {
            return Ok(());
        }
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
}
