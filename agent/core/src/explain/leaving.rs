//! Leaving: what a leaver does, and what it waits for.

use std::fmt::Display;

use crate::ids::MemberId;
use crate::observation::Member;
use crate::wait::WaitReason;

use super::duties::Unready;
use super::{Message, Wait, wait};

/// What a leaver waits for: the end of a sentence that says why it leaves.
pub(crate) struct Awaited {
    reason: WaitReason,
    what: Message,
}

fn awaited(reason: WaitReason, what: impl Into<Message>) -> Awaited {
    Awaited { reason, what: what.into() }
}

pub(crate) fn awaits(why: &dyn Display, awaited: Awaited) -> Wait {
    wait(awaited.reason, format!("leaves because {why}: {}", awaited.what))
}

pub(crate) fn machine_is_unknown() -> Awaited {
    awaited(WaitReason::LocalFacts, "does not know the state of its own disk and process yet")
}

pub(crate) fn stops_joining(why: &dyn Display) -> Message {
    format!("leaves because {why}: stops its server, which has not joined yet").into()
}

pub(crate) fn no_other_voter_answers() -> Awaited {
    awaited(WaitReason::HealthyVoters, "no other voter answers")
}

pub(crate) fn etcd_refused_its_removal() -> Awaited {
    awaited(WaitReason::EtcdRefused, "etcd refused its removal a moment ago")
}

pub(crate) fn removes_itself(why: &dyn Display, me: &Member) -> Message {
    format!("leaves because {why}: removes its own member {me} while it still runs").into()
}

pub(crate) fn removes_itself_without_the_lock(why: &dyn Display, me: &Member) -> Message {
    format!("leaves because {why}: removes its own member {me} without the lock: etcd is out of space and grants none, and no time is left")
        .into()
}

pub(crate) fn awaits_removal(me: &Member) -> Awaited {
    awaited(WaitReason::OwnRemoval, format!("waits until its distribution removes member {me}, as its Node asks"))
}

pub(crate) fn has_itself_removed(why: &dyn Display, me: &Member) -> Message {
    format!("leaves because {why}: asks its distribution to remove member {me} while it still runs").into()
}

pub(crate) fn etcd_refused_to_hand_over() -> Awaited {
    awaited(WaitReason::EtcdRefused, "etcd refused to move the leadership a moment ago")
}

pub(crate) fn has_no_client_address() -> Awaited {
    awaited(WaitReason::OwnEtcd, "its own member has no client address yet")
}

pub(crate) fn hands_over(why: &dyn Display, heir: MemberId) -> Message {
    format!("leaves because {why}: hands the leadership to {heir}").into()
}

pub(crate) fn too_few_are_healthy(healthy: usize, others: usize) -> Awaited {
    awaited(WaitReason::HealthyVoters, format!("only {healthy} of the other {others} voters are healthy"))
}

pub(crate) fn not_all_are_healthy(others: usize) -> Awaited {
    awaited(WaitReason::HealthyVoters, format!("waits until all of the other {others} voters are healthy"))
}

pub(crate) fn learner_is_unsettled(learner: &Member, why: Option<Unready>) -> Awaited {
    let why = why.map_or_else(String::new, |why| format!(": {}", why.words()));
    awaited(WaitReason::OtherLearner, format!("waits until learner {learner} is promoted or removed{why}"))
}

pub(crate) fn group_was_not_read() -> Awaited {
    awaited(WaitReason::Group, "waits until the group says whether a replacement comes")
}

pub(crate) fn awaits_replacement(staying: usize, wanted: usize) -> Awaited {
    awaited(WaitReason::Replacement, replacement(staying, wanted))
}

pub(crate) fn replacement_was_refused(staying: usize, wanted: usize) -> Awaited {
    let refused = "a replacement's etcd was refused, as its own report says: mend its image";
    awaited(WaitReason::Replacement, format!("{}; {refused}", replacement(staying, wanted)))
}

fn replacement(staying: usize, wanted: usize) -> String {
    format!("waits for its replacement: without it {staying} of {wanted} wanted voters remain")
}

pub(crate) fn releases_the_lock() -> Message {
    "is out of the cluster; releases the lock through another member".into()
}

pub(crate) fn nobody_takes_the_lock_back() -> Awaited {
    awaited(WaitReason::Lock, "is out of the cluster, but no other member answers to release the lock through")
}

pub(crate) fn another_cluster_answers() -> Awaited {
    let what = "its data belongs to another cluster than the one that answers, and the charter does not say that this one came later";
    awaited(WaitReason::Charter, what)
}

pub(crate) fn stops_etcd() -> Message {
    "is out of the cluster, as the others confirm; stops etcd".into()
}

pub(crate) fn puts_data_aside() -> Message {
    "is out of the cluster, as the others confirm; moves its data to the trash".into()
}

pub(crate) fn last_voter_is_stopped() -> Awaited {
    awaited(WaitReason::Quorum, "is the last voter, and its etcd is stopped")
}

pub(crate) fn last_voter_awaits_replacement() -> Awaited {
    awaited(WaitReason::Replacement, "is the last voter; waits for its replacement")
}

pub(crate) fn last_voter_awaits_another() -> Awaited {
    awaited(WaitReason::Replacement, "is the last voter; waits for another to join")
}

pub(crate) fn last_voter_stays(why: &dyn Display) -> Message {
    format!("stays although {why}: it is the last voter").into()
}

/// `by_order`: an operator ordered it, and can withdraw the order.
pub(crate) fn last_voter_serves_on(why: &dyn Display, by_order: bool) -> Wait {
    let back = if by_order { ", or run `quorate join`" } else { "" };
    let message = format!(
        "should leave because {why}, but is the last voter: it serves until another instance has joined. Terminate the instance to end the cluster{back}"
    );
    wait(WaitReason::LastVoter, message)
}

pub(crate) fn no_quorum_answers(why: &str) -> Awaited {
    awaited(WaitReason::Quorum, format!("no quorum answers: {why}"))
}

pub(crate) fn lost_too(doing: &Message, lost: &Message) -> Message {
    format!("{doing}; {lost}").into()
}
