//! The rotation of the authority that the cluster's certificates come from.

use crate::charter::Record;
use crate::ids::MemberId;
use crate::observation::Member;
use crate::rotation::{Rotation, Trust};
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn makes_the_next() -> Wait {
    wait(WaitReason::Certificates, "rotates the authority: makes the new one in the store".to_owned())
}

/// What a step of the rotation does.
pub(crate) fn writes(record: &Record, next: &Record) -> Message {
    match (record.rotation, next.rotation) {
        (_, Some(Rotation::To(hash))) => format!("rotates the authority: all members are to trust {hash} too: {next}"),
        (_, Some(Rotation::From(hash))) => {
            format!("rotates the authority: all members trust the new one, and their certificates come from it now; {hash} is still trusted: {next}")
        }
        (Some(before), None) => format!("rotates the authority: all members have new certificates, and {} is no longer trusted: {next}", before.also()),
        (None, None) => format!("writes {next}"),
    }
    .into()
}

pub(crate) fn restarts(loaded: &Trust) -> Message {
    let accepts = loaded.also.map_or_else(|| loaded.authority.to_string(), |also| format!("{} and {also}", loaded.authority));
    format!("restarts its etcd: the authorities that it trusts have changed, and it reads them only when it starts; until now it accepts {accepts}").into()
}

pub(crate) fn hands_over(heir: MemberId) -> Message {
    format!("hands the leadership to {heir}, to restart its etcd for the rotation of the authority").into()
}

pub(crate) fn learner_first(learner: &Member) -> Wait {
    wait(
        WaitReason::OtherLearner,
        format!("waits to restart its etcd for the rotation of the authority until learner {learner} is promoted or removed"),
    )
}

pub(crate) fn is_not_healthy(member: &Member) -> Wait {
    wait(WaitReason::HealthyVoters, format!("waits to restart its etcd for the rotation of the authority: {member} is not healthy"))
}

pub(crate) fn third_voter_first() -> Wait {
    wait(
        WaitReason::HealthyVoters,
        "waits to restart its etcd for the rotation of the authority: of two voters neither can be without the other".to_owned(),
    )
}

pub(crate) fn leader_is_last(behind: &Member) -> Wait {
    wait(WaitReason::Certificates, format!("leads, so it restarts its etcd for the rotation of the authority last: waits for {behind}"))
}

pub(crate) fn no_heir() -> Wait {
    wait(WaitReason::HealthyVoters, "leads, and cannot hand over to restart its etcd for the rotation of the authority".to_owned())
}
