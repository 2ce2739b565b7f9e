//! The Auto Scaling adapter against a region on the wire: what it reads, and what it says of a call with an unknown outcome.

use std::time::Duration;

use quorate::adapters::aws::GroupTags;
use quorate::adapters::aws::HookPattern;
use quorate::adapters::aws::Listing;
use quorate_core::ids::{ClusterName, GroupName, HookName, InstanceId};
use quorate_core::observation::{HookRef, LifecycleState, Transition, Warmed};
use quorate_core::plan::{HookResult, Outcome};
use quorate_core::role::Role;
use quorate_lab::region::{self, ApiError, Call, Delays, GroupSpec, HookSpec, PoolState, Region, WarmPool};
use quorate_lab::wire::Fault;

use super::lab::{Lab, PATIENCE};

const COMPLETE: &str = "CompleteLifecycleAction";
const HEARTBEAT: &str = "RecordLifecycleActionHeartbeat";
const GROUPS: &str = "DescribeAutoScalingGroups";

fn prod() -> ClusterName {
    ClusterName::new("prod")
}

fn launch_hook() -> HookRef {
    HookRef { group: GroupName::new("etcd"), name: HookName::new("quorate-launch") }
}

fn hooked() -> GroupSpec {
    Lab::group("etcd", 1).hook(HookSpec::new("quorate-launch", region::Transition::Launching).timeout(Duration::from_secs(60)))
}

/// An instance in `Pending:Wait`, whose launch hook can be completed.
async fn waiting() -> Lab {
    let lab = Lab::start([hooked()]).await;
    lab.until("its launch hook is open", |region| region.actions().iter().any(|action| action.open())).await;
    lab
}

fn completed(lab: &Lab) -> usize {
    lab.server.region().lock().actions().iter().filter(|action| action.completed().is_some()).count()
}

#[tokio::test]
async fn the_own_group_and_state_are_read() {
    let lab = waiting().await;
    let autoscaling = lab.autoscaling().await;
    let own = autoscaling.own(&lab.me).await.unwrap();
    assert_eq!(own, Some((GroupName::new("etcd"), LifecycleState::PendingWait)));
    assert_eq!(autoscaling.own(&InstanceId::new("i-0ffffffffffffffff")).await.unwrap(), None);
}

#[tokio::test]
async fn the_tags_of_the_group_are_read() {
    let lab = Lab::start([Lab::group("etcd", 1).tag("quorate:store", "s3://bucket").tag("Name", "x")]).await;
    let tags = lab.autoscaling().await.tags_of(&GroupName::new("etcd")).await.unwrap();
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(tags, GroupTags { cluster: text("prod"), role: text("etcd"), store: text("s3://bucket") });
}

#[tokio::test]
async fn the_tags_of_a_group_that_is_not_there_are_an_error_and_not_none() {
    let lab = Lab::start([Lab::group("etcd", 1)]).await;
    let error = lab.autoscaling().await.tags_of(&GroupName::new("other")).await.unwrap_err();
    assert!(error.to_string().ends_with("without the group other"), "{error}");
}

#[tokio::test]
async fn the_clusters_groups_come_from_all_pages_and_no_other_group_with_them() {
    let other = |name: &str, cluster: &str, role: &str| GroupSpec::new(name, 1).tag("quorate:cluster", cluster).tag("quorate:role", role);
    let mut retaining = Lab::group("etcd-c", 1);
    retaining.retain_on_abandon = true;
    let groups = [
        Lab::group("etcd-a", 2),
        other("etcd-x", "stage", "etcd"),
        Lab::group("etcd-b", 3),
        other("workers", "prod", "worker"),
        GroupSpec::new("untagged", 1),
        retaining,
    ];
    let lab = Lab::start(groups).await;
    lab.server.limit_pages(1);
    let Listing { groups, listed, health_checks } = lab.autoscaling().await.groups(&prod(), Role::Etcd).await.unwrap();
    assert!(health_checks.is_empty(), "{health_checks:?}");
    let found: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.desired, group.retains_on_abandon)).collect();
    assert_eq!(found, [("etcd-a", 2, false), ("etcd-b", 3, false), ("etcd-c", 1, true)]);
    let expected = ["etcd-a", "etcd-b", "etcd-c"].map(|group| lab.members(group)).concat();
    assert_eq!(listed.len(), 6);
    assert!(expected.iter().all(|id| listed.contains_key(id)));
    assert_eq!(lab.calls(Call::DescribeAutoScalingGroups), 3);
}

