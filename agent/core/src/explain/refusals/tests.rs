use std::time::Duration;

use crate::etcd_version::{EtcdVersion, VersionGap, Whose};
use crate::ids::{Generation, InstanceId, MemberId};
use crate::observation::HookRef;
use crate::safety::refusal::{
    ClaimFault, DataFault, HookFault, LockState, LossFault, MemberFault, NoConsent, Refusal, SnapshotFault, Unread, Violation,
};
use crate::time::Timestamp;

fn says(step: &'static str, why: impl Into<Violation>) -> String {
    Refusal { step, why: why.into() }.to_string()
}

#[test]
fn a_refusal_names_the_step_and_the_values_that_decided() {
    let instance = InstanceId::new("i-0b");
    let hook = HookRef { group: "etcd".into(), name: "terminate".into() };
    let gap = VersionGap { own: EtcdVersion { major: 3, minor: 4 }, other: EtcdVersion { major: 3, minor: 5 }, whose: Whose::Data };
    let lost = LossFault::TooShort { since: Some(Timestamp(1_548_061_243_000)), grace: Duration::from_secs(600) };
    let lists = LossFault::ListsDiffer { own: vec![MemberId(0xa1)], charter: vec![MemberId(0xa1), MemberId(0xb2)] };
    let data = DataFault::NotEstablished { data: None, established: Some(Generation(3)) };
    for (told, expected) in [
        (
            says("remove-member", MemberFault::NoHealthyQuorum { healthy: 1, voters: 2 }),
            "the gate refused remove-member: only 1 of 2 voters would be healthy",
        ),
        (
            says("promote", MemberFault::NoLock(LockState::HeldBy(instance.clone()))),
            "the gate refused promote: this node does not hold the lock for long enough: i-0b has it",
        ),
        (says("add-learner", Unread::Quorum), "the gate refused add-learner: no quorum of etcd has answered"),
        (
            says("create-record", NoConsent::HoldsData { instance: instance.clone(), generation: Some(Generation(2)) }),
            "the gate refused create-record: i-0b holds data of generation 2, which counts",
        ),
        (
            says("create-record", ClaimFault::Stands { record: 7, founder: Some(instance.clone()) }),
            "the gate refused create-record: record 7, a claim of i-0b, still stands",
        ),
        (
            says("create-record", lost),
            "the gate refused create-record: quorum has been lost only since 2019-01-21 09:00:43 UTC, and the grace is 600 s",
        ),
        (
            says("create-record", lists),
            "the gate refused create-record: this node's own member lists the voters a1, and the charter lists a1, b2",
        ),
        (
            says("create-record", data),
            "the gate refused create-record: this disk's data is of no known generation, and the established one is generation 3",
        ),
        (
            says("complete-hook", HookFault::Completed { hook, instance }),
            "the gate refused complete-hook: hook etcd/terminate of i-0b was completed already",
        ),
        (
            says("prune-snapshots", SnapshotFault::TooFew { left: 2, wanted: 3 }),
            "the gate refused prune-snapshots: only 2 snapshots would be left, and the operator wants at least 3",
        ),
        (
            says("start-member", gap),
            "the gate refused start-member: etcd here is 3.4, its data is of 3.5: an older etcd cannot read what a newer one wrote; \
             bake an image with 3.5 or 3.6",
        ),
    ] {
        assert_eq!(told, expected);
    }
}
