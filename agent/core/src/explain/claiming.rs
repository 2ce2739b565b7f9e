//! Founding a generation: the claim, the one-member start, and `established`.

use std::fmt::Display;

use crate::charter::Record;
use crate::ids::{ClusterName, Generation, InstanceId, SnapshotKey};
use crate::wait::WaitReason;

use super::{Message, Wait, list, wait};

/// The reason why only an operator may found or recover.
const WITHOUT_A_STORE: &str = "no store is configured, so nothing is founded automatically";

pub(crate) fn may_not_start_yet(generation: Generation, objection: &dyn Display) -> Wait {
    wait(WaitReason::Consent, format!("claimed generation {generation} but does not start yet: {objection}"))
}

pub(crate) fn founds_alone(generation: Generation) -> Message {
    format!("founds generation {generation} alone").into()
}

pub(crate) fn goes_on(generation: Generation) -> Message {
    format!("goes on founding generation {generation}").into()
}

pub(crate) fn does_not_lead_yet(generation: Generation) -> Wait {
    wait(WaitReason::OwnEtcd, format!("waits for its own etcd to lead generation {generation}"))
}

pub(crate) fn store_refused_established() -> Wait {
    wait(WaitReason::StoreRefused, "the store refused `established` a moment ago")
}

pub(crate) fn establishes(generation: Generation, etcd_cluster: &dyn Display) -> Message {
    format!("declares generation {generation} established, with etcd cluster {etcd_cluster}").into()
}

pub(crate) fn puts_older_data_aside() -> Message {
    "moves the data of an older generation to the trash, as `recover --fresh` ordered".into()
}

pub(crate) fn puts_data_aside_for(key: &SnapshotKey) -> Message {
    format!("moves its own data to the trash: snapshot {key} takes its place").into()
}

pub(crate) fn may_not_give_up_yet(generation: Generation, objection: &dyn Display) -> Wait {
    wait(WaitReason::Consent, format!("claimed generation {generation} but does not give up its own data yet: {objection}"))
}

pub(crate) fn opens_to_clients() -> Message {
    "restarts etcd to serve clients on its own address: the charter says `established`".into()
}

pub(crate) fn others_come_first() -> Wait {
    wait(WaitReason::OlderInstances, "may found the cluster, but instances launched earlier go first")
}

pub(crate) fn store_refused_claim() -> Wait {
    wait(WaitReason::StoreRefused, "the store refused the claim a moment ago")
}

pub(crate) fn claims(generation: Generation) -> Message {
    format!("claims the founding of generation {generation}").into()
}

/// `given_up`: the instances that still hold data.
pub(crate) fn claims_to_restore(generation: Generation, key: &SnapshotKey, given_up: &[InstanceId]) -> Message {
    let verb = if given_up.len() == 1 { "holds" } else { "hold" };
    let given_up = match given_up {
        [] => String::new(),
        all => format!("; the data that {} still {verb} is given up", list(all, ", ")),
    };
    format!("claims generation {generation}, to restore snapshot {key}{given_up}").into()
}

pub(crate) fn tags_were_not_read(why: &str) -> Wait {
    wait(WaitReason::Ec2, format!("waits to read which instances carry the tag quorate:cluster: {why}"))
}

pub(crate) fn is_not_tagged(cluster: &ClusterName) -> Wait {
    let message = format!(
        "does not found a cluster: EC2 does not list this instance among those tagged quorate:cluster = {cluster}, so another instance that holds data could be missed too. Have the group propagate the tag at launch, and tag the instances that run already"
    );
    wait(WaitReason::Tag, message)
}

pub(crate) fn is_not_listed() -> Wait {
    wait(WaitReason::Group, "waits until its own group lists it")
}

pub(crate) fn others_object(objection: &dyn Display) -> Wait {
    wait(WaitReason::Consent, format!("does not found a cluster: {objection}"))
}

pub(crate) fn answers_are_unsigned() -> Wait {
    let message = "does not found a cluster on unsigned answers: without TLS only an operator may (`quorate bootstrap`)";
    wait(WaitReason::SignedAnswers, message)
}

pub(crate) fn hooks_were_not_read(why: &str) -> Wait {
    wait(WaitReason::Group, format!("has not read the group's lifecycle hooks yet: {why}"))
}

pub(crate) fn own_place_was_not_read(why: &str) -> Wait {
    wait(WaitReason::Group, format!("does not know its own place in the group yet: {why}"))
}

pub(crate) fn launch_is_early() -> Wait {
    wait(WaitReason::Group, "waits until its launch reaches its lifecycle hooks")
}

pub(crate) fn heartbeat_is_unproven() -> Wait {
    wait(WaitReason::Heartbeat, "waits until AWS accepts a heartbeat for its launch hook")
}

pub(crate) fn there_is_no_store() -> Wait {
    wait(WaitReason::NoStore, format!("{WITHOUT_A_STORE}: run `quorate bootstrap` on one node, or set the tag quorate:store"))
}

pub(crate) fn charter_was_not_read(why: &str) -> Wait {
    wait(WaitReason::Store, format!("cannot read the charter: {why}"))
}

pub(crate) fn founder_leaves(founder: &InstanceId, generation: Generation) -> Wait {
    let message =
        format!("{founder} claimed generation {generation} and is leaving: it blocks the founding until its instance is terminated");
    wait(WaitReason::BlockedClaim, message)
}

pub(crate) fn founder_cannot(record: &Record, founder: &InstanceId) -> Wait {
    let message = format!("{founder} can no longer carry out {record}; {WITHOUT_A_STORE}: run `quorate bootstrap` on one node");
    wait(WaitReason::BlockedClaim, message)
}

pub(crate) fn another_founds(founder: &InstanceId, generation: Generation) -> Wait {
    wait(WaitReason::Founder, format!("waits for {founder} to found generation {generation}"))
}