#[tokio::test]
async fn the_spares_of_a_warm_pool_are_listed_and_only_a_group_with_a_pool_is_asked_for_them() {
    let lab = Lab::start([Lab::group("etcd-a", 1), Lab::group("etcd-b", 1).warm_pool(WarmPool::of(PoolState::Stopped, 3))]).await;
    let off =
        |region: &Region| region.members(&GroupName::new("etcd-b")).filter(|one| one.lifecycle.to_string() == "Warmed:Stopped").count();
    lab.until("three spares are off", |region| off(region) == 3).await;
    lab.server.limit_pages(1);
    let autoscaling = lab.autoscaling().await;
    let Listing { listed, .. } = autoscaling.groups(&prod(), Role::Etcd).await.unwrap();
    let spares = listed.values().filter(|entry| entry.state == LifecycleState::Warmed(Warmed::Stopped)).count();
    assert_eq!((listed.len(), spares), (5, 3));
    assert_eq!(lab.calls(Call::DescribeWarmPool), 3, "one call for each page");
    lab.api_fault("DescribeWarmPool", Fault::Refuse(ApiError::new("AccessDenied", "not authorized")));
    let error = autoscaling.groups(&prod(), Role::Etcd).await.unwrap_err();
    assert!(error.to_string().contains("allow autoscaling:DescribeWarmPool"), "{error}");
}

/// Any of the calls may answer with nothing and a next page: that is no missing group, instance or spare.
#[tokio::test]
async fn an_empty_page_with_a_next_one_is_no_empty_list() {
    let lab = Lab::start([Lab::group("etcd", 2).warm_pool(WarmPool::of(PoolState::Stopped, 1))]).await;
    let off = |region: &Region| region.members(&GroupName::new("etcd")).any(|one| one.lifecycle.to_string() == "Warmed:Stopped");
    lab.until("the spare is off", off).await;
    lab.server.begin_with_an_empty_page();
    let (autoscaling, etcd) = (lab.autoscaling().await, GroupName::new("etcd"));
    let Listing { groups, listed, .. } = autoscaling.groups(&prod(), Role::Etcd).await.unwrap();
    assert_eq!((groups.len(), listed.len()), (1, 3));
    assert_eq!(autoscaling.own(&lab.me).await.unwrap().map(|(group, _)| group), Some(etcd.clone()));
    let places = autoscaling.places(&lab.members("etcd")).await.unwrap();
    assert!(places.len() == 3 && places.values().all(Option::is_some), "{places:?}");
    assert_eq!(autoscaling.tags_of(&etcd).await.unwrap().cluster.as_deref(), Some("prod"));
    assert!(autoscaling.own_entry(&lab.me).await.unwrap().is_some());
    assert!(!autoscaling.group_settings(&etcd).await.unwrap().tags.is_empty());
}

#[tokio::test]
async fn a_group_that_believes_probes_is_told_of() {
    let believing = |kinds: &str| {
        let mut group = Lab::group(kinds.split(',').next_back().unwrap(), 1);
        group.health_checks = kinds.into();
        group
    };
    let lab = Lab::start(["EC2", "EC2,EBS", "EC2,ELB", "VPC_LATTICE"].map(believing)).await;
    let found = lab.autoscaling().await.groups(&prod(), Role::Etcd).await.unwrap().health_checks;
    let expected = ["ELB", "VPC_LATTICE"].map(|kind| (GroupName::new(kind), vec![kind.to_owned()]));
    assert_eq!(found, expected.into());
}

#[tokio::test]
async fn a_failure_on_a_later_page_is_no_shorter_list() {
    let lab = Lab::start([Lab::group("etcd-a", 1), Lab::group("etcd-b", 1)]).await;
    lab.server.limit_pages(1);
    let autoscaling = lab.autoscaling().await;
    assert!(autoscaling.groups(&prod(), Role::Etcd).await.is_ok());
    // The first page is answered late enough for the rule on the later ones to be in force by then.
    let late = lab.api_fault(GROUPS, Fault::Delay(PATIENCE / 4));
    let breaking = async {
        while lab.struck(late) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lab.api_fault(GROUPS, Fault::ServerError);
    };
    let cluster = prod();
    let asking = autoscaling.groups(&cluster, Role::Etcd);
    let (answer, ()) = tokio::join!(asking, breaking);
    assert!(answer.is_err(), "{answer:?}");
    assert!(lab.struck(late) > 1, "it was the first page that failed");
}

