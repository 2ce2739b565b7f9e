//! The adapter that takes an instance out of a target group, against a region on the wire.

use quorate_core::ids::{InstanceId, TargetGroupArn};
use quorate_core::plan::Outcome;
use quorate_lab::region::{ApiError, Call, Caller, TargetGroup};
use quorate_lab::wire::Fault;

use super::lab::{Lab, PATIENCE};

const DEREGISTER: &str = "DeregisterTargets";
const MISSING: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/0123456789abcdef";

/// Two instances, both of them targets of one group.
async fn registered() -> (Lab, TargetGroupArn, InstanceId) {
    let lab = Lab::start([Lab::group("etcd", 2)]).await;
    lab.until("they run", |region| region.instances().iter().all(|instance| instance.ec2.to_string() == "running")).await;
    let targets: Vec<_> = lab.members("etcd").into_iter().map(|id| (id, None)).collect();
    let other = targets[1].0.clone();
    let arn = lab.server.region().with(|region, now| {
        let mut api = region.api(&Caller::Operator, now);
        let arn = api.create_target_group("web", 80);
        api.register_targets(&arn, &targets).unwrap();
        arn
    });
    (lab, arn, other)
}

fn look<T>(lab: &Lab, arn: &TargetGroupArn, at: impl FnOnce(&TargetGroup) -> T) -> T {
    at(lab.server.region().lock().target_group(arn).unwrap())
}

#[tokio::test]
async fn an_instance_is_taken_out_by_itself_and_the_others_stay() {
    let (lab, arn, other) = registered().await;
    let adapter = lab.load_balancing().await;
    assert_eq!(adapter.deregister(&arn, &lab.me).await, Outcome::Done);
    assert_eq!(look(&lab, &arn, |group| (group.has(&lab.me), group.has(&other))), (false, true));
    assert_eq!(look(&lab, &arn, |group| group.deregistered[0].by.clone()), Caller::Instance(lab.me.clone()));
    // A second call changes nothing: after a restart the agent does not know that it made the first.
    assert_eq!(adapter.deregister(&arn, &lab.me).await, Outcome::Done);
    assert_eq!(look(&lab, &arn, |group| (group.targets.len(), group.deregistered.len())), (1, 1));
}

#[tokio::test]
async fn a_missing_target_group_is_a_refusal_that_names_call_group_and_remedy() {
    let (lab, arn, _) = registered().await;
    let outcome = lab.load_balancing().await.deregister(&MISSING.into(), &lab.me).await;
    let Outcome::Refused(words) = outcome else { panic!("{outcome:?}") };
    for wanted in ["elasticloadbalancing:DeregisterTargets", "TargetGroupNotFound", "correct aws.target_groups", MISSING] {
        assert!(words.contains(wanted), "{wanted} is not in: {words}");
    }
    assert!(look(&lab, &arn, |group| group.has(&lab.me)));
}

#[tokio::test]
async fn a_missing_permission_names_the_action_to_allow_and_the_group() {
    let (lab, arn, _) = registered().await;
    let message = format!("User: role is not authorized to perform: elasticloadbalancing:DeregisterTargets on resource: {arn}");
    lab.api_fault(DEREGISTER, Fault::Refuse(ApiError::new("AccessDenied", message)));
    let outcome = lab.load_balancing().await.deregister(&arn, &lab.me).await;
    let Outcome::Refused(words) = outcome else { panic!("{outcome:?}") };
    assert!(words.contains("allow elasticloadbalancing:DeregisterTargets in the policy") && words.contains(arn.as_str()), "{words}");
}

#[tokio::test]
async fn no_call_is_made_twice_behind_the_plans_back() {
    for fault in [Fault::Throttle, Fault::ServerError, Fault::HangUp, Fault::Status(502)] {
        let (lab, arn, _) = registered().await;
        let rule = lab.api_fault(DEREGISTER, fault.clone());
        let outcome = lab.load_balancing().await.deregister(&arn, &lab.me).await;
        let is_throttled = fault == Fault::Throttle;
        assert_eq!(matches!(&outcome, Outcome::Refused(words) if words.contains("Rate exceeded")), is_throttled, "{outcome:?}");
        assert_eq!(matches!(&outcome, Outcome::Unclear(words) if words.contains(arn.as_str())), !is_throttled, "{outcome:?}");
        assert_eq!((lab.struck(rule), look(&lab, &arn, |group| group.has(&lab.me))), (1, true), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_unclear_and_asking_again_is_accepted() {
    let (lab, arn, _) = registered().await;
    lab.api_fault_times(DEREGISTER, Fault::LoseAnswer, 1);
    let adapter = lab.load_balancing().await;
    let outcome = adapter.deregister(&arn, &lab.me).await;
    assert!(matches!(outcome, Outcome::Unclear(_)), "{outcome:?}");
    assert!(!look(&lab, &arn, |group| group.has(&lab.me)));
    assert_eq!(adapter.deregister(&arn, &lab.me).await, Outcome::Done);
    assert_eq!(lab.calls(Call::DeregisterTargets), 2);
}

#[tokio::test]
async fn a_silent_service_holds_nobody_up_for_longer_than_a_call_may_take() {
    let (lab, arn, _) = registered().await;
    lab.api_fault(DEREGISTER, Fault::Delay(20 * PATIENCE));
    let adapter = lab.load_balancing().await;
    let outcome = tokio::time::timeout(3 * PATIENCE, adapter.deregister(&arn, &lab.me)).await.expect("the limit did not hold");
    assert!(matches!(&outcome, Outcome::Unclear(text) if text.contains("timeout")), "{outcome:?}");
}
