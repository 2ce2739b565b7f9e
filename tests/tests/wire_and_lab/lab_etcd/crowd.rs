//! Strangers that connect to every listener of an agent, and say nothing or never finish: the agent sees and answers as before.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_lab::bench::idle::crowd::{Crowd, Door};
use quorate_lab::lab::LISTEN;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::asked::get;
use super::group::Group;

/// The descriptors that the agent may have open: fewer than the strangers of one listener, and more than it lets in at all of them.
const DESCRIPTORS: u64 = 512;
const IDLE: usize = 500;
const SLOW: usize = 100;
/// How often everything is asked.
const ROUNDS: usize = 8;

/// This process holds the strangers' side.
fn descriptors(pid: i32) -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    prlimit(Pid::from_raw(pid), Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum })?;
    Ok(())
}

/// The value of a metric.
fn value(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[tokio::test]
async fn strangers_do_not_blind_an_agent() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let instance = group.live().remove(0);
    let address = group.lab.address(&instance)?;
    descriptors(group.lab.agent_process(&instance).context("no agent runs")?.pid)?;
    let crowd = Crowd::gather(&Door::all(address, group.lab.disk(&instance).join("run/quorate.sock")), IDLE, SLOW).await;
    let mut last = 0.0;
    for _ in 0..ROUNDS {
        for (port, path) in [(LISTEN.peers, "/v1/peer"), (LISTEN.health, "/readyz"), (LISTEN.metrics, "/metrics")] {
            let (status, body) = get(address, port, path).await.with_context(|| format!("{path} is not answered"))?;
            ensure!(status == 200, "{path}: {status} {body}");
            if let Some(cycle) = value(&body, "quorate_last_cycle_timestamp_seconds ") {
                ensure!(cycle > last, "no cycle has ended since the last question");
                last = cycle;
            }
        }
        let status = group.lab.status(&instance).await?;
        ensure!(status["phase"] == "voter", "{status}");
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let open = crowd.open();
    // Those that were turned away come back, and no further ones are let in.
    ensure!(u64::try_from(open)? < DESCRIPTORS, "{open} strangers are connected");
    let (_, metrics) = get(address, LISTEN.metrics, "/metrics").await?;
    for listener in ["peers", "health", "metrics", "control"] {
        let crowded = value(&metrics, &format!("quorate_connections_closed_total{{listener=\"{listener}\",reason=\"crowded\"}} "));
        ensure!(crowded.is_some_and(|crowded| crowded > 0.0), "{listener}: {crowded:?} in\n{metrics}");
    }
    let log = group.lab.log(&instance);
    let said = log.lines().filter(|line| line.contains("the listener for ")).count();
    ensure!(said <= 4, "the journal heard of it {said} times:\n{log}");
    drop(crowd);
    group.settled(1, None).await
}
