//! Why the gate refused a step, in plain English. Each sentence follows "the gate refused STEP: ".

#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};

use crate::observation::Transition;
use crate::safety::refusal::{
    CharterFault, ClaimFault, DataFault, Home, HookFault, InstanceFault, LockState, LossFault, MemberFault, NoConsent, NodeFault,
    NotOrdered, RecordFault, Refusal, SnapshotFault, Unread, Violation, VoterList, VotersFault,
};
use crate::transport::Transport;

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the gate refused {}: {}", self.step, self.why)
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(why) => why.fmt(f),
            Self::Operator(why) => why.fmt(f),
            Self::Charter(why) => why.fmt(f),
            Self::Record(why) => why.fmt(f),
            Self::Voters(why) => why.fmt(f),
            Self::Loss(why) => why.fmt(f),
            Self::Claim(why) => why.fmt(f),
            Self::Consent(why) => why.fmt(f),
            Self::Data(why) => why.fmt(f),
            Self::Member(why) => why.fmt(f),
            Self::Version(gap) => gap.fmt(f),
            Self::Certificates(why) => write!(f, "of this node's certificates, {why}"),
            Self::Instance(why) => why.fmt(f),
            Self::Hook(why) => why.fmt(f),
            Self::Node(why) => why.fmt(f),
            Self::Snapshot(why) => why.fmt(f),
        }
    }
}

impl Display for Unread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quorum => "no quorum of etcd has answered",
            Self::Store => "the store was not read",
            Self::StoreSinceStop => "the store was not read, and this instance may have been stopped since its etcd last ran",
            Self::Snapshots => "the store's snapshots were not listed",
            Self::Authority => "the store was not asked for the cluster's authority",
            Self::Instances => "the instances of the cluster's groups are not known",
            Self::Tagged => "the instances that have the cluster's tag are not known",
            Self::Hooks => "the lifecycle hooks are not known",
            Self::Disk => "the content of this disk is not known",
            Self::Generation => "the generation of this disk's data is not known",
            Self::Process => "whether this node's service runs is not known",
            Self::OwnMember => "this node's own member is not known",
            Self::OwnStatus => "this node's own member does not answer",
            Self::OwnList => "this node's own member has not given its list of members",
            Self::Voters => "no list of voters is known",
            Self::Certificates => "this node has no certificates",
            Self::OwnVersion => "the version of the etcd here is not known",
            Self::ClusterVersion => "the version that the cluster runs is not known",
            Self::Revision(instance) => return write!(f, "the revision of {instance}'s data is not known"),
        })
    }
}

impl Display for NotOrdered {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forgotten => "what this node remembered was damaged, and the charter has not been read since",
            Self::Paused(pause) => return write!(f, "an operator has paused this node or the cluster, {pause}"),
            Self::Pause => "no operator has ordered that pause on this node",
            Self::Resume => "no operator has ordered the end of the pause on this node",
            Self::Withdrawal => "only an operator can withdraw that order",
            Self::Founding => "without a store nothing keeps two nodes from founding at once, and no operator has ordered this one to",
            Self::Fresh => "only an operator's `recover --fresh` founds an empty cluster again",
            Self::Recovery => "the policy does not let a survivor go on without an operator's order",
            Self::Restore => "the policy does not let a node restore a snapshot without an operator's order",
            Self::ReattachedVolume => "no operator has said that the volume here is the newest copy",
            Self::Drill => "no drill is configured",
        })
    }
}

