//! The demo of a control plane: servers and workers of k3s, rolled under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::GroupName;
use quorate_core::role::Role;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::load::{Load, Watch};
use super::timeline::{Timeline, seconds};
use super::verdict::{self, Kind, Promise, safety, timing};
use super::{DemoOptions, settings};
use crate::kubernetes::{ClusterHandle, PodSpec, Resource, budget, workload};
use crate::lab::kubernetes::ClusterGroups;
use crate::lab::witness::Witness;
use crate::lab::writer::{Label, Writer};
use crate::lab::{Lab, LabOptions, binaries};
use crate::region::RefreshPreferences;

const CLUSTER: &str = "demo";
const WORKERS: usize = 2;
/// Pods of the application, and how many its disruption budget wants to run at any time.
const PODS: u32 = 6;
const AVAILABLE: usize = 4;
/// No act may take longer; only a failure comes near it.
const LIMIT: Duration = Duration::from_secs(240);
const HOOK_TIMEOUT: Duration = Duration::from_secs(60);
const GAP: Duration = Duration::from_secs(1);

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    servers: usize,
    workers: usize,
    formed_s: f64,
    servers_rolled_s: f64,
    workers_rolled_s: f64,
    killed_server_replaced_s: f64,
    acked_writes: usize,
    lost_writes: usize,
    gap_graceful_ms: u128,
    fewest_ready_pods: usize,
    cluster_ids: usize,
    actions_opened: usize,
    actions_timed_out: usize,
    strange_nodes: Vec<String>,
}

/// Runs it; returns whether its safety promises held, and if it is strict, whether all did.
///
/// # Errors
/// It could not be run to its end.
pub async fn run(options: &DemoOptions, timeline: &Timeline, watch: &Watch) -> anyhow::Result<bool> {
    let etcd = binaries::etcd(options.etcd.as_deref())?;
    let version = binaries::etcd_version(&etcd).await?;
    let size = usize::from(options.size);
    timeline.line(format_args!(
        "{size} servers and {WORKERS} workers of k3s, in a simulated region: a stand-in for k3s, with etcd {version} underneath."
    ));
    let lab = Lab::start(LabOptions { settings: settings(options), ..LabOptions::new(Some(&etcd))? }).await?;
    let figures = Plane::begin(&lab, size, timeline)?.play().await?;
    let (promises, machine) = (promises(&figures), watch.load()?);
    verdict::show(&promises, &machine, timeline);
    if let Some(path) = &options.json {
        let (safety_held, timing_held) = (verdict::held(&promises, Kind::Safety), verdict::held(&promises, Kind::Timing));
        crate::output::json(path, &Report { figures, safety_held, timing_held, machine })?;
    }
    Ok(verdict::passes(&promises, options.strict))
}

/// What was measured, and what it means.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    figures: Figures,
    safety_held: bool,
    timing_held: bool,
    machine: Load,
}

struct Plane<'a> {
    lab: &'a Lab,
    groups: ClusterGroups,
    size: usize,
    witness: Witness,
    timeline: &'a Timeline,
}

impl<'a> Plane<'a> {
    fn begin(lab: &'a Lab, size: usize, timeline: &'a Timeline) -> anyhow::Result<Self> {
        let group = |role, name, size| lab.create_group(lab.group_of(role, name, CLUSTER, size, HOOK_TIMEOUT));
        let servers = group(Role::ControlPlane, "servers", u32::try_from(size)?)?;
        let workers = group(Role::Worker, "workers", u32::try_from(WORKERS)?)?;
        let groups = ClusterGroups { cluster: CLUSTER.to_owned(), servers, workers };
        Ok(Self { lab, groups, size, witness: Witness::of(lab), timeline })
    }

    async fn play(&self) -> anyhow::Result<Figures> {
        let formed = self.timed("the servers vote and the workers are Ready", self.formed()).await?;
        let writer = self.lab.write_to_servers(&self.groups.servers, "/quorate-lab/")?;
        let pods = self.application().await?;
        self.timeline.tell(format_args!("a write load is on etcd, and {PODS} pods run of which {AVAILABLE} always shall"));
        let servers = self.timed("every server was replaced", self.refresh(&self.groups.servers)).await?;
        let workers = self.timed("every worker was replaced", self.refresh(&self.groups.workers)).await?;
        let killed = self.timed("a server that lost its hardware was replaced", self.kill(&writer)).await?;
        let written = writer.stop().await;
        let addresses: Vec<_> = self.lab.live(&self.groups.servers).iter().filter_map(|one| self.lab.address(one).ok()).collect();
        let lost = written.lost(&addresses).await?.len();
        let actions = self.lab.region().lock().action_statistics();
        Ok(Figures {
            servers: self.size,
            workers: WORKERS,
            formed_s: formed.as_secs_f64(),
            servers_rolled_s: servers.as_secs_f64(),
            workers_rolled_s: workers.as_secs_f64(),
            killed_server_replaced_s: killed.as_secs_f64(),
            acked_writes: written.acked(),
            lost_writes: lost,
            gap_graceful_ms: written.longest(Label::Graceful).map(|gap| gap.length).unwrap_or_default().as_millis(),
            fewest_ready_pods: pods.fewest(),
            cluster_ids: self.witness.sightings().clusters.len(),
            actions_opened: actions.opened,
            actions_timed_out: actions.timed_out,
            strange_nodes: self.lab.strange_nodes(&self.groups),
        })
    }

