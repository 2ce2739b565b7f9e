//! This machine: the data directory and the member's process.

use super::Installed;
use crate::certificates::Certificates;
use crate::etcd_version::EtcdVersion;
use crate::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use crate::reading::Reading;
use crate::time::Timestamp;

/// Whose data is on the disk: cluster and member as etcd's write-ahead log has them, the generation as written beside it before etcd first started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataIdentity {
    /// The etcd cluster; absent if etcd never got as far as writing its log.
    pub cluster: Option<EtcdClusterId>,
    /// The member, absent likewise.
    pub member: Option<MemberId>,
    /// The generation; absent for data that Quorate did not make.
    pub generation: Option<Generation>,
    /// The data's minor version: the cluster's version as the member last applied it and etcd's own file keeps it. Absent where that is not known, as in a
    /// cluster's first seconds.
    pub version: Option<EtcdVersion>,
}

/// Data that another instance wrote: its volume was moved here, or it came with a disk image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReattachedVolume {
    /// The instance that the label beside the data names.
    pub owner: InstanceId,
    /// Whose data it is.
    pub data: DataIdentity,
}

/// The content of the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalData {
    /// The directory is absent or holds no member.
    Empty,
    /// It holds a member's data.
    Present(DataIdentity),
}

/// The member's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Process {
    /// No etcd runs on this data.
    Stopped {
        /// How and when the last one ended, if this agent saw it.
        last_exit: Option<String>,
    },
    /// etcd runs on this data.
    Running {
        /// Since when.
        since: Timestamp,
        /// It serves clients on loopback only, as a founder does until the charter says `established`.
        loopback_only: bool,
    },
}

/// How far a member has come that does not answer. Each number only grows while its process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Its process's work: one for each hundredth of a second of a processor, and one for each 64 KiB read or written. Absent where it cannot be read, or etcd is
    /// only a part of the process.
    pub work: Option<u64>,
    /// Bytes on this disk of a snapshot that the leader sends it, which it has not loaded yet.
    pub received: Option<u64>,
}

/// What happens to the machine when it shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownKind {
    /// Power-off or halt: it does not come back on its own, and its group replaces it.
    PowerOff,
    /// Reboot, kexec or soft-reboot: it comes back with its disks.
    Reboot,
}

/// The operating system shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Whether it powers off or reboots.
    pub kind: ShutdownKind,
    /// Until when it waits for this agent.
    pub deadline: Timestamp,
}

/// This machine.
#[derive(Clone, Debug)]
pub struct Local {
    /// The data directory; unknown until its mount is proven and it could be read.
    pub data: Reading<LocalData>,
    /// Another instance's data in the directory, which is then unknown. It counts as no member's until an operator says that it is now this instance's.
    pub reattached: Option<ReattachedVolume>,
    /// etcd has run on this data since the machine booted. After a stop the remembered record is not enough to permit a start.
    pub ran_this_boot: bool,
    /// Data of an older generation kept until the new one is established.
    pub superseded: bool,
    /// The member's process.
    pub process: Reading<Process>,
    /// How far that process has come.
    pub effort: Effort,
    /// The certificates of this node's etcd; unknown where there are none, with the reason. Not asked in a cluster without TLS, or of a distribution.
    pub certificates: Reading<Certificates>,
    /// The etcd that would be started. Unknown where a distribution runs its own.
    pub etcd: Installed,
    /// The operating system shuts down.
    pub shutdown: Option<Shutdown>,
}

impl Local {
    /// This machine has not been looked at yet.
    #[must_use]
    pub fn unknown(why: &'static str) -> Self {
        Self {
            data: Reading::unknown(why),
            reattached: None,
            ran_this_boot: false,
            superseded: false,
            process: Reading::unknown(why),
            effort: Effort::default(),
            certificates: Reading::unknown(why),
            etcd: Installed::unknown(why),
            shutdown: None,
        }
    }
}