impl Display for CharterFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there is no charter"),
            Self::Foreign(example) => write!(f, "the store holds other objects in place of a charter, such as {example}"),
            Self::OfAnotherCluster(home) => write!(f, "the store's charter belongs to {home}"),
            Self::Unlinked(record) => write!(f, "the store's record {record} does not follow the record before it"),
            Self::Changed(record) => write!(f, "the store's record {record} differs from the one that this node remembers"),
            Self::Lost(record) => write!(f, "this node remembers record {record}, and the store does not have it"),
            Self::Behind { shown, remembered } => {
                write!(f, "this node remembers record {remembered}, and the store shows only record {shown}")
            }
            Self::NothingEstablished => f.write_str("no generation was ever established"),
            Self::NotEstablished(record) => write!(f, "record {record} does not say `established`"),
            Self::NotPermitted { generation, record: Some(record) } => {
                write!(f, "record {record} does not permit generation {generation} to run")
            }
            Self::NotPermitted { generation, record: None } => write!(f, "no record permits generation {generation} to run"),
            Self::ServesTooEarly(generation) => {
                write!(f, "a founder serves only itself until generation {generation} is established")
            }
            Self::NotListed { record, instance } => write!(f, "record {record} does not list {instance} as a voter"),
            Self::MemberNotListed { record, member } => write!(f, "record {record} does not list member {member}"),
            Self::NotListedHere { record, member } => write!(f, "record {record} does not list member {member} as this instance's"),
            Self::StillLists { record, instance } => write!(f, "record {record} still lists {instance}"),
            Self::NoNewerGeneration(Some(data)) => {
                write!(f, "no established generation is newer than this disk's data, which is of generation {data}")
            }
            Self::NoNewerGeneration(None) => f.write_str("this disk's data has no known generation, so none is known to be newer"),
            Self::EtcdCluster { answers, charter: Some(charter) } => {
                write!(f, "etcd cluster {answers} answers, and the charter names {charter}")
            }
            Self::EtcdCluster { answers, charter: None } => write!(f, "etcd cluster {answers} answers, and the charter names none"),
        }
    }
}

impl Display for RecordFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfAnotherCluster(home) => write!(f, "the record belongs to {home}"),
            Self::DoesNotFollow { number, highest: Some(highest) } => {
                write!(f, "record {number} does not follow record {highest}, the store's highest")
            }
            Self::DoesNotFollow { number, highest: None } => write!(f, "record {number} cannot be the charter's first"),
            Self::NotNew { number, remembered } => write!(f, "record {number} is not new: this node remembers record {remembered}"),
            Self::RewriteUnproven(number) => {
                write!(f, "record {number} has vanished from the store, and no quorum confirms the data of this node, which remembers it")
            }
            Self::RewriteUnlinked(number) => write!(f, "record {number} has vanished from the store, and does not fit what is there now"),
            Self::ChangesTransport(number) => write!(f, "the record changes what record {number} says of TLS"),
            Self::ChangesAuthority => f.write_str("the record names another authority of certificates than the cluster's"),
            Self::RotatesTooEarly(rotation) => {
                write!(f, "a member has not made the step before this one of the rotation of authority {}", rotation.also())
            }
            Self::RotationNotOrdered => f.write_str("no operator has ordered a rotation to this authority here"),
            Self::NamesAuthority => f.write_str("the record names an authority of certificates that the cluster has not established"),
            Self::ForgetsEstablished(generation) => write!(f, "the record forgets that generation {generation} was established"),
            Self::ClaimsFor(founder) => write!(f, "the record is a claim of {founder}, which only {founder} itself may write"),
            Self::GenerationNotNext { generation, highest } => {
                write!(f, "generation {generation} is not the next one after generation {highest}")
            }
            Self::GenerationTaken { generation, by, record } => {
                write!(f, "{by} remembers record {record}, which is of generation {generation} or a later one")
            }
            Self::EmptyAfter(generation) => {
                write!(f, "generation {generation} was established, so no empty cluster may be founded")
            }
            Self::SurvivorIsAnother(instance) => write!(f, "the record would go on from the data of {instance}, which is not this node"),
            Self::NoAncestors => f.write_str("the record names no ancestors, and a restored snapshot has some"),
            Self::UnknownAncestor(generation) => write!(f, "the charter does not know the ancestor of generation {generation}"),
            Self::EstablishesUnclaimed(generation) => write!(f, "the record before this one does not claim generation {generation}"),
            Self::NotTheFounder(Some(founder)) => write!(f, "only the founder {founder} may establish this generation"),
            Self::NotTheFounder(None) => f.write_str("only a founder may establish a generation, and this one has none"),
            Self::EtcdCluster { answers, named: Some(named) } => write!(f, "etcd cluster {answers} answers, and the record names {named}"),
            Self::EtcdCluster { answers, named: None } => write!(f, "etcd cluster {answers} answers, and the record names none"),
            Self::ChangesEtcdCluster(generation) => write!(f, "the etcd cluster of generation {generation} never changes"),
            Self::ChangesOrigin(generation) => write!(f, "the origin of generation {generation} never changes"),
            Self::ChangesMoreThanState => f.write_str("the record would change more than the state"),
            Self::ChangesMoreThanVoters => f.write_str("the record would change more than the voters"),
        }
    }
}

