//! What the lab's tests share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::{GroupName, InstanceId, MemberId};
use quorate_lab::lab::writer::{Label, Writer, Written};
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::{GroupSpec, RefreshPreferences};
use rustix::process::Signal;
use serde_json::Value;

/// Longer than anything takes; only a failure comes near it.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
/// No hook may time out in these tests: the agents' heartbeats keep it open.
pub(crate) const HOOK: Duration = Duration::from_secs(20);
/// For tests in which AWS cannot be reached, or gives old answers, for half a minute.
pub(crate) const LONG_HOOK: Duration = Duration::from_secs(120);
/// The cluster's name.
pub(crate) const CLUSTER: &str = "test";

/// A lab with one group.
pub(crate) struct Group {
    pub(crate) lab: Lab,
    pub(crate) name: GroupName,
}

impl Group {
    /// This number of instances with quick agents, all of them voters in service.
    pub(crate) async fn of(size: u32) -> anyhow::Result<Self> {
        Self::with(LabOptions::quick()?, size).await
    }

    /// The same in a lab with these options.
    pub(crate) async fn with(options: LabOptions, size: u32) -> anyhow::Result<Self> {
        let group = Self::launched(Lab::start(options).await?, size)?;
        group.settled(size as usize, None).await?;
        Ok(group)
    }

    /// This number of instances, just launched.
    pub(crate) fn launched(lab: Lab, size: u32) -> anyhow::Result<Self> {
        Self::launched_with(lab, size, HOOK)
    }

    /// The same with hooks that have this timeout.
    pub(crate) fn launched_with(lab: Lab, size: u32, hook: Duration) -> anyhow::Result<Self> {
        Self::launched_as(lab, size, hook, |spec| spec)
    }

    /// The same, where `change` makes the group differ from every other test's.
    pub(crate) fn launched_as(lab: Lab, size: u32, hook: Duration, change: impl FnOnce(GroupSpec) -> GroupSpec) -> anyhow::Result<Self> {
        let spec = GroupSpec { max: 7, ..lab.group("etcd", CLUSTER, size, hook) };
        let name = lab.create_group(change(spec))?;
        Ok(Self { lab, name })
    }

    pub(crate) fn live(&self) -> Vec<InstanceId> {
        self.lab.live(&self.name)
    }

    /// What has to hold at the end of every test, with this many instances.
    pub(crate) async fn settled(&self, size: usize, written: Option<&Written>) -> anyhow::Result<()> {
        self.lab.until_in_service(&self.name, size, LIMIT).await?;
        self.lab.settled(&self.name, size, LIMIT, written).await
    }

    /// Waits until the group has let go of this instance, and is whole with this many others.
    pub(crate) async fn whole_without(&self, instance: &InstanceId, size: usize) -> anyhow::Result<()> {
        self.lab.until_gone(instance, LIMIT).await?;
        self.settled(size, None).await
    }

    /// Waits until the group has let go of all of these.
    pub(crate) async fn until_gone(&self, instances: &[InstanceId]) -> anyhow::Result<()> {
        for instance in instances {
            self.lab.until_gone(instance, LIMIT).await?;
        }
        Ok(())
    }

    pub(crate) fn write(&self) -> anyhow::Result<Writer> {
        let addresses = self.live().iter().map(|one| self.lab.address(one)).collect::<anyhow::Result<_>>()?;
        let credentials = self.live().iter().find_map(|one| self.lab.credentials(one));
        Ok(Writer::start_as(addresses, "/test/", credentials))
    }

    /// Waits until the load has got this number of further writes through.
    pub(crate) async fn until_written(&self, writer: &Writer, more: usize) -> anyhow::Result<()> {
        let before = writer.acked();
        let enough = || async {
            let acked = writer.acked();
            let failure = writer.last_failure().unwrap_or_default();
            if acked >= before + more { Ok(()) } else { Err(format!("{acked} writes since {before}; last failure: {failure}")) }
        };
        self.lab.until(LIMIT, "writes to be acknowledged", enough).await
    }

    pub(crate) fn resize(&self, desired: u32) -> anyhow::Result<()> {
        Ok(self.lab.operator(|api| api.set_desired_capacity(&self.name, desired))?)
    }

    /// Terminates an instance of the group, which the group replaces.
    pub(crate) fn replace(&self, instance: &InstanceId) -> anyhow::Result<()> {
        Ok(self.lab.operator(|api| api.terminate_in_group(instance, false))?)
    }

    /// Ends the agent and starts it again with a fail point: it dies there, once.
    pub(crate) async fn arm(&self, instance: &InstanceId, point: &str) -> anyhow::Result<()> {
        self.lab.restart_agent(instance, Signal::TERM, Some((CRASH, point))).await?;
        self.until(instance, "the restarted agent to serve", |status| status["phase"] == "voter").await.map(drop)
    }

    /// Waits until an agent has died at the fail point, which no other then has. Returns its instance.
    pub(crate) async fn until_one_dies(&self) -> anyhow::Result<InstanceId> {
        let ended = |one: &InstanceId| self.lab.agent_started(one).is_some() && self.lab.agent_process(one).is_none();
        let dead = || async { self.live().into_iter().find(ended).ok_or("nobody died".to_owned()) };
        let dead = self.lab.until(LIMIT, "an agent to die", dead).await?;
        self.lab.agent_environment(CRASH, None);
        Ok(dead)
    }

