//! Quorum is lost for good and one server is left: the cluster continues from its own data, or from a snapshot, under workers that never notice.

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_lab::lab::LabOptions;
use serde_json::Value;

use super::loss::{authority, kept, nothing_of_the_dead, pods, put, run_pods, save, state, until_running};
use super::plane::{CLUSTER, LIMIT, Plane};

/// Three servers with a snapshot after 30 keys and 20 more after it, and two workers with pods; then two servers die at once, with their disks. Returns
/// those two, and the one that is left.
async fn two_of_three_die(options: LabOptions) -> anyhow::Result<(Plane, Vec<InstanceId>, InstanceId)> {
    let plane = Plane::with(options, 3, 2).await?;
    run_pods(&plane);
    until_running(&plane, 6).await?;
    put(&plane, 0..30).await?;
    save(&plane).await?;
    put(&plane, 30..50).await?;
    let survivor = plane.lab.leader(&plane.servers).await?;
    let dead: Vec<InstanceId> = plane.lab.live(&plane.servers).into_iter().filter(|server| *server != survivor).collect();
    dead.iter().for_each(|server| plane.lab.hard_kill(server));
    Ok((plane, dead, survivor))
}

/// Waits until the remaining server asks for an operator. It changes nothing on its own.
async fn until_halted(plane: &Plane, survivor: &InstanceId) -> anyhow::Result<()> {
    let halts = |status: &Value| status["needs_operator"] == true && status["message"].to_string().contains("1 of 3 voters");
    plane.lab.until_status(survivor, LIMIT, "the survivor to ask for an operator", halts).await.map(drop)
}

/// Gives the order once `quorate recover` says that it would be begun at once.
async fn order(plane: &Plane, survivor: &InstanceId, way: &[&str]) -> anyhow::Result<()> {
    plane.lab.until_recoverable(survivor, way[0], LIMIT).await?;
    plane.lab.quorate(survivor, &[&["recover"], way, &["--cluster", CLUSTER]].concat()).await.map(drop)
}

/// The required result: this number of keys, the same authority, the workers' pods untouched, two replacements, and nothing of the dead.
async fn comes_back(
    options: LabOptions,
    from: &str,
    keys: usize,
    during: impl AsyncFnOnce(&Plane, &InstanceId) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (plane, dead, survivor) = two_of_three_die(options).await?;
    let (before, ca, running) = (state(&plane), authority(&plane)?, pods(&plane));
    anyhow::ensure!(!running.is_empty(), "no pod runs on a worker");
    during(&plane, &survivor).await?;
    plane.settled_as(2, 3, 2, None).await?;
    assert_eq!(kept(&plane).await?, keys);
    assert_eq!(authority(&plane)?, ca);
    assert!(plane.lab.live(&plane.servers).contains(&survivor));
    nothing_of_the_dead(&plane, &dead, &running);
    assert_eq!(state(&plane).into_keys().collect::<Vec<_>>(), before.into_keys().collect::<Vec<_>>());
    let records = plane.lab.charter(CLUSTER)?;
    let last = records.iter().rfind(|record| record["state"]["is"] == "established").context("nothing is established")?;
    assert_eq!(last["origin"]["from"], from, "{last:#}");
    put(&plane, keys..keys + 5).await
}

#[tokio::test]
async fn one_of_three_goes_on_from_its_own_data_when_an_operator_says_so() -> anyhow::Result<()> {
    comes_back(LabOptions::quick()?, "survivor", 50, async |plane, survivor| {
        until_halted(plane, survivor).await?;
        let workers = state(plane);
        order(plane, survivor, &["--survivor"]).await?;
        assert_eq!(state(plane), workers, "a worker was touched while no API server answered");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_of_three_gives_its_data_up_for_a_snapshot_when_an_operator_says_so() -> anyhow::Result<()> {
    comes_back(LabOptions::quick()?, "snapshot", 30, async |plane, survivor| {
        until_halted(plane, survivor).await?;
        order(plane, survivor, &["--snapshot", "newest"]).await
    })
    .await
}

#[tokio::test]
async fn one_of_three_goes_on_by_itself_under_policy_any() -> anyhow::Result<()> {
    let options = LabOptions::quick()?.set(|settings| settings.text("policy.recovery", "any"));
    comes_back(options, "survivor", 50, async |_, _| Ok(())).await
}
