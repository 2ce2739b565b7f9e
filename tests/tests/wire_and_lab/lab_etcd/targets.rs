//! Target groups with which the operator registers the instances: they are deregistered before the hook is completed, and nothing waits for that.

use std::time::Duration;

use super::group::{Group, HOOK, LIMIT};
use anyhow::Context;
use quorate_core::ids::{InstanceId, TargetGroupArn};
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::{ActionResult, Call, Caller, LifecycleAction, Transition};
use quorate_lab::wire::{Fault, Rule, Scope};

/// An ARN that does not exist, as after somebody deleted the target group.
const MISSING: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/deleted/0123456789abcdef";

/// More calls than an agent makes in one leave for one target group.
const CALLS: u64 = 5;

/// Three members, all of them targets of one group, and configured to leave it and the one that is missing.
async fn registered() -> anyhow::Result<(Group, TargetGroupArn)> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    let arn = lab.operator(|api| api.create_target_group("clients", 2379));
    lab.change_settings(|settings| settings.raw("aws.target_groups", format!("[{MISSING:?}, {:?}]", arn.as_str())));
    let group = Group::launched(lab, 3)?;
    group.settled(3, None).await?;
    let targets: Vec<_> = group.live().into_iter().map(|id| (id, None)).collect();
    group.lab.operator(|api| api.register_targets(&arn, &targets))?;
    Ok((group, arn))
}

fn termination(group: &Group, instance: &InstanceId) -> anyhow::Result<LifecycleAction> {
    let region = group.lab.region().lock();
    let of = |action: &&LifecycleAction| action.instance == *instance && action.transition == Transition::Terminating;
    region.actions().iter().find(of).cloned().context("it has no termination action")
}

fn calls(group: &Group, instance: &InstanceId) -> u64 {
    group.lab.region().lock().calls().of(&Caller::Instance(instance.clone()), Call::DeregisterTargets)
}

#[tokio::test]
async fn a_terminated_member_is_no_target_any_more_before_its_hook_is_completed() -> anyhow::Result<()> {
    let (group, arn) = registered().await?;
    let leaver = group.lab.leader(&group.name).await?;
    let others: Vec<_> = group.live().into_iter().filter(|one| *one != leaver).collect();
    let would = group.lab.status(&leaver).await?["if_terminated"].to_string();
    assert!(would.contains("leav") && !would.contains("target group"), "{would}");
    group.replace(&leaver)?;
    group.whole_without(&leaver, 3).await?;

    let ending = termination(&group, &leaver)?.ending.context("its hook is open")?;
    let found = group.lab.region().lock().target_group(&arn).cloned().context("there is no target group")?;
    let gone: Vec<_> = found.deregistered.iter().map(|gone| (&gone.target.instance, &gone.by)).collect();
    assert_eq!(gone, [(&leaver, &Caller::Instance(leaver.clone()))]);
    assert!(found.deregistered[0].at < ending.at, "it was a target when its hook was completed");
    assert_eq!(others.iter().filter(|one| found.has(one)).count(), 2, "{found:?}");
    // The missing one was called a few times, and did not keep the other from being called.
    let asked = calls(&group, &leaver);
    assert!((2..=CALLS + 1).contains(&asked), "{asked} calls");
    let log = group.lab.log(&leaver);
    assert!(log.contains("TargetGroupNotFound") && log.contains(MISSING), "{log}");
    assert_eq!(others.iter().map(|one| calls(&group, one)).sum::<u64>(), 0);
    Ok(())
}

/// The service accepts every call and answers none. The leave ends in the time that its hook gives it without a single heartbeat.
#[tokio::test]
async fn a_load_balancer_that_never_answers_holds_up_no_leave() -> anyhow::Result<()> {
    let (group, arn) = registered().await?;
    let rule = group.lab.faults().add(Rule::new(Scope::action("DeregisterTargets"), Fault::Delay(Duration::from_secs(600))));
    let leaver = group.lab.followers(&group.name).await?.remove(0);
    group.lab.operator(|api| api.terminate_in_group(&leaver, true))?;
    group.lab.until_gone(&leaver, LIMIT).await?;
    let action = termination(&group, &leaver)?;
    let ending = action.ending.clone().context("its hook is open")?;
    assert_eq!((action.completed(), ending.by), (Some(ActionResult::Continue), Some(Caller::Instance(leaver.clone()))));
    assert!(ending.at < action.opened_at + HOOK, "it took {:?}", ending.at.since(action.opened_at));
    let struck = u64::from(group.lab.faults().struck(rule));
    assert!((2..=CALLS * 2).contains(&struck), "{struck} calls");
    assert!(group.lab.region().lock().target_group(&arn).is_some_and(|found| found.has(&leaver)));
    group.settled(2, None).await
}