#[tokio::test]
async fn only_our_hooks_are_read_with_their_own_timeouts() {
    let hook = |name, transition, seconds| HookSpec::new(name, transition).timeout(Duration::from_secs(seconds));
    let group = Lab::group("etcd", 1)
        .hook(hook("quorate-launch", region::Transition::Launching, 60))
        .hook(hook("lambda-launch", region::Transition::Launching, 60))
        .hook(hook("quorate-terminate", region::Transition::Terminating, 7200));
    let lab = Lab::start([group, Lab::group("etcd-b", 1)]).await;
    let groups = [GroupName::new("etcd"), GroupName::new("etcd-b")];
    let hooks = lab.autoscaling().await.hooks(&groups, &HookPattern::default()).await.unwrap();
    let found: Vec<_> = hooks.iter().map(|hook| (hook.hook.to_string(), hook.transition, hook.heartbeat_timeout.as_secs())).collect();
    let expected = [
        ("etcd/quorate-launch".to_owned(), Transition::Launching, 60),
        ("etcd/quorate-terminate".to_owned(), Transition::Terminating, 7200),
    ];
    assert_eq!(found, expected);
    assert_eq!(hooks[0].global_timeout, Duration::from_secs(6000));
    assert_eq!(hooks[1].global_timeout, Duration::from_secs(48 * 3600));
}

#[tokio::test]
async fn a_heartbeat_and_a_completion_are_accepted() {
    let lab = waiting().await;
    let autoscaling = lab.autoscaling().await;
    assert_eq!(autoscaling.heartbeat(&launch_hook(), &lab.me).await, Outcome::Done);
    assert_eq!(lab.server.region().lock().actions()[0].heartbeats, 1);
    assert_eq!(autoscaling.complete(&launch_hook(), &lab.me, HookResult::Continue).await, Outcome::Done);
    lab.until("it is in service", |region| region.instance(&lab.me).is_some_and(|it| it.lifecycle.to_string() == "InService")).await;
}

#[tokio::test]
async fn an_abandoned_launch_is_told_so() {
    let lab = waiting().await;
    assert_eq!(lab.autoscaling().await.complete(&launch_hook(), &lab.me, HookResult::Abandon).await, Outcome::Done);
    lab.until("it is given up", |region| region.instance(&lab.me).is_none_or(|it| it.ec2.to_string() != "running")).await;
}

/// "Not yet" (the race between the state and its action), "already" and "timed out" have one text.
#[tokio::test]
async fn an_action_that_is_not_open_is_refused_in_the_services_own_words() {
    let race = Delays { completion_race: Duration::from_secs(3600), ..Delays::none() };
    let lab = Lab::with_delays(race, [hooked()]).await;
    lab.until("it waits", |region| region.instance(&lab.me).is_some_and(|it| it.lifecycle.to_string() == "Pending:Wait")).await;
    let outcome = lab.autoscaling().await.complete(&launch_hook(), &lab.me, HookResult::Continue).await;
    let Outcome::NotOpen(words) = outcome else { panic!("{outcome:?}") };
    assert!(words.starts_with("ValidationError: No active Lifecycle Action found with instance ID"), "{words}");
}

/// The completion happened, its answer did not arrive. The adapter does not try again on its own: a second attempt would be refused
/// ("No active Lifecycle Action found"), and `Refused` promises that nothing changed. So the outcome is `Unclear`, and the next
/// observation of its own state shows it.
#[tokio::test]
async fn a_completion_whose_answer_is_lost_is_unclear_and_not_sent_again() {
    for lost in [Fault::LoseAnswer, Fault::TruncatedBody, Fault::ShortBody] {
        let lab = waiting().await;
        let rule = lab.api_fault_times(COMPLETE, lost.clone(), 1);
        let autoscaling = lab.autoscaling().await;
        let outcome = autoscaling.complete(&launch_hook(), &lab.me, HookResult::Continue).await;
        assert!(matches!(outcome, Outcome::Unclear(_)), "{lost:?} gave {outcome:?}");
        assert_eq!((lab.struck(rule), lab.calls(Call::CompleteLifecycleAction), completed(&lab)), (1, 1, 1), "{lost:?}");
        let again = autoscaling.complete(&launch_hook(), &lab.me, HookResult::Continue).await;
        assert!(matches!(again, Outcome::NotOpen(_)), "{again:?}");
    }
}

#[tokio::test]
async fn a_completion_that_never_arrived_is_unclear_too_and_can_be_sent_again() {
    for fault in [Fault::HangUp, Fault::ServerError, Fault::Status(502)] {
        let lab = waiting().await;
        let rule = lab.api_fault_times(COMPLETE, fault.clone(), 1);
        let autoscaling = lab.autoscaling().await;
        let outcome = autoscaling.complete(&launch_hook(), &lab.me, HookResult::Continue).await;
        assert!(matches!(outcome, Outcome::Unclear(_)), "{fault:?} gave {outcome:?}");
        assert_eq!((lab.struck(rule), completed(&lab)), (1, 0), "{fault:?}");
        assert_eq!(autoscaling.complete(&launch_hook(), &lab.me, HookResult::Continue).await, Outcome::Done);
    }
}