impl Display for VotersFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forgotten => f.write_str("the record does not list the voters of the generation before"),
            Self::Omitted(member) => write!(f, "the record leaves out voter {member}"),
            Self::NoMember(member) => write!(f, "the record lists member {member}, which etcd does not have"),
            Self::UnderAnother { member, listed } => write!(f, "the record lists member {member} as {listed}, and etcd does not"),
            Self::TooMany { listed, voters } => {
                write!(f, "the record lists {listed} voters, and etcd has {voters}: at most one learner may be listed as well")
            }
            Self::FounderNotAlone { listed, voters } => {
                write!(f, "the founder is not alone in its new generation: the record lists {listed} voters, and etcd has {voters}")
            }
            Self::MovedIsNotAlone(listed) => {
                write!(f, "the record lists {listed} voters, and the member that was moved here was the only one")
            }
            Self::MovedElsewhere(instance) => write!(f, "the record lists the member that was moved here under {instance}"),
        }
    }
}

impl Display for LossFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLost { left, voters } => write!(f, "quorum is not lost for good: {left} of {voters} voters are left"),
            Self::WritesMayBeMissing { left, voters } => {
                write!(f, "acknowledged writes could be missing: only {left} of {voters} voters are left")
            }
            Self::TooShort { since: Some(since), grace } => {
                write!(f, "quorum has been lost only since {}, and the grace is {} s", since.utc(), grace.as_secs())
            }
            Self::TooShort { since: None, .. } => f.write_str("this node's own member does not show that quorum is lost"),
            Self::ListsDiffer { own, charter } => {
                write!(f, "this node's own member lists the voters {}, and the charter lists {}", List(own), List(charter))
            }
        }
    }
}

impl Display for ClaimFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing was claimed"),
            Self::NotOwn(record) => write!(f, "record {record} is not this node's own claim to do that"),
            Self::EarlierRun(record) => {
                write!(f, "record {record} was claimed before this agent started")
            }
            Self::NotAskedSince(instance) => write!(f, "{instance} was not asked again after the claim"),
            Self::Restores(key) => write!(f, "the claim is to restore snapshot {key}, not to begin empty"),
            Self::RestoresAnother(key) => write!(f, "the claim is not to restore snapshot {key}"),
            Self::RestoresNothing(record) => write!(f, "record {record} does not claim to restore a snapshot"),
            Self::OtherGeneration { claimed, generation } => {
                write!(f, "this node has claimed generation {claimed}, not generation {generation}")
            }
            Self::Stands { record, founder: Some(founder) } => write!(f, "record {record}, a claim of {founder}, still stands"),
            Self::Stands { record, founder: None } => write!(f, "record {record} still stands"),
        }
    }
}

impl Display for NoConsent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(instance) => write!(f, "{instance} is silent, and not known to be gone"),
            Self::SeesQuorum(instance, cluster) => write!(f, "{instance} sees a quorum of etcd cluster {cluster}"),
            Self::AnotherKey(instance) => write!(f, "{instance} answers with a different key than before"),
            Self::Unsigned(instance) => {
                write!(f, "the answer of {instance} cannot be trusted: it is not signed, or the network is not trusted")
            }
            Self::RemembersMore { instance, record, claim } => {
                write!(f, "{instance} remembers record {record}, and the claim is record {claim}")
            }
            Self::DataUnknown(instance) => write!(f, "{instance} does not know yet what data it holds"),
            Self::HoldsData { instance, generation: Some(generation) } => {
                write!(f, "{instance} holds data of generation {generation}, which counts")
            }
            Self::HoldsData { instance, generation: None } => write!(f, "{instance} holds data of no known generation, which counts"),
        }
    }
}