    async fn timed(&self, what: &str, act: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        self.timeline.during(what, String::new, act).await.with_context(|| what.to_owned())?;
        self.timeline.tell(format_args!("{what}, in {}", seconds(begin.elapsed())));
        Ok(begin.elapsed())
    }

    async fn formed(&self) -> anyhow::Result<()> {
        self.lab.until_plane(&self.groups, self.size, WORKERS, LIMIT).await
    }

    async fn application(&self) -> anyhow::Result<Pods> {
        let kubernetes = self.lab.kubernetes(CLUSTER);
        let made = kubernetes.with(|cluster, now| {
            let pod = PodSpec::new("web").grace(5).stops_after(Duration::from_millis(500));
            cluster.create(workload(Resource::ReplicaSets, "web", PODS, &pod), now)?;
            cluster.create(budget("web", "web", &json!({ "minAvailable": AVAILABLE })), now)
        });
        made.map_err(|status| anyhow::anyhow!("{status:?}"))?;
        let running = || async { if ready_pods(&kubernetes) == PODS as usize { Ok(()) } else { Err("not all run".to_owned()) } };
        self.lab.until(LIMIT, "the pods", running).await?;
        Ok(Pods::watch(kubernetes.clone()))
    }

    async fn refresh(&self, group: &GroupName) -> anyhow::Result<()> {
        let before = self.lab.live(group);
        self.lab.refresh(group, RefreshPreferences::launch_before_terminate(), LIMIT).await?;
        self.formed().await?;
        let after = self.lab.live(group);
        ensure!(!after.iter().any(|instance| before.contains(instance)), "the refresh kept one of {before:?}: {after:?}");
        Ok(())
    }

    async fn kill(&self, writer: &Writer) -> anyhow::Result<()> {
        let leader = self.lab.leader(&self.groups.servers).await?;
        writer.label(Label::Kill);
        self.lab.hard_kill(&leader);
        self.lab.until_gone(&leader, LIMIT).await?;
        self.formed().await?;
        writer.label(Label::Graceful);
        Ok(())
    }
}

/// Looks at the application's pods all the time.
struct Pods {
    fewest: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Pods {
    fn watch(kubernetes: ClusterHandle) -> Self {
        let fewest = Arc::new(AtomicUsize::new(usize::MAX));
        let seen = Arc::clone(&fewest);
        let task = tokio::spawn(async move {
            loop {
                seen.fetch_min(ready_pods(&kubernetes), Ordering::Relaxed);
                sleep(Duration::from_millis(20)).await;
            }
        });
        Self { fewest, task }
    }

    fn fewest(&self) -> usize {
        self.fewest.load(Ordering::Relaxed)
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn ready_pods(kubernetes: &ClusterHandle) -> usize {
    let is_ready = |pod: &&serde_json::Value| pod["metadata"]["deletionTimestamp"].is_null() && pod["status"]["phase"] == "Running";
    kubernetes.with(|cluster, _| cluster.all(Resource::Pods).filter(is_ready).count())
}

fn promises(figures: &Figures) -> Vec<Promise> {
    let gap = Duration::from_millis(u64::try_from(figures.gap_graceful_ms).unwrap_or(u64::MAX));
    vec![
        safety("acknowledged writes lost", format!("{} of {}", figures.lost_writes, figures.acked_writes), "0", {
            figures.lost_writes == 0 && figures.acked_writes > 0
        }),
        safety("etcd cluster ids ever seen", figures.cluster_ids, "1", figures.cluster_ids == 1),
        safety("lifecycle actions timed out", format!("{} of {}", figures.actions_timed_out, figures.actions_opened), "0", {
            figures.actions_timed_out == 0
        }),
        timing("longest write gap, graceful", format!("{} ms", figures.gap_graceful_ms), "< 1000 ms", gap < GAP),
        safety("fewest pods ready", figures.fewest_ready_pods, format!(">= {AVAILABLE}"), figures.fewest_ready_pods >= AVAILABLE),
        safety("Nodes of no instance", figures.strange_nodes.len(), "0", figures.strange_nodes.is_empty()),
    ]
}
