//! The drain against a model of an API server, in virtual time: what it never does, and by when it is done.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a property that does not hold fails its test")]
#[path = "property/config.rs"]
mod config;
#[path = "drain/model.rs"]
mod model;

use std::time::Duration;

use model::{Api, Budget, Spec, limits};
use proptest::prelude::*;
use quorate_core::drain::{Escalation, Owner, Progress, Step, Verdict, View, plan};
use quorate_core::reading::Reading;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn five_hundred_pods_take_as_long_as_their_longest_grace() {
    let ordinary = (0..480).map(|n| Spec::new(n).grace(n % 30));
    let critical = (480..500).map(|n| Spec::new(n).grace(20).critical());
    let mut api = Api::new(ordinary.chain(critical), true);
    let end = api.drain(&limits(secs(600), Escalation::Delete));
    assert!(end.done, "{}", end.message);
    let floor = secs(29 + 20);
    assert!(end.took <= floor.mul_f64(1.2), "took {:?}, the graces of both phases sum up to {floor:?}", end.took);
}

#[test]
fn a_budget_that_never_allows_ends_at_its_budget_and_not_later() {
    let stuck = Spec::new(0).grace(30).budget(Budget::Never);
    let mut api = Api::new([stuck.clone(), Spec::new(1).grace(5)], true);
    let end = api.drain(&limits(secs(120), Escalation::Delete));
    assert!(end.done, "{}", end.message);
    assert!(end.took <= secs(120) && end.took >= secs(80), "a protected pod was deleted after {:?} of 120 s", end.took);
    assert!(api.steps.iter().any(|step| matches!(step, Step::Delete(_))));

    let mut api = Api::new([stuck], true);
    let end = api.drain(&limits(secs(120), Escalation::GiveUp));
    assert!(!end.done && end.message.contains("default/pod-0"), "{}", end.message);
    assert!(end.took >= secs(120) && end.took < secs(122), "{:?}", end.took);
    assert!(!api.steps.iter().any(|step| matches!(step, Step::Delete(_))));
}

#[test]
fn a_grace_longer_than_the_time_is_cut_short() {
    let mut api = Api::new([Spec::new(0).grace(3600)], true);
    let end = api.drain(&limits(secs(60), Escalation::Delete));
    assert!(end.done && end.took <= secs(60), "{} after {:?}", end.message, end.took);
}

#[test]
fn daemon_sets_and_mirrors_stay_and_what_kubectl_refuses_goes() {
    let pods = [
        Spec::new(0).owner(Owner::DaemonSet),
        Spec::new(1).mirror(),
        Spec::new(2).owner(Owner::Nobody),
        Spec::new(3).local_data(),
        Spec::new(4).owner(Owner::DaemonSet).finished(),
    ];
    let mut api = Api::new(pods, true);
    assert!(api.drain(&limits(secs(60), Escalation::Delete)).done);
    assert_eq!(api.left(), ["pod-0", "pod-1"]);
}

#[test]
fn a_pod_that_came_while_the_node_was_cordoned_is_found() {
    let mut api = Api::new([Spec::new(0)], true);
    api.arrives(secs(3), Spec::new(7));
    assert!(api.drain(&limits(secs(60), Escalation::Delete)).done);
    assert!(api.left().is_empty(), "{:?}", api.left());
}

#[test]
fn without_an_api_server_the_drain_is_given_up_and_a_short_absence_is_waited_out() {
    let mut api = Api::new([Spec::new(0).grace(10)], true);
    api.away(secs(2)..secs(25));
    let end = api.drain(&limits(secs(120), Escalation::Delete));
    assert!(end.done, "{}", end.message);

    let mut api = Api::new([Spec::new(0)], true);
    api.away(secs(0)..secs(900));
    let end = api.drain(&limits(secs(600), Escalation::Delete));
    assert!(!end.done && end.took <= secs(32), "{} after {:?}", end.message, end.took);
}

#[test]
fn a_node_that_does_not_exist_needs_no_cordon() {
    let mut api = Api::new([Spec::new(0)], true);
    api.without_node();
    assert!(api.drain(&limits(secs(60), Escalation::Delete)).done);
    assert!(!api.steps.contains(&Step::Cordon));
}

#[test]
fn a_node_that_nobody_may_cordon_does_not_keep_an_empty_drain_going_for_ever() {
    let limits = limits(secs(60), Escalation::Delete);
    let at = |now| View { schedulable: Reading::Fresh(Some(true), now), pods: Reading::Fresh(Vec::new(), now) };
    let progress = Progress::new(limits.end - secs(60));
    assert!(matches!(
        plan(&at(limits.end - secs(1)), &progress, &limits, limits.end - secs(1)),
        Verdict::Goes { step: Some(Step::Cordon), .. }
    ));
    assert!(matches!(plan(&at(limits.end), &progress, &limits, limits.end), Verdict::Done { .. }));
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let owner = prop_oneof![Just(Owner::DaemonSet), Just(Owner::Controller), Just(Owner::Nobody)];
    let budget = prop_oneof![3 => Just(Budget::Allows), 1 => Just(Budget::Never), 1 => (0u64..40).prop_map(|s| Budget::From(secs(s))), 1 => Just(Budget::Broken)];
    (0u64..1000, owner, any::<bool>(), any::<bool>(), any::<bool>(), 0u64..90, budget).prop_map(
        |(n, owner, mirror, finished, critical, grace, budget)| {
            let spec = Spec::new(n).owner(owner).grace(grace).budget(budget);
            let spec = if mirror && n % 5 == 0 { spec.mirror() } else { spec };
            let spec = if finished && n % 3 == 0 { spec.finished() } else { spec };
            if critical && n % 2 == 0 { spec.critical() } else { spec }
        },
    )
}

proptest! {
    #![proptest_config(config::cases(400))]

    /// The model itself refuses what is never allowed: a step before the cordon or on an old list, and the end of a pod that stays.
    #[test]
    fn every_drain_ends_in_time_and_touches_only_what_it_may(
        specs in prop::collection::vec(any_spec(), 0..40),
        budget in 20u64..300,
        schedulable: bool,
        from in 0u64..100,
        away in 0u64..20,
    ) {
        let mut api = Api::new(specs, schedulable);
        api.away(secs(from)..secs(from + away));
        let end = api.drain(&limits(secs(budget), Escalation::Delete));
        prop_assert!(end.took <= secs(budget + 2), "{} after {:?} of {budget} s", end.message, end.took);
        prop_assert!(end.done || away > 0 , "{}", end.message);
        prop_assert_eq!(api.wrongs, Vec::<String>::new());
    }
}
