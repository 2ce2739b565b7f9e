//! The EC2 adapter against a region on the wire: only what EC2 truly said of an id is believed.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate::adapters::aws::AwsError;
use quorate_core::ids::{ClusterName, InstanceId};
use quorate_core::observation::{Ec2Answer, Ec2State};
use quorate_core::role::Role;
use quorate_lab::region::{ApiError, Call, Caller, GroupSpec};
use quorate_lab::wire::Fault;

use super::lab::{Lab, PATIENCE};

const DESCRIBE: &str = "DescribeInstances";
const UNKNOWN: &str = "i-0ffffffffffffffff";

async fn running(size: u32) -> (Lab, Vec<InstanceId>) {
    let lab = Lab::start([Lab::group("etcd", size)]).await;
    lab.until("they run", |region| region.instances().iter().all(|instance| instance.ec2.to_string() == "running")).await;
    let members = lab.members("etcd");
    (lab, members)
}

fn state(answer: &Ec2Answer) -> Option<Ec2State> {
    match answer {
        Ec2Answer::Known { state, .. } => Some(*state),
        Ec2Answer::NotFound => None,
    }
}

#[tokio::test]
async fn instances_are_described_with_state_address_and_launch() {
    let (lab, members) = running(3).await;
    let answers = lab.ec2().await.describe(&members).await.unwrap();
    let region = lab.server.region().lock();
    for id in &members {
        let truth = region.instance(id).unwrap();
        let known = Ec2Answer::Known { state: Ec2State::Running, address: Some(truth.address), launched: Some(truth.launched_at) };
        assert_eq!(answers[id], known);
    }
    assert_eq!(answers.len(), 3);
}

#[tokio::test]
async fn nobody_asked_for_is_no_call() {
    let (lab, _) = running(1).await;
    assert!(lab.ec2().await.describe(&[]).await.unwrap().is_empty());
    assert_eq!(lab.calls(Call::DescribeInstances), 0);
}

#[tokio::test]
async fn an_unknown_id_does_not_hide_the_others_and_costs_two_more_calls() {
    let (lab, mut ids) = running(3).await;
    ids.insert(1, InstanceId::new(UNKNOWN));
    let answers = lab.ec2().await.describe(&ids).await.unwrap();
    assert_eq!(answers[&InstanceId::new(UNKNOWN)], Ec2Answer::NotFound);
    assert_eq!(answers.values().filter_map(state).collect::<Vec<_>>(), [Ec2State::Running; 3]);
    assert_eq!(lab.calls(Call::DescribeInstances), 3, "all, the unknown one alone, the others");
}

#[tokio::test]
async fn a_malformed_id_is_left_out_and_does_not_hide_the_others() {
    let (lab, mut ids) = running(2).await;
    ids.extend([InstanceId::new("i-nonsense"), InstanceId::new(UNKNOWN)]);
    let answers = lab.ec2().await.describe(&ids).await.unwrap();
    assert_eq!(answers.keys().cloned().collect::<BTreeSet<_>>(), ids.iter().filter(|id| id.as_str() != "i-nonsense").cloned().collect());
    assert_eq!(answers[&InstanceId::new(UNKNOWN)], Ec2Answer::NotFound);
}

#[tokio::test]
async fn a_terminated_instance_says_so_for_an_hour_and_is_unknown_after_it() {
    let (lab, members) = running(2).await;
    let victim = &members[1];
    lab.server.region().with(|region, now| region.hard_kill(victim, now));
    lab.until("it is terminated", |region| region.instance(victim).is_some_and(|it| it.ec2.to_string() == "terminated")).await;
    let ec2 = lab.ec2().await;
    assert_eq!(state(&ec2.describe(&members).await.unwrap()[victim]), Some(Ec2State::Terminated));
    lab.server.region().skip(Duration::from_secs(3601));
    assert_eq!(ec2.describe(&members).await.unwrap()[victim], Ec2Answer::NotFound);
}

