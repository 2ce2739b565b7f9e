//! Restores of a control plane that do not go as they should.

use std::time::Duration;

use quorate_core::ids::InstanceId;
use quorate_lab::lab::distribution;
use rustix::process::Signal;

use super::loss::{comes_back, save, servers_die};
use super::plane::{CLUSTER, LIMIT, Plane};

/// A half-finished restore of its k3s is put aside and done again under another claim: the earlier one belonged to an agent that has ended.
#[tokio::test]
async fn a_restore_that_is_cut_short_is_done_anew() -> anyhow::Result<()> {
    comes_back(1, 3, async |plane| {
        let half = || async {
            let db = |server: &InstanceId| distribution::data_dir(&plane.lab.disk(server)).join("server/db");
            let restores = |server: &InstanceId| db(server).join("etcd.unproved").exists() && db(server).join("etcd/member").exists();
            plane.lab.live(&plane.servers).into_iter().find(restores).ok_or("not yet".to_owned())
        };
        let server = plane.lab.until(LIMIT, "a restore to be under way", half).await?;
        plane.lab.kill_agent(&server, Signal::KILL).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        plane.lab.start_agent(&server).await
    })
    .await
    .map(drop)
}

/// The token from the snapshot's time is missing: nothing is founded, and the agent says so.
#[tokio::test]
async fn without_its_token_a_snapshot_is_not_restored_and_nothing_is_founded() -> anyhow::Result<()> {
    let plane = Plane::of(1, 0).await?;
    save(&plane).await?;
    plane.lab.change_settings(|settings| settings.text("kubernetes.token_file", "/proc/sys/kernel/ostype"));
    servers_die(&plane).await?;
    let refused = || async {
        let log = plane.lab.live(&plane.servers).first().map(|server| plane.lab.log(server)).unwrap_or_default();
        if log.contains("encrypted with different token") { Ok(()) } else { Err(log) }
    };
    plane.lab.until(LIMIT, "the refusal", refused).await?;
    let records = plane.lab.charter(CLUSTER)?;
    assert!(records.iter().all(|record| record["generation"] == 1 || record["state"]["is"] != "established"), "{records:#?}");
    Ok(())
}
