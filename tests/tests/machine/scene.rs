//! What the scenes share.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use quorate_core::ids::{GroupName, InstanceId, MemberId};
use quorate_core::time::Timestamp;
use quorate_lab::lab::AgentSettings;
use quorate_lab::lab::writer::{Label, Writer, Written};
use quorate_lab::machine::{Machine, System, World};
use quorate_lab::region::Ec2State;
use tokio::time::{Instant, sleep};

/// Longer than anything takes; only a failure comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
/// No hook may time out: the agents' heartbeats keep it open.
pub(crate) const HOOK: Duration = Duration::from_secs(20);
const CLUSTER: &str = "test";
/// etcd refuses to change its members until they have been connected for five seconds.
const CONNECTED: Duration = Duration::from_secs(5);
/// How often something that a client seems to notice is tried.
const TRIES: usize = 5;
/// What a gap may be longer than in quiet times.
const TOLERANCE: Duration = Duration::from_millis(50);
pub(crate) const AGENT: &str = "quorate.service";
pub(crate) const ETCD: &str = "quorate-etcd.service";

/// A world with one group.
pub(crate) struct Scene {
    world: World,
    pub(crate) name: GroupName,
}

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// Plays a scene with this number of machines, just launched, with the package on them.
pub(crate) async fn play(name: &str, size: u32, act: impl AsyncFnOnce(&Scene) -> anyhow::Result<()>) -> anyhow::Result<()> {
    play_on(System::Packaged, name, size, act).await
}

/// The same with these settings of the agents.
pub(crate) async fn play_with(
    settings: AgentSettings,
    name: &str,
    size: u32,
    act: impl AsyncFnOnce(&Scene) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    play_in((System::Packaged, settings), name, size, act).await
}

/// The same on machines with this system.
pub(crate) async fn play_on(
    system: System,
    name: &str,
    size: u32,
    act: impl AsyncFnOnce(&Scene) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    play_in((system, AgentSettings::quick()), name, size, act).await
}

async fn play_in(
    (system, settings): (System, AgentSettings),
    name: &str,
    size: u32,
    act: impl AsyncFnOnce(&Scene) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(world) = World::enter(name, system, settings).await? else {
        println!("SKIPPED machine: machines are booted by `make test-machine`");
        return Ok(());
    };
    let mut spec = world.group("etcd", CLUSTER, size, HOOK);
    spec.max = 7;
    let group = world.create_group(spec)?;
    let scene = Scene { world, name: group };
    act(&scene).await?;
    scene.passed();
    Ok(())
}

/// The same once all of them are voters in service, and etcd would let go of one.
pub(crate) async fn play_joined(name: &str, size: u32, act: impl AsyncFnOnce(&Scene) -> anyhow::Result<()>) -> anyhow::Result<()> {
    play(name, size, async |scene: &Scene| {
        scene.joined(size as usize).await?;
        act(scene).await
    })
    .await
}

impl Scene {
    pub(crate) fn live(&self) -> Vec<InstanceId> {
        self.world.live(&self.name)
    }

    /// Waits until all of them are voters in service, and etcd would let go of one.
    pub(crate) async fn joined(&self, size: usize) -> anyhow::Result<()> {
        self.settled(size, None).await?;
        sleep(CONNECTED).await;
        Ok(())
    }

    /// What has to hold at the end of every scene, with this many instances.
    pub(crate) async fn settled(&self, size: usize, written: Option<&Written>) -> anyhow::Result<()> {
        self.until_in_service(&self.name, size, LIMIT).await?;
        self.world.settled(&self.name, size, LIMIT, written).await
    }

    /// Checks that no write was lost, and that there was never another cluster.
    pub(crate) async fn ends(&self, size: usize, writer: Writer) -> anyhow::Result<()> {
        let written = writer.stop().await;
        println!("{} writes acknowledged, {} tries failed", written.acked(), written.failed());
        self.settled(size, Some(&written)).await?;
        let records = self.charter(CLUSTER)?;
        let generations = records.iter().filter_map(|record| record["generation"].as_u64());
        ensure!(generations.max() == Some(1), "there was a second generation");
        Ok(())
    }

    pub(crate) async fn leader(&self) -> anyhow::Result<Arc<Machine>> {
        self.machine(&self.world.leader(&self.name).await?)
    }