#[tokio::test]
async fn answers_on_several_pages_are_put_together() {
    let (lab, members) = running(5).await;
    lab.server.limit_pages(2);
    let answers = lab.ec2().await.describe(&members).await.unwrap();
    assert_eq!(answers.into_keys().collect::<BTreeSet<_>>(), members.into_iter().collect());
    assert_eq!(lab.calls(Call::DescribeInstances), 3);
}

#[tokio::test]
async fn many_ids_are_asked_in_batches() {
    let (lab, members) = running(105).await;
    let answers = lab.ec2().await.describe(&members).await.unwrap();
    assert_eq!(answers.len(), 105);
    assert_eq!(lab.calls(Call::DescribeInstances), 2);
}

async fn tagged(lab: &Lab) -> Result<BTreeSet<InstanceId>, AwsError> {
    lab.ec2().await.tagged(&ClusterName::new("prod"), Role::Etcd).await
}

#[tokio::test]
async fn who_bears_the_clusters_tag_is_found_on_whatever_list_it_is() {
    let other = GroupSpec::new("other", 1).tag("quorate:cluster", "prod2").tag("quorate:role", "etcd");
    let workers = GroupSpec::new("workers", 1).tag("quorate:cluster", "prod").tag("quorate:role", "worker");
    let roleless = GroupSpec::new("roleless", 1).tag("quorate:cluster", "prod");
    let lab = Lab::start([Lab::group("etcd", 3), other, workers, roleless]).await;
    lab.until("they serve", |region| region.instances().iter().all(|it| it.lifecycle.to_string() == "InService")).await;
    let mut expected: BTreeSet<_> = lab.members("etcd").into_iter().chain(lab.members("roleless")).collect();
    assert_eq!(tagged(&lab).await.unwrap(), expected);
    // A detached instance is on no list, and keeps the tag; a terminated one is gone.
    let (detached, killed) = (lab.members("etcd")[1].clone(), lab.members("etcd")[2].clone());
    lab.server.region().with(|region, now| {
        region.api(&Caller::Operator, now).detach(&detached, true).unwrap();
        region.hard_kill(&killed, now);
    });
    lab.until("one is terminated", |region| region.instance(&killed).is_some_and(|it| it.ec2.to_string() == "terminated")).await;
    assert!(!lab.members("etcd").contains(&detached));
    expected.remove(&killed);
    let found = tagged(&lab).await.unwrap();
    assert!(found.is_superset(&expected), "{found:?} lacks one of {expected:?}");
    assert!(found.contains(&detached) && !found.contains(&killed));
}

#[tokio::test]
async fn who_bears_the_tag_is_read_from_every_page() {
    let (lab, members) = running(7).await;
    lab.server.limit_pages(2);
    assert_eq!(tagged(&lab).await.unwrap(), members.into_iter().collect());
    assert_eq!(lab.calls(Call::DescribeInstances), 4);
}

/// EC2 may answer with no instance at all and a next page: that is no empty list.
#[tokio::test]
async fn an_empty_page_with_a_next_one_is_no_empty_list() {
    let (lab, members) = running(3).await;
    lab.server.begin_with_an_empty_page();
    let expected: BTreeSet<_> = members.iter().cloned().collect();
    assert_eq!(tagged(&lab).await.unwrap(), expected);
    let answers = lab.ec2().await.describe(&members).await.unwrap();
    assert_eq!(answers.into_keys().collect::<BTreeSet<_>>(), expected);
}

/// A service of AWS may manage an instance, and the account may hide those. It holds data like any other.
#[tokio::test]
async fn an_instance_that_the_account_hides_is_found() {
    let (lab, members) = running(3).await;
    lab.server.region().with(|region, _| region.instance_mut(&members[1]).unwrap().hidden = true);
    assert_eq!(tagged(&lab).await.unwrap(), members.iter().cloned().collect());
    assert_eq!(state(&lab.ec2().await.describe(&members).await.unwrap()[&members[1]]), Some(Ec2State::Running));
}

