//! The endpoints file: where applications on this machine find etcd, as an environment file for units and shells.

use std::path::{Path, PathBuf};

use tracing::warn;

use crate::adapters::host::atomic;
use crate::cycle::Cycle;
use crate::repeats::Repeats;
use crate::telemetry::chain;

/// The file's name in the run directory.
pub const FILE: &str = "endpoints.env";

/// Keeps the file current. What is not known changes nothing: the last endpoints stay until others are known.
#[derive(Debug)]
pub struct EndpointsFile {
    path: PathBuf,
    written: Option<String>,
    troubles: Repeats,
}

impl EndpointsFile {
    /// The file in `run_dir`.
    #[must_use]
    pub fn in_dir(run_dir: &Path) -> Self {
        Self { path: run_dir.join(FILE), written: None, troubles: Repeats::default() }
    }

    /// Writes the file if the endpoints have changed; a failure is logged and tried again with the next cycle.
    pub fn keep(&mut self, cycle: &Cycle) {
        let Some(text) = of(cycle).filter(|text| self.written.as_ref() != Some(text)) else { return };
        match atomic::write_for_all(&self.path, text.as_bytes()) {
            Ok(()) => self.written = Some(text),
            Err(error) => {
                let why = chain(&error);
                if let Some(again) = self.troubles.news(FILE, &why, cycle.at) {
                    warn!("cannot tell applications where etcd is: {why}{again}");
                }
            }
        }
    }
}

/// The client endpoints of all voters that stay. The own one is first.
fn of(cycle: &Cycle) -> Option<String> {
    let me = &cycle.seen.me.instance;
    let voters = cycle.staying_voters()?;
    let mut urls: Vec<(bool, &str)> =
        voters.iter().filter_map(|v| Some((v.name.as_ref() != Some(me), &**v.client_url.as_ref()?))).collect();
    urls.sort_unstable();
    let urls: Vec<&str> = urls.into_iter().map(|(_, url)| url).collect();
    (!urls.is_empty()).then(|| text(cycle, &urls.join(",")))
}

fn text(cycle: &Cycle, urls: &str) -> String {
    format!(
        "# Where etcd of cluster {} serves clients. Quorate rewrites this whenever it changes.\nETCD_ENDPOINTS={urls}\nETCDCTL_ENDPOINTS={urls}\n",
        cycle.seen.me.cluster
    )
}
