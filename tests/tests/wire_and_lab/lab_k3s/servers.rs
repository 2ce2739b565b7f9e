//! Servers come, go, die and are rolled.

use quorate_lab::lab::LabOptions;
use quorate_lab::lab::witness::Witness;
use quorate_lab::region::RefreshPreferences;

use super::loss::in_order;
use super::plane::{CLUSTER, LIMIT, Plane};

#[tokio::test]
async fn three_servers_and_two_workers_form_one_cluster() -> anyhow::Result<()> {
    let plane = Plane::launched_with(LabOptions::quick()?, 3, 2).await?;
    let witness = Witness::of(&plane.lab);
    plane.settled(3, 2, None).await?;
    let seen = witness.sightings();
    assert_eq!((seen.clusters.len(), seen.voting_since.len()), (1, 3), "{seen:?}");
    Ok(())
}

/// By its Node's annotation, with the unit kept down and the Node gone; no write is lost.
#[tokio::test]
async fn a_server_that_its_group_terminates_leaves_in_order() -> anyhow::Result<()> {
    let plane = Plane::of(3, 0).await?;
    let writer = plane.lab.write_to_servers(&plane.servers, "/load/")?;
    let leader = plane.lab.leader(&plane.servers).await?;
    plane.replace(&leader)?;
    plane.lab.until_gone(&leader, LIMIT).await?;
    let log = plane.lab.log(&leader);
    plane.settled(3, 0, Some(&writer.stop().await)).await?;
    in_order(
        &log,
        &[
            "drains its node",
            "hands the leadership",
            "asks its distribution to remove member",
            "moves its data to the trash",
            "deletes its Node",
            "completes hook",
        ],
    );
    Ok(())
}

#[tokio::test]
async fn two_servers_terminated_at_once_leave_one_after_the_other() -> anyhow::Result<()> {
    let plane = Plane::of(3, 1).await?;
    let writer = plane.lab.write_to_servers(&plane.servers, "/load/")?;
    let live = plane.lab.live(&plane.servers);
    live[..2].iter().try_for_each(|instance| plane.replace(instance))?;
    for instance in &live[..2] {
        plane.lab.until_gone(instance, LIMIT).await?;
    }
    plane.settled(3, 1, Some(&writer.stop().await)).await
}

/// It cannot join on its own, and only the leader may let it in: it makes itself known by asking.
#[tokio::test]
async fn a_new_server_is_let_in_by_a_leader_that_hardly_asks_aws() -> anyhow::Result<()> {
    let plane = Plane::with(LabOptions::quick()?.set(|settings| settings.number("timing.aws_cadence_s", 3600)), 3, 0).await?;
    plane.lab.operator(|api| api.set_desired_capacity(&plane.servers, 4))?;
    plane.settled(4, 0, None).await
}

#[tokio::test]
async fn every_server_is_replaced_under_load() -> anyhow::Result<()> {
    let plane = Plane::of(3, 1).await?;
    let writer = plane.lab.write_to_servers(&plane.servers, "/load/")?;
    let before = plane.lab.live(&plane.servers);
    plane.lab.refresh(&plane.servers, RefreshPreferences::launch_before_terminate(), LIMIT * 3).await?;
    plane.settled(3, 1, Some(&writer.stop().await)).await?;
    let after = plane.lab.live(&plane.servers);
    assert!(!before.iter().any(|instance| after.contains(instance)), "{before:?} became {after:?}");
    Ok(())
}

/// The same member comes back, and its Node takes pods again.
#[tokio::test]
async fn a_reboot_keeps_the_server() -> anyhow::Result<()> {
    let plane = Plane::of(3, 0).await?;
    let leader = plane.lab.leader(&plane.servers).await?;
    let (before, pid) = (plane.lab.member_ids(&plane.servers, 3, LIMIT).await?, plane.k3s(&leader));
    plane.lab.operator(|api| api.reboot_instances(std::slice::from_ref(&leader)))?;
    let restarted = || async {
        let now = plane.k3s(&leader);
        if now.is_some() && now != pid { Ok(()) } else { Err(format!("k3s is {now:?}, was {pid:?}")) }
    };
    plane.lab.until(LIMIT, "k3s to be started again", restarted).await?;
    plane.settled(3, 0, None).await?;
    assert_eq!(plane.lab.member_ids(&plane.servers, 3, LIMIT).await?, before);
    let unschedulable = plane.lab.node(CLUSTER, &leader).and_then(|node| node["spec"]["unschedulable"].as_bool());
    assert_ne!(unschedulable, Some(true), "it stays cordoned");
    Ok(())
}
