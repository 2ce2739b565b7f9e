//! Why the charter, a record, a claim or another instance forbids a step.

use std::time::Duration;

use crate::charter::Record;
use crate::ids::{AccountId, ClusterName, EtcdClusterId, Generation, InstanceId, MemberId, RegionName, SnapshotKey};
use crate::rotation::Rotation;
use crate::text::Foreign;
use crate::time::Timestamp;

/// Where a record belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its account.
    pub account: AccountId,
    /// Its region.
    pub region: RegionName,
    /// Its cluster.
    pub cluster: ClusterName,
}

impl Home {
    pub(in crate::safety) fn of(record: &Record) -> Self {
        Self { account: record.account.clone(), region: record.region.clone(), cluster: record.cluster.clone() }
    }
}

/// Why the charter forbids a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CharterFault {
    /// There is none.
    None,
    /// The store holds other objects in its place, such as this one.
    Foreign(Foreign),
    /// It belongs to another cluster.
    OfAnotherCluster(Home),
    /// This record does not follow the one before it.
    Unlinked(u64),
    /// The store's record of this number is not the one that is remembered.
    Changed(u64),
    /// The record of this number is remembered, and the store does not have it.
    Lost(u64),
    /// A later record is remembered than the store shows.
    Behind {
        /// The highest that the store shows.
        shown: u64,
        /// The remembered one.
        remembered: u64,
    },
    /// No generation was ever established.
    NothingEstablished,
    /// This record does not say `established`.
    NotEstablished(u64),
    /// The highest record does not permit a generation to run.
    NotPermitted {
        /// The generation.
        generation: Generation,
        /// The highest record, if there is one.
        record: Option<u64>,
    },
    /// A founder would serve others before this generation is established.
    ServesTooEarly(Generation),
    /// A record does not list an instance.
    NotListed {
        /// The record.
        record: u64,
        /// The instance.
        instance: InstanceId,
    },
    /// A record does not list a member.
    MemberNotListed {
        /// The record.
        record: u64,
        /// The member.
        member: MemberId,
    },
    /// A record does not list a member as this instance's.
    NotListedHere {
        /// The record.
        record: u64,
        /// The member.
        member: MemberId,
    },
    /// A record still lists an instance.
    StillLists {
        /// The record.
        record: u64,
        /// The instance.
        instance: InstanceId,
    },
    /// No established generation is newer than this disk's data, which is of this one.
    NoNewerGeneration(Option<Generation>),
    /// The etcd cluster that answers is not the one that the charter names.
    EtcdCluster {
        /// The one that answers.
        answers: EtcdClusterId,
        /// The charter's.
        charter: Option<EtcdClusterId>,
    },
}

/// What is wrong with a record that would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It belongs to another cluster.
    OfAnotherCluster(Home),
    /// It does not follow the store's highest record.
    DoesNotFollow {
        /// Its number.
        number: u64,
        /// The highest.
        highest: Option<u64>,
    },
    /// A record of its number or a later one is remembered.
    NotNew {
        /// Its number.
        number: u64,
        /// The remembered one.
        remembered: u64,
    },
    /// It would bring back a vanished record of this number, and no quorum confirms this node's data.
    RewriteUnproven(u64),
    /// It would bring back a vanished record of this number, and does not fit what the store shows.
    RewriteUnlinked(u64),
    /// It would change how the members are reached from what record of this number says.
    ChangesTransport(u64),
    /// It would name another authority than the cluster's.
    ChangesAuthority,
    /// It carries the rotation of the authority on before a member has made the step before it.
    RotatesTooEarly(Rotation),
    /// It begins a rotation that no operator has ordered, or to an authority that the store does not hold.
    RotationNotOrdered,
    /// It names an authority that the cluster has not established.
    NamesAuthority,
    /// It forgets that this generation was established.
    ForgetsEstablished(Generation),
    /// It claims for this instance, which alone may do that.
    ClaimsFor(InstanceId),
    /// Its generation is not the next one.
    GenerationNotNext {
        /// Its generation.
        generation: Generation,
        /// The highest that is known.
        highest: Generation,
    },
    /// Another instance remembers a record of its generation or a later one.
    GenerationTaken {
        /// Its generation.
        generation: Generation,
        /// The other instance.
        by: InstanceId,
        /// The number of the record that it remembers.
        record: u64,
    },
    /// It founds an empty cluster after this generation was established.
    EmptyAfter(Generation),
    /// It names this survivor, which is another instance.
    SurvivorIsAnother(InstanceId),
    /// It names no ancestors.
    NoAncestors,
    /// It names an ancestor of this generation that the charter does not know.
    UnknownAncestor(Generation),
    /// It establishes this generation, and the record before does not claim it.
    EstablishesUnclaimed(Generation),
    /// It establishes a generation, which only this founder may do.
    NotTheFounder(Option<InstanceId>),
    /// It names another etcd cluster than the one that answers.
    EtcdCluster {
        /// The one that answers.
        answers: EtcdClusterId,
        /// The one that it names.
        named: Option<EtcdClusterId>,
    },
    /// It changes the etcd cluster of this generation.
    ChangesEtcdCluster(Generation),
    /// It changes the origin of this generation.
    ChangesOrigin(Generation),
    /// It retires the cluster, and changes more than that.
    ChangesMoreThanState,
    /// It lists a moved member, and changes more than that.
    ChangesMoreThanVoters,
}

