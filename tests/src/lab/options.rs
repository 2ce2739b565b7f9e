//! What a lab is made with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binaries;
use super::settings::AgentSettings;
use super::store::Store;
use crate::k3s::Pace;
use crate::region::{Delays, RegionConfig};

/// What a lab is made with.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// etcd.
    pub etcd: PathBuf,
    /// The agent.
    pub quorate: PathBuf,
    /// The stand-in for k3s, for groups of Kubernetes servers and workers.
    pub k3s: PathBuf,
    /// How fast it works; [`Pace::default`] is k3s' own.
    pub pace: Pace,
    /// The region; its addresses are those of the lab's own network, given out again if it says so.
    pub region: RegionConfig,
    /// From power on until the agent starts: kernel and service manager.
    pub boot: Duration,
    /// The agents' settings.
    pub settings: AgentSettings,
    /// Where the lab's directory is made, if not among the temporary files.
    pub directory: Option<PathBuf>,
    /// Where the clusters keep their charters.
    pub store: Store,
    /// Its machines are in a subnet for IPv6 alone, in the network that [`super::subnet`] describes.
    pub ipv6: bool,
    /// Further environment of the agents.
    pub environment: BTreeMap<String, String>,
}

impl LabOptions {
    /// Agents with their defaults, in a region whose delays are short.
    ///
    /// # Errors
    /// etcd, the agent or the stand-in for k3s is not there.
    pub fn new(etcd: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self {
            etcd: binaries::etcd(etcd)?,
            quorate: binaries::quorate()?,
            k3s: binaries::k3s()?,
            pace: Pace::quick(),
            region: RegionConfig { delays: Delays::lab(), shortest_heartbeat_timeout: Duration::from_secs(1), ..RegionConfig::default() },
            boot: Duration::from_millis(500),
            settings: AgentSettings::defaults(),
            directory: None,
            store: Store::default(),
            ipv6: false,
            environment: BTreeMap::new(),
        })
    }

    /// Quick agents in a region with short delays, for tests.
    ///
    /// # Errors
    /// etcd or the agent is not there.
    pub fn quick() -> anyhow::Result<Self> {
        Ok(Self { settings: AgentSettings::quick(), ..Self::new(None)? })
    }

    /// The same with these changes to the agents' settings.
    #[must_use]
    pub fn set(self, change: impl FnOnce(AgentSettings) -> AgentSettings) -> Self {
        Self { settings: change(self.settings), ..self }
    }
}
