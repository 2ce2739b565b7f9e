//! Joining an established cluster, and giving up a join.

use std::fmt::Display;

use crate::ids::{GroupName, InstanceId, MemberId};
use crate::observation::{HookRef, Member};
use crate::wait::WaitReason;

use super::{Message, Wait, list, wait};

pub(crate) fn no_voter_answers_with_quorum() -> Wait {
    wait(WaitReason::Quorum, "waits for a quorum of the established cluster to answer")
}

pub(crate) fn awaits_admission() -> Wait {
    wait(WaitReason::Admission, "waits for the leader's agent to admit it: servers join one at a time")
}

pub(crate) fn nobody_admits(voters: &[&InstanceId]) -> Wait {
    wait(WaitReason::Admission, nobody_to_admit(voters))
}

pub(crate) fn nobody_has_admitted_for_long(voters: &[&InstanceId]) -> Wait {
    let remedy = "if their data is lost, `quorate recover` shows the ways back on a node that still holds some";
    wait(WaitReason::Admission, format!("{}; {remedy}", nobody_to_admit(voters)))
}

fn nobody_to_admit(voters: &[&InstanceId]) -> String {
    format!("waits for a server to admit it: none of those in the charter answers ({})", list(voters, ", "))
}

const OWN_REMOVAL: &str = "waits until its former member is removed from etcd and from the charter";

pub(crate) fn awaits_own_removal() -> Wait {
    wait(WaitReason::OwnRemoval, OWN_REMOVAL)
}

pub(crate) fn nobody_takes_its_word() -> Wait {
    let remedy = "its disk is empty, but without TLS the others do not take its word for that: terminate the instance, whose replacement joins, or set \
                  `peer.i_trust_this_network_without_tls` on all servers";
    wait(WaitReason::OwnRemoval, format!("{OWN_REMOVAL}; {remedy}"))
}

pub(crate) fn started_server_just_now() -> Wait {
    wait(WaitReason::EtcdStart, "started the server a moment ago; waits for it before starting it again")
}

pub(crate) fn starts_server(host: &InstanceId) -> Message {
    format!("starts the server to join through {host}, which has admitted it").into()
}

/// `exit`: how it ended meanwhile, if it did.
pub(crate) fn started_etcd_just_now(exit: Option<&str>) -> Wait {
    match exit {
        Some(exit) => wait(WaitReason::EtcdStart, format!("started etcd a moment ago, and it ended ({exit}); starts it again soon")),
        None => wait(WaitReason::EtcdStart, "started etcd a moment ago; waits for it before starting it again"),
    }
}

pub(crate) fn stranger_is_in_the_way(stranger: &Member) -> Wait {
    wait(WaitReason::Stranger, format!("waits until member {stranger} is gone from etcd's list: {}", removed_by(stranger)))
}

pub(crate) fn stranger_is_listed(stranger: &Member) -> Message {
    let vote = if stranger.learner { "keeps other instances from joining" } else { "counts as a voter that does not answer" };
    format!("member {stranger} belongs to no instance of this cluster, and {vote}: {}", removed_by(stranger)).into()
}

pub(crate) fn instance_is_unknown(member: &Member, instance: &InstanceId) -> Message {
    format!("EC2 knows no instance {instance}, to which member {member} belongs: {}", removed_by(member)).into()
}

/// Only an empty disk joins: the entry and the data that it has now are given up.
pub(crate) fn instance_is_unattached(member: &Member, instance: &InstanceId, group: &GroupName) -> Message {
    let attach = format!("aws autoscaling attach-instances --instance-ids {instance} --auto-scaling-group-name {group}");
    format!(
        "no group of this cluster lists the instance of member {member}, and no agent answers there: {}; or adopt it: stop its etcd, move that etcd's data \
         directory away, have quorate installed there, and attach it with `{attach}`: its agent then replaces the member by one of its own",
        removed_by(member)
    )
    .into()
}

fn removed_by(stranger: &Member) -> String {
    format!("`etcdctl member remove {}` removes it", stranger.id)
}

pub(crate) fn data_differs() -> Wait {
    let message =
        "waits until etcd has no CORRUPT alarm: nobody joins a cluster whose members' data differ, because it could copy the wrong data";
    wait(WaitReason::Corrupt, message)
}

pub(crate) fn starts_as_learner() -> Message {
    "starts etcd as a learner".into()
}

pub(crate) fn no_voter_answers() -> Wait {
    wait(WaitReason::HealthyVoters, "no healthy voter answers")
}

pub(crate) fn etcd_refused_to_add(trouble: Option<&str>) -> Wait {
    wait(WaitReason::EtcdRefused, format!("etcd refused to add it a moment ago: {}", trouble.unwrap_or("no reason given")))
}

pub(crate) fn asks_to_be_added() -> Message {
    "asks to be added as a learner".into()
}

pub(crate) fn departed_voter_is_listed(departed: &Member) -> Wait {
    let message = format!("waits until departed voter {departed} is removed: etcd adds no member while a voter is unreachable");
    wait(WaitReason::DepartedVoter, message)
}

pub(crate) fn another_learns(learner: &Member) -> Wait {
    wait(WaitReason::OtherLearner, format!("waits until learner {learner} is promoted: etcd allows one learner at a time"))
}

pub(crate) fn voter_has_moved(member: MemberId, instance: &InstanceId) -> Wait {
    let message = format!("waits until voter {member} is listed at the address of {instance}, where its volume is now");
    wait(WaitReason::MovedVoter, message)
}

pub(crate) fn voter_is_silent(voter: &Member) -> Wait {
    wait(WaitReason::SilentVoter, format!("waits until voter {voter} answers: etcd adds no member while a voter is unreachable"))
}

pub(crate) fn is_spare() -> Message {
    "the cluster has all the voters that it may have; waits as a spare".into()
}

/// The join deadline has passed.
pub(crate) const TOO_LATE: &str = "it could not join within its deadline";

pub(crate) fn stops_etcd(why: &dyn Display) -> Message {
    format!("stops etcd: {why}").into()
}

pub(crate) fn puts_data_aside(why: &dyn Display) -> Message {
    format!("moves its data to the trash: {why}").into()
}

/// It can never join, for this reason.
pub(crate) fn is_refused(why: &str) -> Wait {
    wait(WaitReason::EtcdVersion, why.to_owned())
}

pub(crate) fn gives_up_soon(why: &str) -> Wait {
    let message = format!("{why}; abandons its launch once the others have had time to learn why");
    wait(WaitReason::EtcdVersion, message)
}

pub(crate) fn abandon_was_not_taken(hook: &HookRef) -> Wait {
    wait(WaitReason::HookCompletion, format!("waits until its group accepts ABANDON for hook {hook}"))
}

pub(crate) fn abandons(why: &dyn Display) -> Message {
    format!("abandons its launch: {why}").into()
}

pub(crate) fn awaits_replacement(why: &dyn Display) -> Wait {
    wait(WaitReason::OwnReplacement, format!("{why}; waits for its group to replace it"))
}

pub(crate) fn may_not_ask_yet(why: &dyn Display, silent: &Member) -> Wait {
    wait(WaitReason::SilentVoter, format!("{why}; does not ask to be replaced while voter {silent} does not answer"))
}

pub(crate) fn asks_to_be_replaced(why: &dyn Display) -> Wait {
    wait(WaitReason::OwnReplacement, format!("{why}; reports itself unhealthy, so that its group replaces it"))
}
