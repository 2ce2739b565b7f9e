//! Files rendered from the living peers: endpoints for an API server, a proxy, an application.
//!
//! A file is written only when its text changes, and its unit is reloaded only then. Unknown facts change nothing: a list that is empty only because nothing is
//! known never replaces a full one.

mod context;
mod due;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use tracing::{error, info, warn};

pub use crate::config::RenderSettings as File;
pub use context::{Context, Peer, servers};
pub use template::{RenderError, Rendering, parse, render};

use crate::adapters::host::{HostError, atomic};
use crate::cycle::LastCycle;
use crate::systemd::{Bus, units};
use crate::telemetry::chain;
use due::Due;

/// Reloads or restarts a running unit; one that does not run stays as it is. On failure it says why, and the next cycle asks again.
pub type Reload = Arc<dyn Fn(String) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Reloads by systemd.
#[must_use]
pub fn by_systemd(bus: Bus) -> Reload {
    Arc::new(move |unit| {
        let bus = bus.clone();
        async move { units::reload(&bus, &unit).await.map_err(|error| chain(&error)) }.boxed()
    })
}

/// For `service.manager = "exec"`: without systemd no unit is reloaded, and a program that uses a file has to watch it.
#[must_use]
pub fn by_nobody() -> Reload {
    Arc::new(|_| async { Ok(()) }.boxed())
}

/// Keeps the files current.
pub struct Rendered {
    files: Vec<File>,
    due: Due,
    reload: Reload,
    /// What was last reported about a file or a unit.
    told: BTreeMap<String, String>,
}

impl Rendered {
    /// Renders these files. Pending reloads are noted in `run_dir`.
    #[must_use]
    pub fn new(files: Vec<File>, run_dir: &Path, reload: Reload) -> Self {
        Self { files, due: Due::in_dir(run_dir), reload, told: BTreeMap::new() }
    }

    /// Keeps the files current until the agent ends, beside the loop, which never waits for a slow reload.
    pub fn start(mut self, mut cycles: LastCycle) {
        if self.files.is_empty() {
            return;
        }
        tokio::spawn(async move {
            while cycles.changed().await.is_ok() {
                let cycle = cycles.borrow_and_update().clone();
                if let Some(cycle) = cycle {
                    self.keep(&Context::of(&cycle)).await;
                }
            }
        });
    }

    /// Renders each file, writes those whose text has changed, then reloads each of their units once.
    pub async fn keep(&mut self, context: &Context) {
        for file in self.files.clone() {
            let outcome = self.keep_one(&file, context);
            self.tell(&file, outcome);
        }
        let units = self.files.iter().filter_map(|file| file.reload_unit.clone());
        let due: BTreeSet<String> = units.filter(|unit| self.due.contains(unit)).collect();
        for unit in due {
            self.reload_unit(&unit).await;
        }
    }

    fn keep_one(&self, file: &File, context: &Context) -> Result<PersistentState, RenderError> {
        let text = match render(&file.template, context)? {
            Rendering::Text(text) => text,
            Rendering::Waits(name) => return Ok(PersistentState::Waits(name)),
        };
        if holds(&file.path, &text) {
            return Ok(PersistentState::Current);
        }
        file.reload_unit.iter().try_for_each(|unit| self.due.add(unit))?;
        write(&file.path, &text)?;
        Ok(PersistentState::Written)
    }

    async fn reload_unit(&mut self, unit: &str) {
        let reloaded = match (self.reload)(unit.to_owned()).await {
            Ok(()) => self.due.remove(unit).map_err(|error| chain(&error)),
            Err(problem) => Err(problem),
        };
        match reloaded {
            Ok(()) => drop(self.told.remove(unit)),
            Err(problem) if self.is_new(unit, &problem) => warn!("cannot reload {unit}, and tries again: {problem}"),
            Err(_) => {}
        }
    }

    /// Reports news in the journal.
    fn tell(&mut self, file: &File, outcome: Result<PersistentState, RenderError>) {
        let path = file.path.display().to_string();
        match outcome {
            Ok(PersistentState::Current) => drop(self.told.remove(&path)),
            Ok(PersistentState::Written) => {
                self.told.remove(&path);
                info!("{path} is written anew from {}", file.template.display());
            }
            Ok(PersistentState::Waits(name)) => {
                if self.is_new(&path, name) {
                    info!("{path} stays as it is: its template uses `{name}`, of which nothing is known now");
                }
            }
            Err(problem) => {
                let problem = chain(&problem);
                if self.is_new(&path, &problem) {
                    error!("{path} stays as it is: {problem}");
                }
            }
        }
    }

    fn is_new(&mut self, of: &str, message: &str) -> bool {
        self.told.insert(of.to_owned(), message.to_owned()).is_none_or(|before| before != message)
    }
}

/// What happened to a file.
enum PersistentState {
    Current,
    Written,
    Waits(&'static str),
}

/// Whether the file holds this text. It is only read if its length is the same.
fn holds(path: &Path, text: &str) -> bool {
    let length = fs::metadata(path).map(|metadata| metadata.len());
    length.is_ok_and(|length| length == text.len() as u64) && fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// `quorate.service` may write only below its own directories (`ProtectSystem=strict`): systemd has mounted the others read-only for it.
fn write(path: &Path, text: &str) -> Result<(), RenderError> {
    atomic::replace(path, text.as_bytes()).map_err(|source| match &source {
        HostError::Io { source: io, .. } if io.kind() == ErrorKind::ReadOnlyFilesystem => {
            RenderError::ReadOnly { path: path.to_owned(), dir: atomic::parent(path).to_owned(), source: Box::new(source) }
        }
        _ => RenderError::Host(source),
    })
}
