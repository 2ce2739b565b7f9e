//! What etcd's members, or this node's data, have against a step.

use std::net::IpAddr;

use crate::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use crate::member_url::MemberUrl;
use crate::text::Foreign;
use crate::time::Timestamp;

/// What the data on this disk, or on a volume that was moved here, has against a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataFault {
    /// The disk is not empty: its data is of this generation.
    NotEmpty(Option<Generation>),
    /// There is none.
    None,
    /// It has no write-ahead log: etcd would take it for a new cluster.
    NoLog,
    /// It is not what a record tells of.
    NotOfRecord {
        /// The record.
        record: u64,
        /// The data's generation.
        generation: Option<Generation>,
        /// The data's etcd cluster.
        cluster: Option<EtcdClusterId>,
    },
    /// It is not of the established generation.
    NotEstablished {
        /// The data's generation.
        data: Option<Generation>,
        /// The highest that was established.
        established: Option<Generation>,
    },
    /// It is not known to be older than the claim.
    NotOlder {
        /// The data's generation.
        data: Option<Generation>,
        /// The claim's.
        claim: Generation,
    },
    /// Neither an operator nor the policy gives it up.
    NotGivenUp,
    /// No quorum has answered, and no other proof says that it is dead.
    NotProvedDead,
    /// The quorum's word does not prove that data of this etcd cluster is dead.
    MayLive(Option<EtcdClusterId>),
    /// No volume with this member's data was moved here.
    NoVolumeWith(MemberId),
    /// No volume of this instance was moved here.
    NoVolumeOf(InstanceId),
    /// The reattached volume is not of the only voter; this many are listed.
    NotTheOnlyVoters {
        /// The member on the volume.
        member: MemberId,
        /// Voters by the charter.
        voters: usize,
    },
}

/// In what state the cluster's lock is, instead of being this agent's for longer than a call takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// It was not read just now.
    Unread,
    /// Nobody has it.
    Free,
    /// This agent has it, but not for long enough.
    EndsSoon,
    /// This instance has it.
    HeldBy(InstanceId),
}

/// By whose list a voter is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoterList {
    /// A quorum's.
    Quorum,
    /// This node's own member's.
    Own,
    /// The charter's.
    Charter,
}

/// What etcd's members have against a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberFault {
    /// The lock is not held for long enough.
    NoLock(LockState),
    /// A quorum of this etcd cluster is alive.
    QuorumAlive(EtcdClusterId),
    /// Too few voters would be healthy.
    NoHealthyQuorum {
        /// Healthy voters, after the step.
        healthy: usize,
        /// All voters, after the step.
        voters: usize,
    },
    /// This node's service, which runs etcd or a kubelet, runs since then.
    Runs(Timestamp),
    /// etcd refuses its flags, in these words.
    FlagsRefused(Foreign),
    /// It follows this leader.
    HasLeader(MemberId),
    /// This member does not answer.
    Silent(MemberId),
    /// This member answers.
    Answers(MemberId),
    /// etcd reports that its members' data differ.
    Corrupt,
    /// This learner was added before: etcd takes one change at a time.
    InFlight(MemberId),
    /// This member is this instance's already.
    ListedAlready(MemberId),
    /// No such member is listed.
    NotListed(MemberId),
    /// This member is not this instance's own.
    NotOwn(MemberId),
    /// This address is not this instance's.
    AnothersAddress(MemberUrl),
    /// Another member is listed at an address.
    AddressTaken(MemberUrl, MemberId),
    /// No learner without a name is listed at this address.
    NotAdded(MemberUrl),
    /// This member's address is none.
    Stranger(MemberId),
    /// The list that it would start with is not the quorum's.
    ListDiffers {
        /// Members that the step names.
        named: usize,
        /// Members by a quorum's word.
        members: usize,
    },
    /// No voter admits this server.
    NotAdmitted,
    /// This member is not a learner that has started.
    NotStartedLearner(MemberId),
    /// The instance of this learner is not known to stay.
    LearnerGoes(MemberId, Option<InstanceId>),
    /// This learner is another's, has not departed, and is not stuck.
    LearnerNotStuck(MemberId),
    /// This learner lives, and could take over.
    LearnerTakesOver(MemberId),
    /// This voter has departed and has to be removed first.
    Departed(MemberId),
    /// This voter has not departed and is not this node's own to remove.
    NotToRemove(MemberId),
    /// This member is no voter.
    NotVoter(MemberId),
    /// The quorum's word came through this member, which the step takes out of service.
    ReadThroughItself(MemberId),
    /// This instance still has a member.
    StillMember(InstanceId),
    /// No quorum says that this node's member was removed.
    NotRemoved,
    /// This node's member is not out of the cluster yet.
    NotOut,
    /// No quorum says that this node does not vote.
    MayVote,
    /// This node does not vote.
    DoesNotVote,
    /// Another voter is left.
    OthersLeft {
        /// By whose list.
        by: VoterList,
        /// Which.
        member: MemberId,
    },
    /// Its configuration names this server, and would name none.
    ForgetsServer(IpAddr),
}