#[tokio::test]
async fn a_completion_that_takes_too_long_is_unclear_and_names_the_cause() {
    let lab = waiting().await;
    lab.api_fault(COMPLETE, Fault::Delay(20 * PATIENCE));
    let autoscaling = lab.autoscaling().await;
    let hook = launch_hook();
    let completing = autoscaling.complete(&hook, &lab.me, HookResult::Continue);
    let outcome = tokio::time::timeout(3 * PATIENCE, completing).await.expect("the limit did not hold");
    assert!(matches!(&outcome, Outcome::Unclear(text) if text.contains("timeout")), "{outcome:?}");
}

/// A slow answer has all of the call's time: half of it, as for questions, would make an accepted completion unclear.
#[tokio::test]
async fn a_slow_completion_within_the_limit_is_done() {
    let lab = waiting().await;
    lab.api_fault(COMPLETE, Fault::Delay(PATIENCE * 5 / 4));
    assert_eq!(lab.autoscaling().await.complete(&launch_hook(), &lab.me, HookResult::Continue).await, Outcome::Done);
}

#[tokio::test]
async fn a_throttled_step_is_refused_and_not_tried_again_behind_the_plans_back() {
    let lab = waiting().await;
    let autoscaling = lab.autoscaling().await;
    let (complete, heartbeat) = (lab.api_fault(COMPLETE, Fault::Throttle), lab.api_fault(HEARTBEAT, Fault::Throttle));
    let outcomes =
        [autoscaling.complete(&launch_hook(), &lab.me, HookResult::Continue).await, autoscaling.heartbeat(&launch_hook(), &lab.me).await];
    for outcome in outcomes {
        assert!(matches!(&outcome, Outcome::Refused(words) if words.starts_with("Throttling: Rate exceeded")), "{outcome:?}");
    }
    assert_eq!((lab.struck(complete), lab.struck(heartbeat)), (1, 1));
}

#[tokio::test]
async fn a_throttled_question_is_asked_again_and_lasting_throttling_is_told_as_such() {
    let lab = Lab::start([Lab::group("etcd", 1)]).await;
    let autoscaling = lab.autoscaling().await;
    let rule = lab.api_fault(GROUPS, Fault::Throttle);
    let error = autoscaling.groups(&prod(), Role::Etcd).await.unwrap_err();
    assert!(error.is_throttling(), "{error:?}");
    assert_eq!(lab.struck(rule), 3);
}

#[tokio::test]
async fn a_question_without_an_answer_is_an_error_and_never_an_empty_list() {
    for fault in [Fault::EmptyBody, Fault::TruncatedBody, Fault::ShortBody, Fault::HangUp, Fault::Status(503), Fault::Delay(20 * PATIENCE)]
    {
        let lab = Lab::start([hooked()]).await;
        for action in [GROUPS, "DescribeAutoScalingInstances", "DescribeLifecycleHooks"] {
            lab.api_fault(action, fault.clone());
        }
        let autoscaling = lab.autoscaling().await;
        let etcd = GroupName::new("etcd");
        assert!(autoscaling.groups(&prod(), Role::Etcd).await.is_err(), "{fault:?}");
        assert!(autoscaling.tags_of(&etcd).await.is_err(), "{fault:?}");
        assert!(autoscaling.own(&lab.me).await.is_err(), "{fault:?}");
        assert!(autoscaling.hooks(&[etcd], &HookPattern::default()).await.is_err(), "{fault:?}");
    }
}

#[tokio::test]
async fn an_unhealthy_instance_is_replaced() {
    let lab = Lab::start([Lab::group("etcd", 1)]).await;
    lab.until("it is in service", |region| region.instance(&lab.me).is_some_and(|it| it.lifecycle.to_string() == "InService")).await;
    assert_eq!(lab.autoscaling().await.set_unhealthy(&lab.me).await, Outcome::Done);
    lab.until("another takes its place", |region| region.members(&GroupName::new("etcd")).any(|it| it.id != lab.me)).await;
}

#[tokio::test]
async fn an_instance_of_no_group_cannot_be_called_unhealthy() {
    let lab = Lab::start([Lab::group("etcd", 1)]).await;
    let outcome = lab.autoscaling().await.set_unhealthy(&InstanceId::new("i-0ffffffffffffffff")).await;
    assert!(matches!(&outcome, Outcome::Refused(words) if words.contains("ValidationError")), "{outcome:?}");
}
