//! What the scenarios share: a cluster, a witness, its snapshots, and what has to hold at the end.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::InstanceId;
use quorate_lab::disasters::{Row, Took};
use quorate_lab::lab::witness::{Sightings, Witness};
use quorate_lab::lab::writer::{Writer, Written};
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::{LifecycleAction, Transition};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::group::{CLUSTER, Group, LIMIT, says};

/// Long enough for agents with these settings to do what they should not.
const WATCHED: Duration = Duration::from_secs(12);

/// A cluster with a witness.
pub(crate) struct Stage {
    pub(crate) group: Group,
    pub(crate) witness: Witness,
}

/// A load, and the last revision of the snapshot that was taken in the midst of it.
pub(crate) struct Load {
    pub(crate) writer: Writer,
    pub(crate) revision: u64,
}

/// Every machine was killed at once: which, and what had been written until then.
pub(crate) struct Loss {
    pub(crate) dead: Vec<InstanceId>,
    /// From when its consequences are measured.
    pub(crate) since: Instant,
    pub(crate) revision: u64,
    pub(crate) written: Written,
}

/// What a restore brought back.
pub(crate) struct Restored {
    took: Took,
    revision: u64,
    pub(crate) lost: usize,
    acked: usize,
}

impl Restored {
    pub(crate) fn row(self, scenario: &'static str, failed: &'static str, came_back: &'static str) -> anyhow::Result<()> {
        Row::new(scenario, failed, came_back).took(self.took).revision(self.revision).lost(self.lost, self.acked).record()
    }
}

/// Quick agents that take a snapshot before each change, however recent the last one is.
pub(crate) fn options() -> anyhow::Result<LabOptions> {
    Ok(LabOptions::quick()?.set(|settings| settings.number("snapshot.recent_s", 0.5)))
}

/// Waits until the status of every agent is as wanted, and returns one of them.
pub(crate) async fn until_all(group: &Group, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let all = || async {
        let mut last = Err("nobody lives".to_owned());
        for instance in group.live() {
            let status = group.lab.status(&instance).await.map_err(|error| format!("{error:#}"))?;
            if !wanted(&status) {
                return Err(format!("{instance} says {status:#}"));
            }
            last = Ok(status);
        }
        last
    };
    group.lab.until(LIMIT, what, all).await
}

impl Stage {
    /// A whole cluster of this size.
    pub(crate) async fn of(size: u32) -> anyhow::Result<Self> {
        Self::with(options()?, size).await
    }

    /// The same, made with these options.
    pub(crate) async fn with(options: LabOptions, size: u32) -> anyhow::Result<Self> {
        Self::whole(Group::launched(Lab::start(options).await?, size)?, size).await
    }

    /// The same, of a group that was launched.
    pub(crate) async fn whole(group: Group, size: u32) -> anyhow::Result<Self> {
        let witness = Witness::of(&group.lab);
        group.settled(size as usize, None).await?;
        Ok(Self { group, witness })
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.group.lab
    }

    pub(crate) fn seen(&self) -> Sightings {
        self.witness.sightings()
    }

    /// A load that has written this much already.
    pub(crate) async fn load(&self, writes: usize) -> anyhow::Result<Writer> {
        let writer = self.group.write()?;
        self.group.until_written(&writer, writes).await?;
        Ok(writer)
    }

    /// A load, with a snapshot in the midst of it and its revision.
    pub(crate) async fn saved(&self) -> anyhow::Result<Load> {
        let writer = self.load(100).await?;
        let revision = self.save().await?;
        self.group.until_written(&writer, 20).await?;
        Ok(Load { writer, revision })
    }

    /// Takes a snapshot, as an operator; returns its revision.
    pub(crate) async fn save(&self) -> anyhow::Result<u64> {
        let printed = self.lab().type_in(&self.group.live()[0], "snapshot", &["save"]).await?;
        ensure!(printed.succeeded, "{printed:?}");
        let newest = self.group.snapshots().await?.pop().context("the snapshot is not listed")?;
        ensure!(newest["trigger"] == "operator", "a later one was taken meanwhile: {newest:#}");
        newest["revision"].as_u64().context("a snapshot without a revision")
    }

    /// Kills every machine at once, with its disk.
    pub(crate) fn all_die(&self) -> (Vec<InstanceId>, Instant) {
        let dead = self.group.live();
        dead.iter().for_each(|instance| self.lab().hard_kill(instance));
        (dead, Instant::now())
    }

    /// The same under this load, which ends with them.
    pub(crate) async fn all_die_under(&self, load: Load) -> Loss {
        let (dead, since) = self.all_die();
        Loss { dead, since, revision: load.revision, written: load.writer.stop().await }
    }

    /// Waits until this number of agents have been started on running machines.
    pub(crate) async fn until_replaced(&self, size: usize) -> anyhow::Result<()> {
        let answering = || async {
            let mut answer = 0;
            for instance in self.group.live() {
                answer += usize::from(self.lab().status(&instance).await.is_ok());
            }
            if answer == size { Ok(()) } else { Err(format!("{answer} answer")) }
        };
        self.lab().until(LIMIT, &format!("{size} agents to answer"), answering).await
    }

    /// Waits until the message of every live agent has all these words; returns one of them.
    pub(crate) async fn until_all_say(&self, words: &[&str]) -> anyhow::Result<String> {
        let what = format!("everybody to say {words:?}");
        let status = until_all(&self.group, &what, |status| words.iter().all(|word| says(status, word))).await?;
        Ok(status["message"].as_str().unwrap_or_default().to_owned())
    }

