//! The charter: the durable record, outside the nodes, of what this cluster is.
//!
//! It is a log of numbered records, each created once and never changed, so a compare-and-swap is "create number n+1" on any store.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::authority::AuthorityHash;
use crate::ids::{AccountId, ClusterName, EtcdClusterId, Generation, InstanceId, MemberId, RegionName, SnapshotKey};
use crate::observation::Me;
use crate::rotation::{Rotation, Trust};
use crate::text::Foreign;
use crate::transport::Transport;

/// Where a generation's data came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// Nothing: the very first cluster. Forbidden for ever once any generation was established.
    Empty,
    /// A snapshot in the store.
    Snapshot {
        /// Its key.
        key: SnapshotKey,
    },
    /// A survivor's own data after quorum was lost.
    Survivor {
        /// The survivor.
        instance: InstanceId,
    },
    /// Nothing, by an operator's explicit `recover --fresh`.
    Fresh,
}

/// How far a generation got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum State {
    /// Claimed by `founder`, which starts it alone.
    Founding {
        /// The only instance that may start it.
        founder: InstanceId,
    },
    /// Running: others may join.
    Established,
    /// Ended on purpose with a final snapshot.
    Retired {
        /// The snapshot's key.
        key: SnapshotKey,
        /// Its revision.
        revision: u64,
    },
}

/// A voter as the charter lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListedVoter {
    /// Its instance.
    pub instance: InstanceId,
    /// Its member id.
    pub member: MemberId,
}

/// A generation that a later one's data descends from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestor {
    /// Its number.
    pub generation: Generation,
    /// Its etcd cluster.
    pub etcd_cluster: EtcdClusterId,
}

/// The digest of a record's bytes, in hex; the next record names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordDigest(pub String);

/// The number of ancestors remembered: a record stays small, and no recovery would choose a snapshot older than that first.
const ANCESTORS: usize = 16;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// The digest of the record before it; absent in number 1.
    pub previous: Option<RecordDigest>,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The region that it belongs to.
    pub region: RegionName,
    /// The cluster that it belongs to.
    pub cluster: ClusterName,
    /// The generation that it describes.
    pub generation: Generation,
    /// Where that generation's data came from.
    pub origin: Origin,
    /// How far it got.
    pub state: State,
    /// The highest generation that was ever established, this one included.
    pub ever_established: Option<Generation>,
    /// The etcd cluster id, known once established.
    pub etcd_cluster: Option<EtcdClusterId>,
    /// Voters, sorted by instance; a learner about to be promoted counts as one.
    pub voters: Vec<ListedVoter>,
    /// The generations that this one's data descends from, the nearest last; none where it began empty. A snapshot that is of none of them, and not
    /// of this generation itself, belongs to another history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Ancestor>,
    /// How the cluster's members are reached. A record that does not say it is of a cluster without TLS.
    #[serde(default, skip_serializing_if = "Transport::is_plain")]
    pub transport: Transport,
    /// The authority of the cluster's certificates, once a generation with TLS was established. The data of a later one comes with the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<AuthorityHash>,
    /// How far the rotation to another authority is, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

impl Record {
    /// The record's digest, over its canonical JSON.
    #[must_use]
    pub fn digest(&self) -> RecordDigest {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(&bytes) {
            use fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
        }
        RecordDigest(text)
    }

    /// Whether this record belongs to `me`'s account, region and cluster.
    #[must_use]
    pub fn belongs_to(&self, me: &Me) -> bool {
        self.account == me.account && self.region == me.region && self.cluster == me.cluster
    }

    /// Whether `next` may follow this record: as its direct successor, or as an operator's `recover --fresh`, which only needs a higher number.
    #[must_use]
    pub fn precedes(&self, next: &Self) -> bool {
        let linked = next.number == self.number + 1 && next.previous.as_ref() == Some(&self.digest());
        let fresh = next.number > self.number && next.origin == Origin::Fresh && next.founder().is_some();
        linked || fresh
    }

    /// The ancestors of a generation that continues from this one's data, including this one if it was ever established.
    #[must_use]
    pub fn lineage(&self) -> Vec<Ancestor> {
        let own = self.etcd_cluster.map(|etcd_cluster| Ancestor { generation: self.generation, etcd_cluster });
        let all: Vec<Ancestor> = self.ancestors.iter().copied().chain(own).collect();
        all[all.len().saturating_sub(ANCESTORS)..].to_vec()
    }

    /// Whether this record lists `instance` as a voter.
    #[must_use]
    pub fn lists(&self, instance: &InstanceId) -> bool {
        self.voters.iter().any(|v| v.instance == *instance)
    }

    /// Whose certificates its members show and accept, once it names an authority.
    #[must_use]
    pub fn trust(&self) -> Option<Trust> {
        self.authority.map(|authority| Trust { authority, also: self.rotation.map(Rotation::also) })
    }

    /// Every instance that this record names: its voters, its founder, and the survivor that its data came from.
    pub fn named(&self) -> impl Iterator<Item = &InstanceId> {
        let survivor = match &self.origin {
            Origin::Survivor { instance } => Some(instance),
            Origin::Empty | Origin::Snapshot { .. } | Origin::Fresh => None,
        };
        self.voters.iter().map(|v| &v.instance).chain(self.founder()).chain(survivor)
    }

    /// The founder, while `founding`.
    #[must_use]
    pub fn founder(&self) -> Option<&InstanceId> {
        match &self.state {
            State::Founding { founder } => Some(founder),
            State::Established | State::Retired { .. } => None,
        }
    }

    /// The token that makes this generation's etcd cluster id unique, so members of another generation cannot talk to it.
    /// It holds the number of the founding record, which no other generation shares.
    #[must_use]
    pub fn token(&self) -> String {
        format!("quorate-{}-g{}-r{}", self.cluster, self.generation, self.number)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Founding { founder } => format!("founding by {founder}"),
            State::Established => "established".to_owned(),
            State::Retired { key, revision } => format!("retired to {key} at revision {revision}"),
        };
        write!(f, "record {} (generation {}, {state}, {} voters)", self.number, self.generation, self.voters.len())
    }
}

/// What the store holds under the cluster's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreView {
    /// No store is configured: only an operator's order founds a cluster.
    NotConfigured,
    /// It was read and holds nothing at all.
    Absent,
    /// It holds no charter but other objects: never mistaken for an absent charter.
    Foreign {
        /// One of them.
        example: Foreign,
    },
    /// It holds the charter.
    Charter(Log),
}

/// The part of the charter's log that matters to one reader: from the record that it remembers (or else the first) to the highest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Records in ascending order; at least the highest, and, where it exists, the one with the number that the reader remembers.
    pub records: Vec<Record>,
}

impl Log {
    /// The highest record.
    #[must_use]
    pub fn highest(&self) -> Option<&Record> {
        self.records.last()
    }

    /// The record with this number.
    #[must_use]
    pub fn number(&self, number: u64) -> Option<&Record> {
        self.records.iter().find(|r| r.number == number)
    }

    /// Whether every record may follow the one before it.
    #[must_use]
    pub fn is_chain(&self) -> bool {
        self.records.windows(2).all(|pair| pair[0].precedes(&pair[1]))
    }
}
