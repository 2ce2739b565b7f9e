//! What the lab's tests share.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::{GroupName, InstanceId, MemberId};
use quorate_lab::lab::writer::{Writer, Written};
use quorate_lab::lab::{Lab, LabOptions};
use quorate_lab::region::GroupSpec;

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
        let group = Self::launched(Lab::start(LabOptions::quick()?).await?, size)?;
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
        self.lab.kill_agent(instance, rustix::process::Signal::TERM).await?;
        self.lab.agent_environment(CRASH, Some(point));
        let started = self.lab.start_agent(instance).await;
        self.lab.agent_environment(CRASH, None);
        started?;
        let serves = || async {
            let status = self.lab.status(instance).await.map_err(|error| error.to_string())?;
            if status["phase"] == "voter" { Ok(()) } else { Err(status["message"].to_string()) }
        };
        self.lab.until(LIMIT, "the restarted agent to serve", serves).await
    }

    /// The id of each instance's member, once this number of them vote.
    pub(crate) async fn member_ids(&self, size: usize) -> anyhow::Result<BTreeMap<InstanceId, MemberId>> {
        self.lab.member_ids(&self.name, size, LIMIT).await
    }

    /// Waits until the agent's message has these words.
    pub(crate) async fn until_says(&self, instance: &InstanceId, words: &str) -> anyhow::Result<()> {
        let message = || async {
            let status = self.lab.status(instance).await.map_err(|error| format!("{error:#}"))?;
            let message = status["message"].as_str().unwrap_or_default().to_owned();
            if message.contains(words) { Ok(()) } else { Err(message) }
        };
        self.lab.until(LIMIT, words, message).await
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

    /// Waits until an agent says that an operator must act.
    pub(crate) async fn until_halted(&self) -> anyhow::Result<()> {
        let halted = || async {
            let mut said = Vec::new();
            for instance in self.live() {
                match self.lab.status(&instance).await {
                    Ok(status) if status["needs_operator"] == true => return Ok(()),
                    Ok(status) => said.push(status["message"].to_string()),
                    Err(error) => said.push(format!("{error:#}")),
                }
            }
            Err(format!("the agents say {said:?}"))
        };
        self.lab.until(LIMIT, "an agent to ask for an operator", halted).await
    }
}

/// The fail point's variable.
pub(crate) const CRASH: &str = "QUORATE_CRASH_AT";
