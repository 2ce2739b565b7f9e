//! What the agent beside the leader owes to the others: learners, servers, and the hooks of the dead.

use crate::ids::InstanceId;
use crate::observation::{HookRef, Member};
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

/// Why a learner is not promoted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// A quorum's list is not known.
    MembershipUnknown,
    /// It was added and has not started.
    NotStarted,
    /// Its etcd does not answer.
    Silent,
    /// It lags, or has caught up only just now.
    Behind,
    /// The agent beside it does not answer.
    AgentSilent,
    /// Its instance is leaving.
    Leaving,
    /// etcd adds no voter while one is unreachable.
    DepartedVoter,
    /// With it as a voter the healthy ones would be too few.
    NoQuorumWithIt,
}

impl Unready {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::MembershipUnknown => "the membership is not known",
            Self::NotStarted => "it has not started",
            Self::Silent => "it does not answer",
            Self::Behind => "it has not kept up for long enough",
            Self::AgentSilent => "its agent does not answer",
            Self::Leaving => "its instance is leaving",
            Self::DepartedVoter => "a departed voter must be removed first",
            Self::NoQuorumWithIt => "with it as a voter the healthy ones would be no quorum",
        }
    }
}

pub(crate) fn does_not_promote(learner: &Member, why: Unready) -> Wait {
    wait(WaitReason::LearnerReady, format!("does not promote learner {learner} yet: {}", why.words()))
}

pub(crate) fn charter_does_not_name(learner: &Member) -> Wait {
    wait(WaitReason::LearnerReady, format!("does not promote learner {learner} yet: the charter does not name it"))
}

pub(crate) fn etcd_refused_to_promote(learner: &Member) -> Wait {
    wait(WaitReason::EtcdRefused, format!("etcd refused to promote {learner} a moment ago"))
}

pub(crate) fn promotes(learner: &Member) -> Message {
    format!("promotes learner {learner}").into()
}

pub(crate) fn stands_in(leader: &Member) -> Message {
    format!("takes the leadership over from {leader}: its etcd answers, but its agent has been silent").into()
}

pub(crate) fn leader_keeps_the_lead(leader: &Member) -> Wait {
    wait(WaitReason::LeaderAgent, format!("{leader}, whose agent is silent, did not hand over the leadership a moment ago"))
}

pub(crate) fn leads_again_without_agent(leader: &Member) -> Wait {
    wait(WaitReason::LeaderAgent, format!("took the leadership over from {leader}, whose agent is silent, and it leads again"))
}

pub(crate) fn admits(instance: &InstanceId) -> Wait {
    wait(WaitReason::AdmittedServer, format!("admits {instance}, and waits until its member has started"))
}

pub(crate) fn is_about_to_admit(instance: &InstanceId, snapshot: &Message) -> Message {
    format!("is about to admit {instance}; {snapshot} first").into()
}

pub(crate) fn completes_hook_of(instance: &InstanceId, hook: &HookRef) -> Message {
    format!("completes hook {hook} for {instance}, which has departed").into()
}