    /// For a while no node runs an etcd, no launch hook is completed or times out, and nothing is claimed.
    pub(crate) async fn nothing_starts(&self) -> anyhow::Result<()> {
        let records = self.lab().charter(CLUSTER)?.len();
        let until = Instant::now() + WATCHED;
        while Instant::now() < until {
            for instance in self.group.live() {
                ensure!(self.lab().etcd_process(&instance).is_none(), "{instance} runs an etcd\n{}", self.lab().logs());
            }
            sleep(Duration::from_millis(500)).await;
        }
        ensure!(self.lab().charter(CLUSTER)?.len() == records, "somebody wrote to the charter");
        self.launches_are_kept_open(&self.group.live())
    }

    /// The launch hooks of these are neither completed nor overdue, and have had heartbeats.
    pub(crate) fn launches_are_kept_open(&self, instances: &[InstanceId]) -> anyhow::Result<()> {
        let region = self.lab().region().lock();
        for instance in instances {
            let launch = |action: &&LifecycleAction| action.instance == *instance && action.transition == Transition::Launching;
            let action = region.actions().iter().find(launch).with_context(|| format!("{instance} has no launch hook"))?;
            ensure!(action.open() && action.heartbeats > 0, "the launch hook of {instance} is not kept open: {action:?}");
        }
        Ok(())
    }

    /// Waits until the replacements of the dead accept writes, which they must keep, and until they are whole.
    pub(crate) async fn comes_back(&self, dead: &[InstanceId], since: Instant, size: usize) -> anyhow::Result<Took> {
        let writer = self.writer_of_the_next(dead).await?;
        self.group.until_written(&writer, 1).await?;
        let writes = since.elapsed();
        self.group.until_gone(dead).await?;
        self.group.settled(size, None).await?;
        let whole = since.elapsed();
        self.group.settled(size, Some(&writer.stop().await)).await?;
        Ok(Took { writes, whole })
    }

    async fn writer_of_the_next(&self, dead: &[InstanceId]) -> anyhow::Result<Writer> {
        let serving = || async {
            let lists = self.lab().lists().await;
            let next = lists.keys().find(|instance| !dead.contains(instance));
            next.cloned().ok_or_else(|| "no etcd answers through a quorum".to_owned())
        };
        let first = self.lab().until(LIMIT, "somebody to serve again", serving).await?;
        Ok(Writer::start(vec![self.lab().address(&first)?], "/after/"))
    }

    /// Nothing was restored and nothing is lost: one generation, one etcd cluster from the beginning.
    pub(crate) async fn kept_all(&self, size: usize, written: &Written) -> anyhow::Result<()> {
        self.group.settled(size, Some(written)).await?;
        ensure!(written.acked() > 0, "nothing was written");
        self.one_history(1)
    }

    /// Ends a scenario in which nothing may be lost: stops the load, and records the row once that holds.
    pub(crate) async fn nothing_lost(&self, size: usize, writer: Writer, row: Row) -> anyhow::Result<()> {
        let written = writer.stop().await;
        self.kept_all(size, &written).await?;
        row.lost(0, written.acked()).record()
    }

    /// Exactly this number of generations were ever established, each an etcd cluster of its own, and no two existed at once.
    pub(crate) fn one_history(&self, generations: usize) -> anyhow::Result<()> {
        let (seen, established) = (self.seen(), self.group.established()?);
        ensure!(established.len() == generations && established.contains(&1), "the generations {established:?} were established");
        ensure!(seen.clusters.len() == established.len(), "{:?} were seen of the generations {established:?}", seen.clusters);
        ensure!(seen.most_clusters == 1, "{} clusters were led at once", seen.most_clusters);
        Ok(())
    }

    /// Waits until the replacements of the dead are whole, restored from the last snapshot before.
    pub(crate) async fn restores(&self, loss: &Loss, size: usize) -> anyhow::Result<Restored> {
        let took = self.comes_back(&loss.dead, loss.since, size).await?;
        self.restored(took, loss.revision, &loss.written).await
    }

    /// There is one more generation, restored from this snapshot, and exactly what was acknowledged after it is lost.
    pub(crate) async fn restored(&self, took: Took, revision: u64, written: &Written) -> anyhow::Result<Restored> {
        self.one_history(2)?;
        let (key, found) = self.origin().await?;
        ensure!(found == revision, "{key} of revision {found} was restored, not revision {revision}");
        let live = self.group.live();
        let addresses = live.iter().map(|instance| self.lab().address(instance)).collect::<anyhow::Result<Vec<_>>>()?;
        let (lost, after) = (written.lost(&addresses).await?, written.after(revision));
        ensure!(lost == after, "lost are {lost:?}, and written after revision {revision} were {after:?}");
        ensure!(lost.len() < written.acked(), "nothing that was written before the snapshot is there");
        Ok(Restored { took, revision, lost: lost.len(), acked: written.acked() })
    }

    /// The cluster lives on: a snapshot that is taken now is this generation's.
    pub(crate) async fn saves_as(&self, generation: u64) -> anyhow::Result<()> {
        let printed = self.lab().type_in(&self.group.live()[0], "snapshot", &["save"]).await?;
        ensure!(printed.succeeded && printed.out.contains(&format!("snapshots/{generation:010}/")), "{printed:?}");
        Ok(())
    }

    /// What the newest generation was made from, and its revision.
    async fn origin(&self) -> anyhow::Result<(String, u64)> {
        let newest = self.lab().charter(CLUSTER)?.pop().context("there is no charter")?;
        let key = newest["origin"]["key"].as_str().with_context(|| format!("it is not from a snapshot: {newest:#}"))?.to_owned();
        let stored = self.group.snapshots().await?.into_iter().find(|snapshot| snapshot["key"] == *key);
        let revision = stored.and_then(|snapshot| snapshot["revision"].as_u64());
        Ok((key.clone(), revision.with_context(|| format!("{key} is not listed any more"))?))
    }
}
