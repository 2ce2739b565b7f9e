//! What lies on an instance's disk besides etcd's own data, which the etcd model keeps.

use quorate_core::agent_key::AgentKey;
use quorate_core::ids::{Generation, SnapshotKey};
use quorate_core::memory::PersistentState;

use crate::simulator::etcd_model::Data;

/// The disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// The agent's memory file.
    pub(crate) kept: Option<PersistentState>,
    /// The key that its agent signs its answers with, made when the agent first starts on this disk.
    pub(crate) key: Option<AgentKey>,
    /// The label beside the data.
    pub(crate) generation: Option<Generation>,
    /// A start that failed left the directory without a log.
    pub(crate) started_in_vain: bool,
    /// Data of an older generation kept by a recovery.
    pub(crate) superseded: Option<Box<Data>>,
    /// The snapshot that was fetched to be restored.
    pub(crate) fetched: Option<SnapshotKey>,
    /// How often data was put aside.
    pub(crate) trash: u32,
}
