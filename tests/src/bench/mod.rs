//! The benchmarks. [`idle`] is about strangers' connections; the rest is about snapshots: how quick they are beside `etcdctl snapshot save`, and how much
//! memory they take.
//!
//! Both sides read the same member's stream and end with every byte on the same disk: etcdctl syncs its file before it renames it, and so does the
//! store of files, which also syncs the directory. Quorate does more on the way: it finds out its identity, lists the store, hashes every byte, reads the
//! revision back and writes a manifest. All of that is in its time, because whole commands are timed.

mod agent;
mod fill;
pub mod idle;
mod memory;
mod report;
mod rounds;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;

use crate::demo::timeline::Timeline;
use crate::lab::url::http;
use crate::lab::{AgentSettings, Lab, LabOptions, Store, binaries};
use report::Figures;

/// The cluster's name.
const CLUSTER: &str = "bench";
/// Until one member serves.
const START: Duration = Duration::from_secs(60);
/// No lifecycle action is open for as long.
const HOOK: Duration = Duration::from_secs(120);

/// What the benchmark is run with.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// How large the database is made, in MiB.
    pub mib: u64,
    /// How often each side takes one.
    pub rounds: u8,
    /// Where Quorate's go.
    pub store: Store,
    /// etcd.
    pub etcd: Option<PathBuf>,
    /// On the disk that is written to.
    pub directory: PathBuf,
    /// Where the figures are written as JSON.
    pub json: Option<PathBuf>,
}

/// One member with its agent.
struct Scene {
    lab: Lab,
    instance: InstanceId,
    etcdctl: PathBuf,
}

impl Scene {
    fn endpoint(&self) -> anyhow::Result<String> {
        Ok(http(self.lab.address(&self.instance)?, 2379))
    }
}

/// Runs the benchmark; returns whether the promises held.
///
/// # Errors
/// It could not be run to its end.
pub async fn run(options: BenchOptions) -> anyhow::Result<bool> {
    let timeline = Timeline::begin(false);
    let directory = usable(&options.directory).with_context(|| format!("cannot use {}", options.directory.display()))?;
    let options = BenchOptions { directory, ..options };
    let etcd = binaries::etcd(options.etcd.as_deref())?;
    let scene = scene(&options, &etcd).await?;
    timeline.tell(format_args!("one member of etcd {} serves, with its agent", binaries::etcd_version(&etcd).await?));
    let size = timeline.during("filling", String::new, fill::fill(&scene.endpoint()?, options.mib)).await?;
    timeline.tell(format_args!("its database has {} MiB of incompressible values", size >> 20));
    let rounds = timeline.during("taking turns", String::new, rounds::play(&scene, options.rounds, &timeline)).await?;
    let agent = timeline.during("the agent's own", String::new, agent::watch(&scene)).await?;
    timeline.tell(format_args!("the agent took {} by itself", agent.seconds.len()));
    let figures = Figures::of(binaries::etcd_version(&etcd).await?, options.store, &rounds, agent)?;
    crate::output::print(figures.table())?;
    if let Some(path) = &options.json {
        crate::output::json(path, &figures)?;
    }
    Ok(figures.held)
}

/// The agent's own paths are absolute.
fn usable(directory: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(directory)?;
    directory.canonicalize()
}

async fn scene(options: &BenchOptions, etcd: &Path) -> anyhow::Result<Scene> {
    // Each write is in etcd's log too, and its own snapshots are as large as the database.
    let settings = AgentSettings::defaults().number("etcd.quota_backend_mib", options.mib * 2 + 256);
    let lab = LabOptions { settings, store: options.store, directory: Some(options.directory.clone()), ..LabOptions::new(Some(etcd))? };
    let (lab, instance) = one_member(lab).await?;
    Ok(Scene { lab, instance, etcdctl: binaries::etcdctl(etcd)? })
}

/// A lab with one member that serves.
async fn one_member(options: LabOptions) -> anyhow::Result<(Lab, InstanceId)> {
    let lab = Lab::start(options).await?;
    let group = lab.create_group(lab.group("etcd", CLUSTER, 1, HOOK))?;
    lab.until_in_service(&group, 1, START).await?;
    let instance = lab.until_whole(&group, 1, START).await?.into_keys().next().context("nobody serves")?;
    Ok((lab, instance))
}