    /// The id of each instance's member, once this number of them vote.
    pub(crate) async fn member_ids(&self, size: usize) -> anyhow::Result<BTreeMap<InstanceId, MemberId>> {
        self.lab.member_ids(&self.name, size, LIMIT).await
    }

    /// Waits until the status of the agent on this instance is as wanted, and returns it.
    pub(crate) async fn until(&self, instance: &InstanceId, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        self.lab.until_status(instance, LIMIT, what, wanted).await
    }

    /// Waits until the status of some agent is as wanted, and returns its instance.
    pub(crate) async fn until_any(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<InstanceId> {
        let any = || async {
            let mut said = Vec::new();
            for instance in self.live() {
                match self.lab.status(&instance).await {
                    Ok(status) if wanted(&status) => return Ok(instance),
                    Ok(status) => said.push(status["message"].to_string()),
                    Err(error) => said.push(format!("{error:#}")),
                }
            }
            Err(format!("the agents say {said:?}"))
        };
        self.lab.until(LIMIT, what, any).await
    }

    /// Waits until the agent's message has these words.
    pub(crate) async fn until_says(&self, instance: &InstanceId, words: &str) -> anyhow::Result<()> {
        self.until(instance, words, |status| says(status, words)).await.map(drop)
    }

    /// The highest generation in the charter.
    pub(crate) fn generation(&self) -> anyhow::Result<u64> {
        let records = self.lab.charter(CLUSTER)?;
        let generations = records.iter().map(|record| record["generation"].as_u64().context("a record without a generation"));
        Ok(generations.collect::<anyhow::Result<Vec<_>>>()?.into_iter().max().unwrap_or(0))
    }

    /// The generations that were ever established.
    pub(crate) fn established(&self) -> anyhow::Result<BTreeSet<u64>> {
        let records = self.lab.charter(CLUSTER)?;
        let established = records.iter().filter(|record| record["state"]["is"] == "established");
        Ok(established.filter_map(|record| record["generation"].as_u64()).collect())
    }

    /// Every snapshot in the store that an agent here would use, by revision.
    pub(crate) async fn snapshots(&self) -> anyhow::Result<Vec<Value>> {
        let first = self.live().first().context("nobody lives")?.clone();
        let printed = self.lab.type_in(&first, "snapshot", &["list", "--json"]).await?;
        serde_json::from_str(&printed.out).with_context(|| format!("no JSON: {printed:?}"))
    }

    /// The file of a snapshot's data, where the store is a directory.
    pub(crate) fn data(&self, snapshot: &Value) -> anyhow::Result<PathBuf> {
        let key = snapshot["key"].as_str().context("a snapshot without a key")?;
        Ok(self.lab.store(CLUSTER).join(CLUSTER).join(format!("{key}.db")))
    }

    /// Flips a bit of a snapshot's data.
    pub(crate) fn spoil(&self, snapshot: &Value) -> anyhow::Result<()> {
        let path = self.data(snapshot)?;
        let mut bytes = std::fs::read(&path)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Ok(std::fs::write(&path, bytes)?)
    }

    /// Waits until an agent says that an operator must act.
    pub(crate) async fn until_halted(&self) -> anyhow::Result<()> {
        self.until_any("an agent to ask for an operator", |status| status["needs_operator"] == true).await.map(drop)
    }

    /// Each of three is replaced under load, and no write is lost.
    pub(crate) async fn is_replaced_under_load(&self) -> anyhow::Result<()> {
        let before = self.live();
        let writer = self.write()?;
        self.lab.refresh(&self.name, RefreshPreferences::launch_before_terminate(), LIMIT * 2).await?;
        self.settled(3, None).await?;
        ensure!(self.live().iter().all(|instance| !before.contains(instance)), "one of {before:?} is still there");
        let written = writer.stop().await;
        ensure!(written.acked() > 0, "nothing was written");
        self.settled(3, Some(&written)).await?;
        ensure!(self.generation()? == 1, "generation {} was begun", self.generation()?);
        Ok(())
    }

    /// One of three dies and is not replaced; then one of the two that are left, which is half: the last one continues from its own data, and lacks nothing.
    pub(crate) async fn continues_from_the_survivor(&self) -> anyhow::Result<()> {
        let writer = self.write()?;
        self.until_written(&writer, 50).await?;
        self.lab.region().with(|region, now| region.set_capacity_short(&self.name, true, now));
        let [first, second, survivor] = self.three()?;
        writer.label(Label::Kill);
        self.lab.hard_kill(&first);
        self.lab.until_whole(&self.name, 2, LIMIT).await?;
        self.until_written(&writer, 50).await?;
        let written = writer.stop().await;
        self.lab.hard_kill(&second);
        self.lab.region().with(|region, now| region.set_capacity_short(&self.name, false, now));
        self.lab.until_gone(&second, LIMIT).await?;
        self.settled(3, Some(&written)).await?;
        ensure!(self.live().contains(&survivor), "{survivor} was replaced");
        ensure!(self.generation()? == 2, "it is generation {}", self.generation()?);
        Ok(())
    }

    /// The three that live.
    pub(crate) fn three(&self) -> anyhow::Result<[InstanceId; 3]> {
        self.live().try_into().map_err(|live| anyhow::anyhow!("not three live: {live:?}"))
    }
}

/// Whether the message in an agent's status has these words.
pub(crate) fn says(status: &Value, words: &str) -> bool {
    status["message"].as_str().is_some_and(|message| message.contains(words))
}

/// The fail point's variable.
pub(crate) const CRASH: &str = "QUORATE_CRASH_AT";
