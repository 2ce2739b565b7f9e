//! No API server answers: workloads on workers never notice.

use std::time::Duration;

use quorate_lab::lab::processes;
use rustix::process::Signal;
use tokio::time::sleep;

use super::loss::state;
use super::plane::Plane;

/// While the servers are frozen no worker's agent touches its unit, its files, its pods or its Node; and it asks AWS for servers, and for nothing else.
#[tokio::test]
async fn a_worker_does_nothing_while_the_control_plane_is_away() -> anyhow::Result<()> {
    const AWAY: Duration = Duration::from_secs(15);
    let plane = Plane::of(3, 2).await?;
    let before = state(&plane);
    let servers = plane.lab.live(&plane.servers);
    let frozen: Vec<_> = servers.iter().flat_map(|server| processes::under(&plane.lab.disk(server))).collect();
    frozen.iter().for_each(|process| process.signal(Signal::STOP));
    sleep(AWAY).await;
    let meanwhile = state(&plane);
    frozen.iter().for_each(|process| process.signal(Signal::CONT));
    assert_eq!(meanwhile, before, "a worker was touched");
    for worker in plane.lab.live(&plane.workers) {
        let log = plane.lab.log(&worker);
        assert!(log.contains("no server answers"), "{worker} did not notice:\n{log}");
    }
    plane.settled(3, 2, None).await?;
    assert_eq!(state(&plane).into_keys().collect::<Vec<_>>(), before.into_keys().collect::<Vec<_>>());
    Ok(())
}