impl Display for DataFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty(Some(generation)) => write!(f, "this disk holds data of generation {generation}"),
            Self::NotEmpty(None) => f.write_str("this disk holds data of no known generation"),
            Self::None => f.write_str("this disk is not known to hold data"),
            Self::NoLog => f.write_str("this disk's data has no write-ahead log, and etcd would begin a new cluster with it"),
            Self::NotOfRecord { record, generation, cluster } => write!(
                f,
                "the data, of {} and {}, is not what record {record} describes",
                Known("generation", generation),
                Known("etcd cluster", cluster)
            ),
            Self::NotEstablished { data, established } => write!(
                f,
                "this disk's data is of {}, and the established one is {}",
                Known("generation", data),
                Known("generation", established)
            ),
            Self::NotOlder { data, claim } => {
                write!(f, "this disk's data is of {}, and has to be older than the claimed generation {claim}", Known("generation", data))
            }
            Self::NotGivenUp => f.write_str("neither an operator nor the policy has given up this disk's data"),
            Self::NotProvedDead => f.write_str("no quorum has answered, and nothing else proves that this disk's data is dead"),
            Self::MayLive(cluster) => {
                write!(f, "the quorum that answers does not prove that this disk's data, of {}, is dead", Known("etcd cluster", cluster))
            }
            Self::NoVolumeWith(member) => write!(f, "no volume with the data of member {member} was moved here"),
            Self::NoVolumeOf(instance) => write!(f, "no volume of {instance} was moved here"),
            Self::NotTheOnlyVoters { member, voters } => {
                write!(f, "member {member} is not the charter's only voter: the charter lists {voters}")
            }
        }
    }
}

impl Display for LockState {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread => f.write_str("it was not read"),
            Self::Free => f.write_str("it is free"),
            Self::EndsSoon => f.write_str("it ends before a call would"),
            Self::HeldBy(instance) => write!(f, "{instance} has it"),
        }
    }
}

impl Display for VoterList {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quorum => "the quorum's list",
            Self::Own => "this node's own member's list",
            Self::Charter => "the charter",
        })
    }
}

impl Display for MemberFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLock(state) => write!(f, "this node does not hold the lock for long enough: {state}"),
            Self::QuorumAlive(cluster) => write!(f, "a quorum of etcd cluster {cluster} is alive"),
            Self::NoHealthyQuorum { healthy, voters } => write!(f, "only {healthy} of {voters} voters would be healthy"),
            Self::Runs(since) => write!(f, "this node's service has run since {}", since.utc()),
            Self::WrongTransport(Transport::Plain) => f.write_str("the member would be reached without TLS, and the charter wants TLS"),
            Self::WrongTransport(Transport::Tls) => f.write_str("the member would be reached with TLS, and the charter wants none"),
            Self::FlagsRefused(says) => write!(f, "etcd refuses its flags: {says}"),
            Self::HasLeader(leader) => write!(f, "this node's own member follows leader {leader}"),
            Self::Silent(member) => write!(f, "member {member} does not answer, or knows no leader"),
            Self::Answers(member) => write!(f, "member {member} answers"),
            Self::Corrupt => f.write_str("etcd reports that its members' data differ (CORRUPT)"),
            Self::InFlight(member) => write!(f, "learner {member} is not a voter yet, and etcd accepts one change at a time"),
            Self::ListedAlready(member) => write!(f, "member {member} already belongs to this instance"),
            Self::NotListed(member) => write!(f, "member {member} is not in the quorum's list"),
            Self::NotOwn(member) => write!(f, "member {member} is not this instance's own"),
            Self::AnothersAddress(url) => write!(f, "{url} is not this instance's address"),
            Self::AddressTaken(url, member) => write!(f, "member {member} is already listed at {url}"),
            Self::NotAdded(url) => write!(f, "no new learner is listed at {url}"),
            Self::Stranger(member) => write!(f, "member {member} is a stranger without a usable address"),
            Self::ListDiffers { named, members } => write!(f, "the step names {named} members, and the quorum lists {members}"),
            Self::NotAdmitted => f.write_str("no voter admits this server"),
            Self::NotStartedLearner(member) => write!(f, "member {member} is not a learner that has started"),
            Self::LearnerGoes(member, Some(instance)) => write!(f, "{instance}, the instance of learner {member}, is on its way out"),
            Self::LearnerGoes(member, None) => write!(f, "the instance of learner {member} is not known"),
            Self::LearnerNotStuck(member) => write!(f, "learner {member} is not this node's, has not departed and is not stuck"),
            Self::LearnerTakesOver(member) => write!(f, "learner {member} answers and could take over"),
            Self::Departed(member) => write!(f, "voter {member} has departed and has to be removed first"),
            Self::NotToRemove(member) => write!(f, "voter {member} has not departed, and nothing else permits this node to remove it"),
            Self::Leads(member) => write!(f, "member {member} leads, and hands over first"),
            Self::NothingToReload => f.write_str("a start would not change which authorities this node's etcd trusts"),
            Self::LeaderAttended(member) => write!(f, "the agent beside leader {member} has not been silent for long"),
            Self::NotVoter(member) => write!(f, "member {member} does not vote"),
            Self::ReadThroughItself(member) => write!(f, "the quorum's answer came through member {member}, which would be out of service"),
            Self::StillMember(instance) => write!(f, "{instance} is still a member"),
            Self::NotRemoved => f.write_str("no quorum says that this node's member was removed"),
            Self::NotOut => f.write_str("this node's member is not out of the cluster yet"),
            Self::MayVote => f.write_str("no quorum says that this node does not vote"),
            Self::DoesNotVote => f.write_str("this node does not vote"),
            Self::OthersLeft { by, member } => write!(f, "by {by}, voter {member} is still left"),
            Self::ForgetsServer(server) => write!(f, "the configuration names server {server}, and would then name none"),
        }
    }
}

