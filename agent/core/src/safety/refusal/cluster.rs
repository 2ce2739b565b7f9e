//! Why etcd's members or this node's data forbid a step.

use std::net::IpAddr;

use crate::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use crate::member_url::MemberUrl;
use crate::text::Foreign;
use crate::time::Timestamp;
use crate::transport::Transport;

/// Why the data on this disk, or on a volume that was moved here, forbids a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataFault {
    /// The disk is not empty: its data is of this generation.
    NotEmpty(Option<Generation>),
    /// There is none.
    None,
    /// It has no write-ahead log: etcd would mistake it for a new cluster's.
    NoLog,
    /// It is not what a record describes.
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
    /// No quorum has answered, and nothing else proves that it is dead.
    NotProvedDead,
    /// The quorum that answers does not prove that data of this etcd cluster is dead.
    MayLive(Option<EtcdClusterId>),
    /// No volume with this member's data was moved here.
    NoVolumeWith(MemberId),
    /// No volume of this instance was moved here.
    NoVolumeOf(InstanceId),
    /// The reattached volume is not of the only voter; this many are listed.
    NotTheOnlyVoters {
        /// The member on the volume.
        member: MemberId,
        /// The number of voters in the charter.
        voters: usize,
    },
}

/// The state of the cluster's lock, if this agent does not hold it for longer than a call takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// It was not read just now.
    Unread,
    /// No agent has it.
    Free,
    /// This agent has it, but not for long enough.
    EndsSoon,
    /// This instance has it.
    HeldBy(InstanceId),
}

/// The list by which a voter is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoterList {
    /// A quorum's.
    Quorum,
    /// This node's own member's.
    Own,
    /// The charter's.
    Charter,
}

/// Why etcd's members forbid a step.
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
    /// This node's service, which runs etcd or a kubelet, has run since then.
    Runs(Timestamp),
    /// It would be reached in another way than the charter says.
    WrongTransport(Transport),
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
    /// This member is already this instance's.
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
    /// This member's URL is not an address.
    Stranger(MemberId),
    /// The list that the member would start with is not the quorum's.
    ListDiffers {
        /// Members that the step names.
        named: usize,
        /// Members that a quorum lists.
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
    /// This learner answers, and could take over.
    LearnerTakesOver(MemberId),
    /// This voter has departed and has to be removed first.
    Departed(MemberId),
    /// This voter has not departed and is not this node's own to remove.
    NotToRemove(MemberId),
    /// This member leads, and the agent beside it has not been silent for long.
    LeaderAttended(MemberId),
    /// This member leads: it hands over first.
    Leads(MemberId),
    /// The running etcd accepts what the charter wants, or would not after a start.
    NothingToReload,
    /// This member is no voter.
    NotVoter(MemberId),
    /// The quorum's answer came through this member, which the step takes out of service.
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
        /// The list.
        by: VoterList,
        /// The voter.
        member: MemberId,
    },
    /// Its configuration names this server, and would name none after the step.
    ForgetsServer(IpAddr),
}
