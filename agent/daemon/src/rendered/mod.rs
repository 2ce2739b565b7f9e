//! Files rendered from the living peers: endpoints for an API server, a proxy, an application.
//!
//! A file is written only when its text changes, and its unit is reloaded only then. Whatever is not known changes nothing: no list that is empty
//! for want of knowledge ever takes the place of a full one.

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

/// Reloads, or restarts, a unit that runs; one that does not run stays as it is. Otherwise it says why not, and is asked again with the next cycle.
pub type Reload = Arc<dyn Fn(String) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Reloads by systemd.
#[must_use]
pub fn by_systemd(bus: Bus) -> Reload {
    Arc::new(move |unit| {
        let bus = bus.clone();
        async move { units::reload(&bus, &unit).await.map_err(|error| chain(&error)) }.boxed()
    })
}

/// For `service.manager = "exec"`: without systemd no unit is reloaded, and whoever reads a file watches it.
#[must_use]
pub fn by_nobody() -> Reload {
    Arc::new(|_| async { Ok(()) }.boxed())
}

/// Keeps the files current.
pub struct Rendered {
    files: Vec<File>,
    due: Due,
    reload: Reload,
    /// What the journal was told last of a file or of a unit.
    told: BTreeMap<String, String>,
}

impl Rendered {
    /// These files. What is still to be reloaded is noted in `run_dir`.
    #[must_use]
    pub fn new(files: Vec<File>, run_dir: &Path, reload: Reload) -> Self {
        Self { files, due: Due::in_dir(run_dir), reload, told: BTreeMap::new() }
    }

    /// Keeps them current beside the agent's loop, which a slow reload never holds up, until the agent ends.
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

    /// Renders each file anew, writes those whose text has changed, then reloads the units of these once each.
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

    /// Tells the journal what is new.
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

/// What became of a file.
enum PersistentState {
    Current,
    Written,
    Waits(&'static str),
}

/// Only a file of the same length is read.
fn holds(path: &Path, text: &str) -> bool {
    let length = fs::metadata(path).map(|metadata| metadata.len());
    length.is_ok_and(|length| length == text.len() as u64) && fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// `quorate.service` may write below its own directories alone (`ProtectSystem=strict`): systemd has mounted the others read-only for it.
fn write(path: &Path, text: &str) -> Result<(), RenderError> {
    atomic::replace(path, text.as_bytes()).map_err(|source| match &source {
        HostError::Io { source: io, .. } if io.kind() == ErrorKind::ReadOnlyFilesystem => {
            RenderError::ReadOnly { path: path.to_owned(), dir: atomic::parent(path).to_owned(), source: Box::new(source) }
        }
        _ => RenderError::Host(source),
    })
}