impl Display for InstanceFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongRole(role) => write!(f, "an instance of role {} never does that", role.as_str()),
            Self::Leaving => f.write_str("this node has to leave"),
            Self::NotLeaving => f.write_str("nothing says that this node has to leave"),
            Self::RunsOn => f.write_str("this node leaves the cluster, but its instance runs on"),
            Self::ShutsDown => f.write_str("the machine is shutting down"),
            Self::NoReboot => f.write_str("the machine is not rebooting"),
            Self::Warm => f.write_str("this instance is in the warm pool"),
            Self::NotInGroup => f.write_str("no group lists this instance"),
            Self::NotTagged => f.write_str("EC2 does not show this instance among those with the cluster's tag"),
            Self::NotEnded(instance) => write!(f, "EC2 does not say that {instance} has ended"),
            Self::NotDeparted(instance) => write!(f, "{instance} has not departed"),
            Self::NoTargetGroup(group) => write!(f, "target group {group} is not configured"),
            Self::Deregistered(group) => write!(f, "target group {group} has already accepted the deregistration"),
        }
    }
}

impl Display for HookFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherGroup { hook, instance } => write!(f, "hook {hook} is not of the group of {instance}"),
            Self::NotOurs(hook) => write!(f, "hook {hook} is not Quorate's to keep open or to complete"),
            Self::Completed { hook, instance } => write!(f, "hook {hook} of {instance} was completed already"),
            Self::NoHeartbeat(hook) => write!(f, "no heartbeat for hook {hook} has been accepted yet"),
            Self::WrongResult { transition: Transition::Launching, result } => {
                write!(f, "the launch of a dead instance is not completed with {result}")
            }
            Self::WrongResult { transition: Transition::Terminating, result } => {
                write!(f, "the termination of a dead instance is not completed with {result}")
            }
            Self::DoesNotLead => f.write_str("this node's member does not lead"),
            Self::LedTooShort(since) => write!(
                f,
                "this node's member has led only since {}, and the agent beside the previous leader may have completed the hook a moment ago",
                since.utc()
            ),
            Self::NotWaiting(instance) => write!(f, "{instance} does not wait for this hook, or its entry in the group was not read"),
            Self::EntryTooOld(instance) => {
                write!(f, "the entry of {instance} in its group was read too early: another agent could have completed the hook since")
            }
        }
    }
}

