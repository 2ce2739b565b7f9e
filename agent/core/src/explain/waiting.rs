//! What each wait means, and what an operator can do when it lasts.

use crate::observation::ScalingProcess;
use crate::time::Timestamp;
use crate::wait::WaitReason;

use super::Message;

pub(crate) fn for_too_long(doing: &Message, reason: WaitReason, since: Timestamp) -> Message {
    format!("{doing}; this has lasted since {}: {}", since.utc(), reason.remedy()).into()
}

/// The group itself does not do what is awaited.
pub(crate) fn while_suspended(message: &Message, suspended: &[ScalingProcess]) -> Message {
    let names = super::list(suspended, " and ");
    let (what, them) =
        if suspended.len() == 1 { ("process", "is suspended: resume it") } else { ("processes", "are suspended: resume them") };
    format!("{message}; its group's {what} {names} {them} (`aws autoscaling resume-processes`)").into()
}

impl WaitReason {
    /// What is awaited, as a sentence's end: "waits until ...".
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::LocalFacts => "it knows what its own disk holds and whether its own process runs",
            Self::StateDirectory => "what it must remember can be written into its state directory",
            Self::DamagedMemory => "the charter can be read, to rebuild what a damaged memory file held",
            Self::Store => "the store can be read",
            Self::StoreRefused => "the store accepts a write that it refused",
            Self::Group => "Auto Scaling has said what the group lists, which hooks it has, and where this instance stands",
            Self::Ec2 => "EC2 has said which instances carry the cluster's tag",
            Self::Tag => "EC2 lists this instance among those that carry the cluster's tag",
            Self::Heartbeat => "AWS accepts a heartbeat for the launch hook, which proves the permission for it",
            Self::OlderInstances => "instances that were launched earlier have had their turn to found the cluster",
            Self::Founder => "another instance has founded, or recovered, the cluster",
            Self::BlockedClaim => "a claim to found the cluster is given up, which only the end of its instance does",
            Self::Consent => "every other instance has consented, or EC2 says that it has terminated",
            Self::SignedAnswers => "an operator decides, because without TLS unsigned answers permit nothing",
            Self::NoStore => "an operator decides, because no store is configured",
            Self::ForeignStore => "the store holds this cluster's objects and no other's",
            Self::BrokenCharter => "the charter is consistent with itself and with what this node remembers",
            Self::VanishedRecord => "a quorum answers, so that a record that vanished from the store can be written again",
            Self::Charter => "the charter says that this node's data may be started",
            Self::UnknownData => "the data directory holds nothing but what Quorate created",
            Self::VersionFacts => "the version of the etcd installed here, and of the cluster, is known",
            Self::EtcdVersion => "an etcd is installed whose version fits",
            Self::Certificates => "its certificates are issued and valid, which a cluster with TLS needs",
            Self::EtcdFlags => "etcd accepts its flags",
            Self::EtcdPort => "the ports of etcd are free",
            Self::EtcdStart => "a process that it has just started answers",
            Self::OwnEtcd => "its own etcd leads, answers, or is listed",
            Self::Quorum => "a quorum of etcd answers",
            Self::Refused => "etcd accepts this agent's calls, which it refuses",
            Self::QuorumLossGrace => "the missing voters have had their time to come back",
            Self::QuorumLost => "an operator decides, because quorum is lost and acknowledged writes could be missing",
            Self::TotalLoss => "an operator decides, because every voter's data is lost and nothing is restored automatically",
            Self::NotInGroup => "its group lists it, so that it knows whom to ask",
            Self::Order => "an operator's order can be carried out",
            Self::Fetch => "a snapshot has been read from the store and verified",
            Self::Restore => "a restore that failed succeeds",
            Self::HealthyVoters => "enough voters are healthy for the change",
            Self::SilentVoter => "a voter answers: etcd adds no member while one is unreachable",
            Self::DepartedVoter => "a departed voter is removed by the agent beside the leader",
            Self::LeaderAgent => "the agent beside the leader answers: its duties are left undone",
            Self::OtherLearner => "another learner is promoted or removed: etcd allows one at a time",
            Self::Stranger => "a member that belongs to no instance of this cluster is removed",
            Self::Corrupt => "etcd's alarm CORRUPT is gone: its members' data differ, and a new one could copy the wrong data",
            Self::MovedVoter => "a voter is listed at its new address",
            Self::EtcdRefused => "etcd accepts a change that it refused",
            Self::Lock => "the cluster-wide lock is free",
            Self::Admission => "the agent beside the leader admits this server",
            Self::AdmittedServer => "the server that was admitted has started its member",
            Self::Promotion => "the agent beside the leader promotes this learner",
            Self::LearnerReady => "the learner has caught up and may be promoted",
            Self::OwnRemoval => "its own member is removed",
            Self::Replacement => "another instance votes in its place",
            Self::OwnReplacement => "its group replaces this instance",
            Self::LastVoter => "another instance votes: it is the last voter, and its instance keeps running",
            Self::Retained => "an operator terminates the instance, which its group retains",
            Self::Drain => "the pods have left its node",
            Self::Snapshot => "a snapshot from just before the change is in the store",
            Self::FinalSnapshot => "the last voter's data is saved",
            Self::HookCompletion => "the group accepts the completion of a hook",
            Self::HookTimeout => "the group ends a hook by its timeout",
            Self::Server => "a server that it can join through answers",
            Self::Authority => "its token and the store name the same authority",
            Self::Node => "its Node is ready",
            Self::Paused => "an operator ends the pause",
        }
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::LocalFacts => {
                "check the mounts, the permissions and the free space below the data and state directories; `quorate check` names what is wrong"
            }
            Self::StateDirectory => "free space or inodes below paths.state_dir, or make it writable; `quorate check` says which it lacks",
            Self::DamagedMemory => {
                "make the store readable; where there is no charter, put the memory file back from a backup, or accept the loss with `quorate join`"
            }
            Self::Store => {
                "`quorate check` tries the store: its address, its permissions, this machine's clock, and the storage class of its objects"
            }
            Self::StoreRefused => "`quorate check` tries a write: permissions, encryption, retention and free space of the store",
            Self::Group => "`quorate check` asks Auto Scaling: the route, and the permissions autoscaling:Describe*",
            Self::Ec2 => "`quorate check` asks EC2: the route, and the permission ec2:DescribeInstances",
            Self::Tag => "have the group propagate the tag quorate:cluster at launch, and tag the running instances",
            Self::Heartbeat => {
                "`quorate check` shows whether the role has autoscaling:RecordLifecycleActionHeartbeat, and whether the hook still exists"
            }
            Self::OlderInstances => "`quorate status` on the instances that were launched earlier says what they wait for",
            Self::Founder => "`quorate status` on that instance says what it waits for; terminate it if it cannot go on",
            Self::BlockedClaim => "terminate the instance that claimed, or run `quorate join` on it",
            Self::Consent => "repair the instance that is named, or terminate it",
            Self::SignedAnswers => "run `quorate bootstrap` or `quorate recover`, or declare the network trusted",
            Self::NoStore => "run `quorate bootstrap` on one node, or set the tag quorate:store",
            Self::ForeignStore => "correct `quorate:store` or `quorate:cluster`, or move the foreign objects away",
            Self::BrokenCharter => {
                "compare the objects below charter/ in the store with `quorate status` on each node, and put back what was lost"
            }
            Self::VanishedRecord => "put the missing object below charter/ back, or restore the quorum",
            Self::Charter => "compare `quorate status` on each node; `quorate recover` shows the ways back",
            Self::UnknownData => "move the data away, or take this node out of the group",
            Self::VersionFacts => "`quorate check` shows which etcd it finds; `quorate status` on the others shows theirs",
            Self::EtcdVersion => "bake an image with the version that is named",
            Self::Certificates => {
                "the message names what failed: the store below pki/, or this machine's clock; `quorate check` looks at both"
            }
            Self::EtcdFlags => "correct etcd.extra_args or etcd.env; `quorate check` tries the flags",
            Self::EtcdPort => "stop the process that is named",
            Self::EtcdStart => "its log says why it does not come up (`journalctl -u quorate-etcd`, or the distribution's unit)",
            Self::OwnEtcd => "its log says what it does (`journalctl -u quorate-etcd`, or the distribution's unit)",
            Self::Quorum => "`quorate status` on each node shows who is missing; `quorate recover` shows the ways back if they are lost",
            Self::Refused => {
                "the message has etcd's words; agents have no user, so `etcdctl auth disable` if authentication was switched on"
            }
            Self::QuorumLossGrace | Self::QuorumLost | Self::TotalLoss => "`quorate recover` shows what each way back would keep and lose",
            Self::NotInGroup => "attach the instance to its group, or run `quorate recover`",
            Self::Order => "do what is named, or take the order back with `quorate join`",
            Self::Fetch => {
                "`quorate snapshot verify` reads it; check its storage class, the permission s3:GetObject and the free space here"
            }
            Self::Restore => "the message names what failed; check the free space, and etcdutl or etcdctl",
            Self::HealthyVoters | Self::SilentVoter => {
                "`quorate status` names the voter that does not answer: repair it, or terminate its instance"
            }
            Self::DepartedVoter => "`quorate status` on the leader's node says why it is not removed; see that its agent runs",
            Self::LeaderAgent => "see why the agent on the leader's node does not answer: `systemctl status quorate` there, and port 2378",
            Self::OtherLearner => {
                "`quorate status` on the leader's node says what that learner lacks; `etcdctl member remove` removes one that is nobody's"
            }
            Self::Stranger => "remove the member with the command that is named",
            Self::Corrupt => {
                "compare `etcdctl endpoint hashkv --cluster`, terminate the instance whose hash differs, then `etcdctl alarm disarm`"
            }
            Self::MovedVoter => "`quorate status` on the instance that has the volume says what it waits for",
            Self::EtcdRefused => "the message has etcd's own words; `etcdctl endpoint status` and `alarm list` show more",
            Self::Lock => "`quorate status` names its holder, and on that node what it is doing",
            Self::Admission | Self::Promotion => "`quorate status` on the leader's node says what it waits for; see that its agent runs",
            Self::AdmittedServer => "`quorate status` and the distribution's log on the server that is named",
            Self::LearnerReady => "`quorate status` on the learner's node, and the log of its etcd",
            Self::OwnRemoval => "`quorate status` on the leader's node says why its member is still there",
            Self::Replacement => "see why the group's new instance does not join: `quorate status` there, and the group's activity history",
            Self::OwnReplacement => "terminate the instance if its group does not",
            Self::LastVoter => "terminate the instance to end the cluster, or let another instance join",
            Self::Retained => "terminate the instance when you no longer need its disk",
            Self::Drain => "`kubectl get pods --field-selector spec.nodeName=NAME -A` shows what is left",
            Self::Snapshot | Self::FinalSnapshot => "`quorate check` tries the store; the journal has the store's words",
            Self::HookCompletion => "complete the hook by hand (`aws autoscaling complete-lifecycle-action`), or see why AWS refuses",
            Self::HookTimeout => "wait for the hook's timeout, or complete it by hand",
            Self::Server => "check the servers, and that port 6443 is open to this node",
            Self::Authority => "correct kubernetes.token_file: one of the two belongs to another cluster",
            Self::Node => "`kubectl describe node` and the kubelet's log say what is missing",
            Self::Paused => "run `quorate resume`, with --cluster if the whole cluster is paused",
        }
    }
}
