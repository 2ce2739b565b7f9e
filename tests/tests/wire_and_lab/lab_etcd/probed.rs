//! A health check that ends instances, as EC2's application status checks and load balancers do, while quorum is lost.

use std::collections::BTreeSet;

use quorate_core::ids::InstanceId;
use quorate_lab::lab::{LISTEN, Lab, LabOptions};
use quorate_lab::region::{ApplicationCheck, Health, LifecycleState, Tag};
use rustix::process::Signal;

use super::asked::get;
use super::group::{CLUSTER, Group, HOOK, LIMIT};

/// In a row, before EC2 calls an instance impaired.
const FAILURES: usize = 3;

/// The instances that fail a probe of this path each time.
async fn impaired(group: &Group, path: &str) -> anyhow::Result<BTreeSet<InstanceId>> {
    let mut impaired: BTreeSet<InstanceId> = group.live().into_iter().collect();
    for _ in 0..FAILURES {
        for instance in group.live() {
            if get(group.lab.address(&instance)?, LISTEN.health, path).await?.0 == 200 {
                impaired.remove(&instance);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    Ok(impaired)
}

/// Two of three members freeze: the cluster waits, and nothing is lost.
async fn lose_quorum(group: &Group) -> anyhow::Result<Vec<quorate_lab::lab::processes::Process>> {
    let two = group.live().into_iter().take(2);
    let frozen = two.map(|instance| group.lab.etcd_process(&instance).ok_or_else(|| anyhow::anyhow!("no etcd runs on {instance}")));
    let frozen = frozen.collect::<anyhow::Result<Vec<_>>>()?;
    frozen.iter().for_each(|etcd| etcd.signal(Signal::STOP));
    let all = || async {
        let impaired = impaired(group, "/readyz").await.map_err(|error| error.to_string())?;
        if impaired.len() == 3 { Ok(()) } else { Err(format!("only {impaired:?} are not ready")) }
    };
    group.lab.until(LIMIT, "no member to be ready", all).await?;
    Ok(frozen)
}

fn states(group: &Group) -> Vec<LifecycleState> {
    group.lab.region().with(|region, _| region.instances().iter().map(|instance| instance.lifecycle).collect())
}

/// Pointed at `/readyz` such a check would end all three instances of a cluster that only waits, and all of its data with them. `quorate check` and each agent
/// warn of it. Pointed at `/livez` it ends nobody, and the cluster goes on.
#[tokio::test]
async fn a_check_of_readiness_would_end_a_cluster_that_only_waits_and_one_of_life_ends_nobody() -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    let group = Group::launched_as(lab, 3, HOOK, |mut spec| {
        spec.health_checks = "EC2,ELB".into();
        spec
    })?;
    group.settled(3, None).await?;
    let (id, path, tag) = ("asc-ready", "/readyz", Tag::new("quorate:cluster", CLUSTER));
    let check = ApplicationCheck { id, path, port: LISTEN.health, included: true, tag };
    group.lab.region().with(|region, _| region.add_application_check(check));
    let writer = group.write()?;
    group.until_written(&writer, 10).await?;

    let frozen = lose_quorum(&group).await?;
    for instance in group.live() {
        let (_, report) = group.lab.check(&instance).await?;
        let report = report.to_string();
        anyhow::ensure!(report.contains("/readyz on port 2377 (asc-ready)") && report.contains("what ELB calls unhealthy"), "{report}");
        anyhow::ensure!(group.lab.log(&instance).contains("terminates what ELB calls unhealthy: point that health check at /livez"));
    }
    assert_eq!(impaired(&group, "/livez").await?, BTreeSet::new());
    assert_eq!(states(&group), [LifecycleState::InService; 3]);
    frozen.iter().for_each(|etcd| etcd.signal(Signal::CONT));
    group.settled(3, Some(&writer.stop().await)).await?;

    // The same again with a group that believes the check of /readyz.
    lose_quorum(&group).await?;
    let all = impaired(&group, "/readyz").await?;
    all.iter().try_for_each(|one| group.lab.operator(|api| api.set_instance_health(one, Health::Unhealthy)))?;
    let ends = || async {
        let ended =
            |one: &InstanceId| group.lab.region().with(|r, _| r.instance(one).is_none_or(|i| i.lifecycle != LifecycleState::InService));
        if all.iter().all(ended) { Ok(()) } else { Err(format!("{:?}", states(&group))) }
    };
    group.lab.until(LIMIT, "the group to terminate all three", ends).await
}
