//! `stand-in.json` beside the configuration: what a real k3s would bring along or know on its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What a real k3s would bring along. Its file is `stand-in.json` beside `config.yaml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// The etcd binary.
    pub etcd: PathBuf,
    /// etcd's tool that restores snapshots, where none is beside the binary: k3s has it in itself.
    #[serde(default)]
    pub restore_tool: Option<PathBuf>,
    /// The URL of the lab's API server for this cluster, which stands for the API server inside k3s.
    pub kubernetes: String,
    /// Where the node password is kept; k3s: `/etc/rancher/node/password`.
    pub node_password: PathBuf,
    /// How fast it works.
    #[serde(default)]
    pub pace: Pace,
}

/// How fast a stand-in works, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// etcd's heartbeat interval.
    pub heartbeat_ms: u64,
    /// etcd's election timeout.
    pub election_ms: u64,
    /// Between two tries of the leader's stand-in to promote, and two updates of the condition `EtcdIsVoter`.
    pub promote_ms: u64,
    /// A learner without progress for this long is removed.
    pub stalled_ms: u64,
    /// Between two reports of a kubelet.
    pub kubelet_ms: u64,
    /// The pause before an agent that was refused or not answered asks again.
    pub agent_retry_ms: u64,
}

impl Default for Pace {
    /// As k3s has it.
    fn default() -> Self {
        Self { heartbeat_ms: 500, election_ms: 5000, promote_ms: 15_000, stalled_ms: 300_000, kubelet_ms: 10_000, agent_retry_ms: 5000 }
    }
}

impl Pace {
    /// An order of magnitude quicker, for tests that are not about k3s' own pace.
    #[must_use]
    pub fn quick() -> Self {
        Self { heartbeat_ms: 100, election_ms: 1000, promote_ms: 1000, stalled_ms: 20_000, kubelet_ms: 500, agent_retry_ms: 500 }
    }

    pub(super) fn promote(&self) -> Duration {
        Duration::from_millis(self.promote_ms)
    }

    pub(super) fn stalled(&self) -> Duration {
        Duration::from_millis(self.stalled_ms)
    }

    pub(super) fn kubelet(&self) -> Duration {
        Duration::from_millis(self.kubelet_ms)
    }

    pub(super) fn agent_retry(&self) -> Duration {
        Duration::from_millis(self.agent_retry_ms)
    }
}

impl Beside {
    /// Reads the file beside a configuration.
    ///
    /// # Errors
    /// It is not there, or not understood.
    pub fn of(config: &Path) -> anyhow::Result<Self> {
        let path = config.with_file_name("stand-in.json");
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}: the lab writes it", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not understood", path.display()))
    }

    /// Writes the file beside a configuration.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, config: &Path) -> anyhow::Result<()> {
        let path = config.with_file_name("stand-in.json");
        std::fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| format!("cannot write {}", path.display()))
    }
}
