//! Removing a member: which one, and why.

use std::fmt::Display;

use crate::ids::InstanceId;
use crate::observation::Member;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn own_broken(member: &Member) -> Message {
    format!("removes its own member {member}, which keeps failing, to join again with empty data").into()
}

pub(crate) fn own_stale(member: &Member) -> Message {
    format!("removes its own stale entry {member}, whose data is not on this disk").into()
}

pub(crate) fn own_learner(learner: &Member, why: &dyn Display) -> Message {
    format!("removes its own learner {learner}: {why}").into()
}

pub(crate) fn leaving_learner(learner: &Member, why: &dyn Display) -> Message {
    format!("removes its own learner {learner} because {why}").into()
}

pub(crate) fn departed_learner(learner: &Member) -> Message {
    format!("removes learner {learner}: its instance has departed").into()
}

pub(crate) fn stuck_learner(learner: &Member) -> Message {
    format!("removes learner {learner}: it has made no progress").into()
}

pub(crate) fn unstarted_stranger(member: &Member) -> Message {
    format!("removes member {member}: it was added by hand, never started, and belongs to no instance of this cluster").into()
}

pub(crate) fn departed(member: &Member) -> Message {
    format!("removes member {member}: its instance has departed").into()
}

pub(crate) fn without_its_data(member: &Member) -> Message {
    format!("removes member {member}: its instance reports that its data is lost").into()
}

pub(crate) fn quorum_would_not_survive(departed: &InstanceId, healthy: usize, others: usize) -> Wait {
    let message = format!("{departed} has departed, but without its member only {healthy} of {others} voters would be healthy");
    wait(WaitReason::HealthyVoters, message)
}

pub(crate) fn own_stale_is_needed(stale: &Member, healthy: usize, others: usize) -> Wait {
    let message = format!("its own stale entry {stale} cannot be removed while only {healthy} of {others} other voters are healthy");
    wait(WaitReason::HealthyVoters, message)
}

pub(crate) fn etcd_refused(removal: &Message) -> Wait {
    wait(WaitReason::EtcdRefused, format!("{removal}; etcd refused a moment ago"))
}

pub(crate) fn no_voter_answers(removal: &Message) -> Wait {
    wait(WaitReason::HealthyVoters, format!("{removal}; no healthy voter answers"))
}