/// What is wrong with the voters that a record lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VotersFault {
    /// They are not those of the generation before.
    Forgotten,
    /// This voter is left out.
    Omitted(MemberId),
    /// etcd does not have this member.
    NoMember(MemberId),
    /// A member is listed under another instance than in etcd.
    UnderAnother {
        /// The member.
        member: MemberId,
        /// The instance that the record names.
        listed: InstanceId,
    },
    /// There are more of them than etcd's voters and one learner.
    TooMany {
        /// By the record.
        listed: usize,
        /// By etcd.
        voters: usize,
    },
    /// The founder is not alone in its new generation.
    FounderNotAlone {
        /// By the record.
        listed: usize,
        /// By etcd.
        voters: usize,
    },
    /// The member that was moved was the only voter, and this many are listed.
    MovedIsNotAlone(usize),
    /// The member that was moved here is listed on this instance.
    MovedElsewhere(InstanceId),
}

/// Why a quorum is not lost for good, or what is lost cannot be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossFault {
    /// The voters that are left can still have quorum.
    NotLost {
        /// Voters that are left.
        left: usize,
        /// All voters.
        voters: usize,
    },
    /// The voters that are left do not meet every possible quorum, so acknowledged writes could be missing.
    WritesMayBeMissing {
        /// Voters that are left.
        left: usize,
        /// All voters.
        voters: usize,
    },
    /// Quorum has not been lost for long enough.
    TooShort {
        /// Since when it has been lost.
        since: Option<Timestamp>,
        /// How long it has to have been lost.
        grace: Duration,
    },
    /// The voters that this node's own member lists are not the charter's.
    ListsDiffer {
        /// In its own member's list.
        own: Vec<MemberId>,
        /// In the charter.
        charter: Vec<MemberId>,
    },
}

/// What is wrong with the claim that a step rests on, or which claim stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimFault {
    /// Nothing was claimed.
    None,
    /// This record, which is the highest, is not this node's own claim to do that.
    NotOwn(u64),
    /// This claim was made before the agent started.
    EarlierRun(u64),
    /// This instance was not asked again after the claim.
    NotAskedSince(InstanceId),
    /// It is to restore this snapshot, not to begin empty.
    Restores(SnapshotKey),
    /// It is not to restore this snapshot.
    RestoresAnother(SnapshotKey),
    /// It is to restore no snapshot; this is its record.
    RestoresNothing(u64),
    /// It is of another generation than the step.
    OtherGeneration {
        /// The claim's.
        claimed: Generation,
        /// The step's.
        generation: Generation,
    },
    /// Another claim or record stands, which is not void.
    Stands {
        /// Its record.
        record: u64,
        /// Its founder, if it is a claim.
        founder: Option<InstanceId>,
    },
}

/// Why another instance does not consent to a claim. Silence is never consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoConsent {
    /// It does not answer, and is not known to be gone.
    Silent(InstanceId),
    /// It sees a quorum.
    SeesQuorum(InstanceId, EtcdClusterId),
    /// It answers with a different key than before.
    AnotherKey(InstanceId),
    /// Its answer is not signed by a key that can be trusted.
    Unsigned(InstanceId),
    /// It remembers another record of the claim's number, or a later one.
    RemembersMore {
        /// The instance.
        instance: InstanceId,
        /// The record that it remembers.
        record: u64,
        /// The claim's number.
        claim: u64,
    },
    /// It does not know what is on its disk.
    DataUnknown(InstanceId),
    /// It holds data that counts.
    HoldsData {
        /// The instance.
        instance: InstanceId,
        /// The data's generation, if it is known.
        generation: Option<Generation>,
    },
}
