//! The snapshot that an agent takes beside its loop: it dies with the agent.

use std::sync::Arc;

use quorate_core::ids::SnapshotKey;
use quorate_core::observation::{Drills, Taken, Taking};
use quorate_core::snapshot::{SharedListing, SnapshotOrder};
use quorate_core::time::Timestamp;

use crate::simulator::etcd_model::{Data, Host};

/// What an agent is doing, and the result of the last one that it took.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    pub(crate) taking: Option<Upload>,
    pub(crate) taken: Option<Taken>,
    /// Forgotten with the agent, as if its disk were gone too.
    pub(crate) drills: Drills,
}

/// A snapshot on its way to the store.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) order: SnapshotOrder,
    pub(crate) since: Timestamp,
    pub(crate) end: Timestamp,
    /// Or why there is nothing to be read.
    pub(crate) source: Result<Source, &'static str>,
}

/// What is read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) key: SnapshotKey,
    pub(crate) host: Host,
    /// When the process that it is read from started: another one knows nothing of the stream.
    pub(crate) process: Timestamp,
    /// It has followed its leader for a while, so it holds everything that was acknowledged.
    pub(crate) level: bool,
    /// The member's data as it was when it was asked for.
    pub(crate) data: Arc<Data>,
}

impl Upload {
    /// As the agent sees it: the bytes come evenly.
    pub(crate) fn seen(&self, now: Timestamp) -> Taking {
        let size = self.source.as_ref().ok().map(|source| source.data.size());
        let (gone, whole) = (now.since(self.since).as_millis(), self.end.since(self.since).as_millis().max(1));
        let share = |size: u64| u64::try_from(u128::from(size) * gone.min(whole) / whole).unwrap_or(size);
        Taking { trigger: self.order.trigger, since: self.since, bytes: size.map_or(0, share), of: size }
    }
}

/// The list as an agent keeps it between two calls of the store.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) value: Option<(SharedListing, Timestamp)>,
    pub(crate) tried: Option<Timestamp>,
    /// When the last one of its own that it knows of ended.
    pub(crate) ended: Option<Timestamp>,
    /// Nothing changed at the last look, so the store is seldom asked.
    pub(crate) steady: bool,
}
