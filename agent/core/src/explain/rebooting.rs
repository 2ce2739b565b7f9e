//! A reboot keeps the membership.

use crate::ids::MemberId;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn etcd_is_stopped() -> Message {
    "has stopped its etcd for the reboot".into()
}

pub(crate) fn process_is_unknown(why: &str) -> Wait {
    wait(WaitReason::LocalFacts, format!("reboots, but does not know whether its etcd runs: {why}"))
}

pub(crate) fn no_quorum_answers(why: &str) -> Wait {
    wait(WaitReason::Quorum, format!("reboots, but no quorum answers: {why}"))
}

pub(crate) fn stops_alone() -> Message {
    "stops etcd for the reboot: nobody else depends on it".into()
}

pub(crate) fn too_few_are_healthy(healthy: usize, others: usize) -> Wait {
    let message = format!("reboots, but only {healthy} of the other {others} voters are healthy, which is no quorum");
    wait(WaitReason::HealthyVoters, message)
}

pub(crate) fn no_other_voter_answers() -> Wait {
    wait(WaitReason::HealthyVoters, "reboots, but no other voter answers")
}

pub(crate) fn stops() -> Message {
    "stops etcd for the reboot; it comes back as the same member".into()
}

pub(crate) fn etcd_refused_to_hand_over() -> Wait {
    wait(WaitReason::EtcdRefused, "reboots; etcd refused to move the leadership a moment ago")
}

pub(crate) fn hands_over(heir: MemberId) -> Message {
    format!("reboots: hands the leadership to {heir}").into()
}

pub(crate) fn has_no_client_address() -> Wait {
    wait(WaitReason::OwnEtcd, "reboots; its own member has no client address yet")
}
