//! The etcd cluster, as its own members report it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::etcd_version::EtcdVersion;
use crate::ids::{EtcdClusterId, InstanceId, MemberId};
use crate::member_url::MemberUrl;
use crate::pausing::Pause;
use crate::reading::Reading;
use crate::role::PEER_PORT;
use crate::text::Foreign;

/// Where the others reach a member, according to its entry in etcd's member list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerUrl {
    /// At this address.
    At(MemberUrl),
    /// The entry is a stranger's: its name is no instance id, or its URL no address. It votes like any other member, but no agent asks it, writes it down or
    /// counts it as healthy. Its text is kept, escaped, for the report only.
    Strange(Box<str>),
}

impl PeerUrl {
    /// The address, unless it is a stranger's.
    #[must_use]
    pub fn url(&self) -> Option<MemberUrl> {
        match self {
            Self::At(url) => Some(*url),
            Self::Strange(_) => None,
        }
    }
}

impl PeerUrl {
    /// Whether the member at this address has it, in a cluster with TLS or without: while a cluster changes from one to the other, the scheme says nothing of
    /// whose it is.
    #[must_use]
    pub fn is_of(&self, address: IpAddr) -> bool {
        self.url().is_some_and(|url| url.is_at(address, PEER_PORT))
    }
}

impl PartialEq<MemberUrl> for PeerUrl {
    fn eq(&self, other: &MemberUrl) -> bool {
        self.url() == Some(*other)
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(url) => url.fmt(f),
            Self::Strange(message) => write!(f, "stranger {message}"),
        }
    }
}

/// One entry of etcd's member list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// Its name, which is its instance's id; absent until it has started once.
    pub name: Option<InstanceId>,
    /// Its peer URL. Members are matched by it, because a member that never started has no name.
    pub peer_url: PeerUrl,
    /// Its client URL; absent until it has started once.
    pub client_url: Option<MemberUrl>,
    /// A learner has no vote.
    pub learner: bool,
}

impl Member {
    /// A member that Quorate did not make: only its id and its vote are taken from its entry. `says` is the entry's text, for the report.
    #[must_use]
    pub fn stranger(id: MemberId, learner: bool, message: &str) -> Self {
        let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c.to_string() } else { c.escape_default().to_string() };
        let message: String = message.chars().take(STRANGE_TEXT).map(plain).collect();
        Self { id, name: None, peer_url: PeerUrl::Strange(message.into()), client_url: None, learner }
    }

    /// It is a stranger.
    #[must_use]
    pub fn is_stranger(&self) -> bool {
        matches!(self.peer_url, PeerUrl::Strange(_))
    }
}

/// At most this many characters of a stranger's text are kept.
const STRANGE_TEXT: usize = 200;

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.id),
            None => write!(f, "{} ({})", self.peer_url, self.id),
        }
    }
}

/// The member list, read right after a linearizable read through the same endpoint. It proves quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The etcd cluster that answered.
    pub cluster: EtcdClusterId,
    /// The leader, if that member knows one.
    pub leader: Option<MemberId>,
    /// The member through which it was read.
    pub via: MemberId,
    /// All members.
    pub members: Vec<Member>,
}

impl Membership {
    /// The voting members.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| !m.learner)
    }

    /// The learner; by default etcd has at most one.
    #[must_use]
    pub fn learner(&self) -> Option<&Member> {
        self.members.iter().find(|m| m.learner)
    }

    /// Members that belong to no node of this cluster. A voter that never started is one too: a node of this cluster is added as a learner, and votes only
    /// once it has started.
    pub fn strangers(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.is_stranger() || (!m.learner && m.name.is_none()))
    }

    /// A voter that was added by hand and never started, at an address. Whether a stranger without an address runs is not known.
    #[must_use]
    pub fn unstarted_voter(&self) -> Option<&Member> {
        self.voters().find(|m| m.name.is_none() && !m.is_stranger())
    }

    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|m| m.id == id)
    }
}

/// An alarm that a member raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// The database is at its quota: puts and lease grants are refused.
    NoSpace,
    /// The members' data differ.
    Corrupt,
}

/// One member's own answer to `Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// The member that answered.
    pub member: MemberId,
    /// Its cluster.
    pub cluster: EtcdClusterId,
    /// The leader that it knows.
    pub leader: Option<MemberId>,
    /// It is a learner.
    pub learner: bool,
    /// Raft term.
    pub term: u64,
    /// Its raft index.
    pub index: u64,
    /// Its applied raft index.
    pub applied: u64,
    /// The last revision of its keys, which it reports with or without quorum.
    pub revision: Option<u64>,
    /// Alarms that it reports.
    pub alarms: Vec<Alarm>,
    /// Its own minor release.
    pub version: Option<EtcdVersion>,
}

/// The cluster-wide lock, an etcd lease. A courtesy between agents: etcd's strict-reconfig-check is the backstop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// No agent holds it.
    Free,
    /// This agent holds it.
    Mine {
        /// Time left of its lease, by a clock that counts suspended time too.
        remaining: Duration,
    },
    /// Another agent holds it.
    Other {
        /// Which agent.
        holder: InstanceId,
        /// The purpose, as its holder wrote it.
        purpose: Foreign,
    },
}

/// The etcd cluster as seen in this cycle.
#[derive(Clone, Debug)]
pub struct EtcdView {
    /// A quorum's word. Unknown while no member that answers has quorum.
    pub membership: Reading<Membership>,
    /// What a member said that answers and refuses this agent, such as one whose authentication was switched on. Absent while none does.
    pub refused: Option<Foreign>,
    /// What a member said that answers and has too much to do for this agent's calls now: that passes. Absent while none does.
    pub busy: Option<Foreign>,
    /// The list that the local member holds, with or without quorum; recovery counts voters by it.
    pub local_list: Reading<Vec<Member>>,
    /// Each member asked directly, this one included.
    pub statuses: BTreeMap<MemberId, Reading<MemberStatus>>,
    /// The lock.
    pub lock: Reading<Lock>,
    /// The cluster's pause, read with the lock; `None` inside: it is not paused.
    pub pause: Reading<Option<Pause>>,
    /// The cluster's version, as reported by the member that the quorum's word came through. etcd raises it to the lowest of its members' versions within
    /// seconds, but never while one of them cannot be asked; until then a member of the lower version may restart.
    pub version: Reading<EtcdVersion>,
}

impl EtcdView {
    /// No member has answered yet.
    #[must_use]
    pub fn unknown(why: &'static str) -> Self {
        Self {
            membership: Reading::unknown(why),
            refused: None,
            busy: None,
            local_list: Reading::unknown(why),
            statuses: BTreeMap::new(),
            lock: Reading::unknown(why),
            pause: Reading::unknown(why),
            version: Reading::unknown(why),
        }
    }
}
