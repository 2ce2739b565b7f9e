//! The benchmark of strangers: what connections that say nothing, or never finish what they say, take from an agent.
//!
//! One member with its agent. Quiet and crowded rounds take turns; in a crowded one each of the agent's four listeners has its strangers, from many addresses.
//! The agent reports how long its looks take, on `/metrics`; its memory is as the kernel reports it.

pub mod crowd;
mod figures;
mod gauge;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::{interval, sleep};

use super::{memory, one_member};
use crate::demo::timeline::Timeline;
use crate::lab::{AgentSettings, Lab, LabOptions, binaries};
use crowd::{Crowd, Door};
use figures::{Figures, Round};
use gauge::Gauge;

/// Of the agent: enough looks in one round.
const CYCLE_S: f64 = 0.25;
/// What systemd gives a service that does not say how many descriptors it needs.
const OF_AN_AGENT: u64 = 1024;
/// Until the agent is at rest, and until strangers are in place or gone.
const REST: Duration = Duration::from_secs(3);
/// Between two questions that a genuine caller asks.
const ASK: Duration = Duration::from_millis(500);

/// What the benchmark is run with.
#[derive(Clone, Debug)]
pub struct IdleOptions {
    /// Connections that say nothing, to each listener.
    pub idle: usize,
    /// Connections whose request never comes to its end, to each listener.
    pub slow: usize,
    /// Rounds, quiet and crowded each.
    pub rounds: u8,
    /// How long one takes.
    pub seconds: u64,
    /// etcd.
    pub etcd: Option<PathBuf>,
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
}

struct Scene {
    lab: Lab,
    instance: InstanceId,
    gauge: Gauge,
    doors: Vec<Door>,
}

/// Runs the benchmark; returns whether the promises held.
///
/// # Errors
/// It could not be run to its end.
pub async fn run(options: IdleOptions) -> anyhow::Result<bool> {
    let timeline = Timeline::begin(false);
    let etcd = binaries::etcd(options.etcd.as_deref())?;
    let all = getrlimit(Resource::Nofile).maximum;
    descriptors(Some(OF_AN_AGENT))?;
    let scene = scene(&etcd).await?;
    timeline.tell(format_args!("one member of etcd {} serves, with its agent", binaries::etcd_version(&etcd).await?));
    descriptors(all)?;
    sleep(REST).await;
    let pid = scene.lab.agent_process(&scene.instance).context("no agent runs")?.pid;
    memory::forget_peak(pid)?;
    let before_kib = memory::now(pid)?;
    let (mut quiet, mut crowded) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        quiet.push(round(&scene, &options).await?);
        let crowd = Crowd::gather(&scene.doors, options.idle, options.slow).await;
        sleep(REST).await;
        let made = crowd.made();
        let mut round = round(&scene, &options).await?;
        round.crowd(crowd.open(), crowd.made() - made);
        timeline.tell(format_args!("quiet {}, crowded {round}", quiet[quiet.len() - 1]));
        crowded.push(round);
        drop(crowd);
        sleep(REST).await;
    }
    let figures = Figures::of(&options, quiet, crowded, before_kib, memory::peak(pid)?);
    print!("{}", figures.table());
    if let Some(path) = &options.json {
        crate::output::json(path, &figures)?;
    }
    Ok(figures.held)
}

async fn scene(etcd: &Path) -> anyhow::Result<Scene> {
    let settings = AgentSettings::defaults().number("timing.cycle_s", CYCLE_S);
    let (lab, instance) = one_member(LabOptions { settings, ..LabOptions::new(Some(etcd))? }).await?;
    let (address, socket) = (lab.address(&instance)?, lab.disk(&instance).join("run/quorate.sock"));
    let (gauge, doors) = (Gauge::new(address, &socket)?, Door::all(address, socket));
    Ok(Scene { lab, instance, gauge, doors })
}

/// How many this process may have open from now on, and what it starts.
fn descriptors(current: Option<u64>) -> anyhow::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).context("cannot set the limit of descriptors")
}

/// What an agent does meanwhile, and whether genuine callers are answered.
async fn round(scene: &Scene, options: &IdleOptions) -> anyhow::Result<Round> {
    let before = scene.gauge.looks().await;
    let (mut ticks, mut round) = (interval(ASK), Round::default());
    let until = tokio::time::Instant::now() + Duration::from_secs(options.seconds);
    while tokio::time::Instant::now() < until {
        ticks.tick().await;
        round.take(scene.gauge.ask().await);
    }
    round.looks = match (before, scene.gauge.looks().await) {
        (Some(before), Some(after)) => Some(after.since(before)),
        _ => None,
    };
    Ok(round)
}