impl Display for NodeFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("this node is not known to be ready"),
            Self::Ready => f.write_str("this node is ready"),
            Self::NotUnready => f.write_str("no server says that this node is not ready"),
            Self::NotDrained => f.write_str("this node is not drained yet"),
            Self::KubeletRuns => f.write_str("the kubelet is not known to be stopped"),
            Self::NotCordoned => f.write_str("this agent did not cordon the node"),
            Self::NotSeen(instance) => write!(f, "the Node of {instance} was not seen under that uid, or is ready"),
            Self::NamesNoServer => {
                f.write_str("the configuration names no other server, and a start without the member would found a cluster")
            }
            Self::NamesItself(server) => write!(f, "{server} is this server's own address"),
            Self::NoVoterAt(server) => write!(f, "no voter of the charter or of etcd's list is at {server}"),
            Self::ServerSilent(server) => write!(f, "the server at {server} does not answer"),
            Self::ServerAnswers(server) => write!(f, "the server at {server}, which the kubelet knows, answers"),
            Self::KnowsNoServer => f.write_str("the server that the kubelet uses is not known"),
            Self::ServerUnknown(server) => write!(f, "EC2 has not given {server} as the address of a server of this cluster"),
            Self::NoServerAnswers => f.write_str("no server answers at an address that EC2 has given"),
            Self::OtherAuthority { named: Some(named), store } => {
                write!(f, "the token would name authority {named}, and the store names {store}")
            }
            Self::OtherAuthority { named: None, store } => write!(f, "the token would name no authority, and the store names {store}"),
            Self::NoAuthority(named) => write!(f, "the token would name authority {named}, and the store names none"),
            Self::AuthorityDisputed { token, store } => write!(f, "the token names authority {token}, and the store names {store}"),
        }
    }
}

impl Display for SnapshotFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore => f.write_str("no store is configured, so there is no snapshot"),
            Self::Disabled => f.write_str("snapshots are switched off, so nothing would be saved"),
            Self::OtherRecord { named, highest } => {
                write!(f, "the snapshot would be of record {named}, and record {highest} is the highest")
            }
            Self::OtherCluster { named, charter: Some(charter) } => {
                write!(f, "the snapshot would be of etcd cluster {named}, and the charter names {charter}")
            }
            Self::OtherCluster { named, charter: None } => {
                write!(f, "the snapshot would be of etcd cluster {named}, and the charter names none")
            }
            Self::OtherAnswers { named, answers } => {
                write!(f, "the snapshot would be of etcd cluster {named}, and etcd cluster {answers} answers")
            }
            Self::NotOnLoopback => f.write_str("etcd does not serve only this node"),
            Self::NotFinal(trigger) => write!(f, "without a quorum only a final snapshot is taken, and this one is `{trigger}`"),
            Self::NotOwnData => f.write_str("the snapshot would not be of this node's own data"),
            Self::NotListed(key) => write!(f, "snapshot {key} is not in the store's list"),
            Self::SomeNotListed { listed, named } => {
                write!(f, "only {listed} of the {named} snapshots that would be deleted are in the store's list")
            }
            Self::IsOrigin(key) => write!(f, "the charter's generation was restored from snapshot {key}"),
            Self::NewestOfItsData(key) => write!(f, "snapshot {key} would be deleted, and no newer one of the same data would be left"),
            Self::TooFew { left, wanted } => write!(f, "only {left} snapshots would be left, and the operator wants at least {wanted}"),
            Self::NotRemains(at) => write!(f, "{at} is not the remains of an unfinished upload"),
            Self::LeadersDisk => f.write_str("the drill would keep the leader's disk busy"),
            Self::DrillRuns(key) => write!(f, "the drill of snapshot {key} has not ended"),
            Self::DrilledLately { at, interval } => {
                write!(f, "the last drill was at {}, and one is wanted every {} s", at.utc(), interval.as_secs())
            }
            Self::RetiredTo(key) => write!(f, "the cluster was retired to snapshot {key}"),
            Self::NotOfHistory(key) => write!(f, "snapshot {key} is not of this cluster's history, or not in the store's list"),
            Self::NotProved(key) => write!(f, "snapshot {key} was not proved on this disk"),
            Self::NewerLeft(key) => write!(f, "snapshot {key} is newer and would be passed over"),
            Self::NotTheFinal(key) => write!(f, "{key} is not the final snapshot that this agent took"),
            Self::WritesAfter(key) => write!(f, "a client could still write after snapshot {key} was taken"),
        }
    }
}

impl Display for Home {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {} of account {} in {}", self.cluster, self.account, self.region)
    }
}

/// Shows what it is and its value, or that it is not known.
struct Known<'a, T>(&'static str, &'a Option<T>);

impl<T: Display> Display for Known<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(value) => write!(f, "{} {value}", self.0),
            None => write!(f, "no known {}", self.0),
        }
    }
}

struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (n, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