    pub(crate) async fn follower(&self) -> anyhow::Result<Arc<Machine>> {
        self.machine(self.followers(&self.name).await?.first().context("there is no follower")?)
    }

    pub(crate) fn machines(&self) -> anyhow::Result<Vec<Arc<Machine>>> {
        self.live().iter().map(|instance| self.machine(instance)).collect()
    }

    pub(crate) async fn member_ids(&self, size: usize) -> anyhow::Result<BTreeMap<InstanceId, MemberId>> {
        self.world.member_ids(&self.name, size, LIMIT).await
    }

    /// Begins to write, and returns when writes get through.
    pub(crate) async fn write(&self) -> anyhow::Result<Writer> {
        let addresses = self.live().iter().map(|one| self.address(one)).collect::<anyhow::Result<_>>()?;
        let credentials = self.live().iter().find_map(|one| self.credentials(one));
        let writer = Writer::start_as(addresses, "/test/", credentials);
        self.until_written(&writer, 50).await?;
        Ok(writer)
    }

    /// Waits for this number of further writes.
    pub(crate) async fn until_written(&self, writer: &Writer, more: usize) -> anyhow::Result<()> {
        let enough = writer.acked() + more;
        let written = || async {
            if writer.acked() >= enough {
                return Ok(());
            }
            Err(format!("{} of {enough}; the last failure: {:?}", writer.acked(), writer.last_failure()))
        };
        self.until(LIMIT, "the load to get through", written).await
    }

    /// Does something that a client must not notice: no write gap is longer than the longest of an equal quiet time, plus a tolerance. If one
    /// was, it is done again, because the computer that all the machines share has other work too. What clients do notice, they notice each time.
    pub(crate) async fn unnoticed(&self, writer: &Writer, what: &str, act: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut noticed = Vec::new();
        while noticed.len() < TRIES {
            let (meanwhile, quiet) = gaps(writer, &act).await?;
            println!("{what}: {} ms without a write at most, in as long a quiet time {} ms", meanwhile.as_millis(), quiet.as_millis());
            if meanwhile <= quiet + TOLERANCE {
                return Ok(());
            }
            noticed.push((meanwhile, quiet));
        }
        bail!("{what} was noticed each time; without a write, and in a quiet time: {noticed:?}")
    }

    /// Waits until the agent is another process than this one, and serves.
    pub(crate) async fn until_restarted(&self, machine: &Machine, old: &str) -> anyhow::Result<()> {
        self.until(LIMIT, &format!("another agent on {}", machine.name()), || async {
            let pid = machine.unit(AGENT, "MainPID").await.map_err(|error| format!("{error:#}"))?;
            if pid == old || pid == "0" {
                return Err(format!("it is process {pid}"));
            }
            let status = machine.status().await.map_err(|error| format!("{error:#}"))?;
            if status["phase"] == "voter" { Ok(()) } else { Err(format!("it says {}", status["message"])) }
        })
        .await
    }

    /// Waits until a machine is off, as EC2 knows it, and returns when that was.
    pub(crate) async fn until_off(&self, instance: &InstanceId) -> anyhow::Result<Timestamp> {
        self.until(LIMIT, &format!("{instance} to be off"), || async {
            let region = self.region().lock();
            let instance = region.instance(instance).ok_or("there is no such instance")?;
            let off = |state| matches!(state, Ec2State::Stopped | Ec2State::Terminated);
            let look = instance.history().iter().find(|look| off(look.ec2));
            look.map(|look| look.at).ok_or_else(|| format!("it is {}", instance.ec2))
        })
        .await
    }
}

/// Seconds between two moments.
pub(crate) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.0.saturating_sub(from.0) as f64 / 1000.0
}

/// The longest write gap while something is done, and in as long a quiet time after it.
async fn gaps(writer: &Writer, act: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<(Duration, Duration)> {
    let gap = || writer.longest(Label::Graceful).map(|gap| gap.length).unwrap_or_default();
    sleep(Duration::from_secs(1)).await;
    writer.forget_gaps();
    let begun = Instant::now();
    act().await?;
    sleep(Duration::from_secs(1)).await;
    let (meanwhile, took) = (gap(), begun.elapsed());
    writer.forget_gaps();
    sleep(took).await;
    Ok((meanwhile, gap()))
}