#[tokio::test]
async fn a_broken_page_is_no_short_list() {
    let (lab, _) = running(3).await;
    lab.server.limit_pages(2);
    lab.api_fault(DESCRIBE, Fault::TruncatedBody);
    assert!(matches!(tagged(&lab).await, Err(AwsError::NoAnswer { .. })));
    let nobody = Lab::start([Lab::group("etcd", 1)]).await;
    let none = nobody.ec2().await.tagged(&ClusterName::new("nobody"), Role::Etcd).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
}

#[tokio::test]
async fn throttling_once_is_tried_again_and_lasting_throttling_is_told_as_such() {
    let (lab, members) = running(1).await;
    let ec2 = lab.ec2().await;
    let once = lab.api_fault_times(DESCRIBE, Fault::Status(503), 1);
    assert!(ec2.describe(&members).await.is_ok());
    assert_eq!(lab.struck(once), 1);
    lab.api_fault(DESCRIBE, Fault::Throttle);
    let error = ec2.describe(&members).await.unwrap_err();
    assert!(error.is_throttling(), "{error:?}");
}

#[tokio::test]
async fn a_failure_of_the_service_is_asked_three_times_and_then_told() {
    let (lab, members) = running(1).await;
    let broken = lab.api_fault(DESCRIBE, Fault::ServerError);
    let error = lab.ec2().await.describe(&members).await.unwrap_err();
    assert!(matches!(&error, AwsError::Faulty { words, .. } if words.code == "InternalError"), "{error:?}");
    assert_eq!(lab.struck(broken), 3);
}

#[tokio::test]
async fn a_missing_permission_names_the_action() {
    let (lab, members) = running(1).await;
    let denied = ApiError::new("UnauthorizedOperation", "You are not authorized to perform this operation.");
    let rule = lab.api_fault(DESCRIBE, Fault::Refuse(denied));
    let error = lab.ec2().await.describe(&members).await.unwrap_err();
    assert!(matches!(error, AwsError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("allow ec2:DescribeInstances"), "{error}");
    assert_eq!(lab.struck(rule), 1, "a refusal was asked again");
}

#[tokio::test]
async fn a_refusal_of_one_of_the_single_questions_is_no_not_found() {
    let (lab, mut ids) = running(1).await;
    ids.push(InstanceId::new(UNKNOWN));
    let unknown = ApiError::unknown_instances(&ids[1..]);
    lab.api_fault_times(DESCRIBE, Fault::Refuse(unknown), 1);
    lab.api_fault(DESCRIBE, Fault::ServerError);
    assert!(matches!(lab.ec2().await.describe(&ids).await, Err(AwsError::Faulty { .. })));
}

#[tokio::test]
async fn empty_and_broken_answers_are_errors_and_never_no_instances() {
    for fault in [Fault::EmptyBody, Fault::TruncatedBody, Fault::ShortBody, Fault::HangUp, Fault::Status(404)] {
        let (lab, members) = running(1).await;
        lab.api_fault(DESCRIBE, fault.clone());
        let error = lab.ec2().await.describe(&members).await.unwrap_err();
        assert!(matches!(error, AwsError::NoAnswer { .. }), "{fault:?} gave {error:?}");
    }
}

#[tokio::test]
async fn a_broken_answer_is_asked_again_within_the_call() {
    for fault in [Fault::HangUp, Fault::ServerError, Fault::TruncatedBody] {
        let (lab, members) = running(1).await;
        let once = lab.api_fault_times(DESCRIBE, fault.clone(), 1);
        let answer = lab.ec2().await.describe(&members).await;
        assert!(answer.is_ok(), "{fault:?}: {answer:?}");
        assert_eq!(lab.struck(once), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_slow_service_takes_no_longer_than_the_limit() {
    let (lab, members) = running(1).await;
    lab.api_fault(DESCRIBE, Fault::Delay(20 * PATIENCE));
    let ec2 = lab.ec2().await;
    let answer = tokio::time::timeout(3 * PATIENCE, ec2.describe(&members)).await.expect("the limit did not hold");
    assert!(matches!(answer, Err(AwsError::NoAnswer { .. })), "{answer:?}");
}
