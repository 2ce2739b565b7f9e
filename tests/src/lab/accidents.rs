//! What a test can do to the machines besides what the region does to them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::InstanceId;
use rustix::process::Signal;
use tokio::process::Child;

use super::processes::Process;
use super::settings::AgentSettings;
use super::{Lab, processes};

impl Lab {
    /// Sends the agent a signal and returns when the agent has ended; its etcd stays.
    ///
    /// # Errors
    /// It does not run, or does not end.
    pub async fn kill_agent(&self, instance: &InstanceId, signal: Signal) -> anyhow::Result<()> {
        self.machines.stop_agent(instance, signal).await
    }

    /// Starts the agent again, with the current settings and environment.
    ///
    /// # Errors
    /// It runs already, or cannot be run.
    pub async fn start_agent(&self, instance: &InstanceId) -> anyhow::Result<()> {
        let machine = self.machines.machine(instance)?;
        let mut machine = machine.lock().await;
        let running = match machine.agent.as_mut() {
            Some(agent) => agent.try_wait()?.is_none(),
            None => false,
        };
        ensure!(!running, "the agent of {instance} runs already");
        self.machines.start_agent(&mut machine)
    }

    /// Ends the agent with a signal and starts it again, with this in its environment and not in that of others, if it is given.
    ///
    /// # Errors
    /// It does not run, does not end, or cannot be run again.
    pub async fn restart_agent(&self, instance: &InstanceId, signal: Signal, variable: Option<(&str, &str)>) -> anyhow::Result<()> {
        self.kill_agent(instance, signal).await?;
        variable.iter().for_each(|(name, value)| self.agent_environment(name, Some(value)));
        let started = self.start_agent(instance).await;
        variable.iter().for_each(|(name, _)| self.agent_environment(name, None));
        started
    }

    /// Waits for the agent to end on its own, and returns how it did.
    ///
    /// # Errors
    /// It did not in time.
    pub async fn agent_ended(&self, instance: &InstanceId, within: Duration) -> anyhow::Result<String> {
        let ended = self.machines.agent_ended(instance, within).await?.map(|status| status.to_string());
        ended.with_context(|| format!("the agent of {instance} did not end within {} s\n{}", within.as_secs(), self.logs()))
    }

    /// Restarts the agents that have ended on their own, as a service manager would. Returns which, and how they ended.
    ///
    /// # Errors
    /// One cannot be run.
    pub async fn revive(&self) -> anyhow::Result<Vec<(InstanceId, String)>> {
        let mut revived = Vec::new();
        for (instance, _) in self.powered() {
            let machine = self.machines.machine(&instance)?;
            // One that shuts down is not to be started again.
            let Ok(mut machine) = machine.try_lock() else { continue };
            let ended = machine.agent.as_mut().map(Child::try_wait).transpose()?.flatten();
            if let Some(status) = ended {
                self.machines.start_agent(&mut machine)?;
                revived.push((instance, status.to_string()));
            }
        }
        Ok(revived)
    }

    /// The agents' settings, from the next start of one on.
    pub fn change_settings(&self, change: impl FnOnce(AgentSettings) -> AgentSettings) {
        self.machines.change_settings(change);
    }

    /// A variable of the agents' environment, from the next start of one on.
    pub fn agent_environment(&self, name: &str, value: Option<&str>) {
        self.machines.set_environment(name, value);
    }

    /// Sets how long the next launched machines take to boot, one after the other; those after them take the usual time.
    pub fn boot_takes(&self, delays: impl IntoIterator<Item = Duration>) {
        self.machines.boot_takes(delays);
    }

    /// Freezes the whole machine: its agent, its etcd, and everything that they have started.
    pub fn freeze_machine(&self, instance: &InstanceId) {
        processes::under(&self.disk(instance)).iter().for_each(|process| process.signal(Signal::STOP));
    }

    /// Resumes a frozen machine.
    pub fn thaw_machine(&self, instance: &InstanceId) {
        processes::under(&self.disk(instance)).iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// Freezes etcd.
    ///
    /// # Errors
    /// None runs.
    pub fn freeze_etcd(&self, instance: &InstanceId) -> anyhow::Result<()> {
        self.signal_etcd(instance, Signal::STOP)
    }

    /// Kills etcd and nothing else.
    ///
    /// # Errors
    /// None runs.
    pub fn kill_etcd(&self, instance: &InstanceId) -> anyhow::Result<()> {
        self.signal_etcd(instance, Signal::KILL)
    }

    fn signal_etcd(&self, instance: &InstanceId, signal: Signal) -> anyhow::Result<()> {
        let etcd = self.etcd_process(instance).with_context(|| format!("no etcd runs on {instance}"))?;
        etcd.signal(signal);
        Ok(())
    }

    /// The etcd that runs on this instance.
    #[must_use]
    pub fn etcd_process(&self, instance: &InstanceId) -> Option<Process> {
        processes::under(&self.disk(instance))
            .into_iter()
            .find(|process| process.is(Path::new("etcd")) || process.is(&self.machines.etcd()))
    }

    /// The agent that runs on this instance.
    #[must_use]
    pub fn agent_process(&self, instance: &InstanceId) -> Option<Process> {
        processes::under(&self.disk(instance)).into_iter().find(|process| process.is(&self.machines.quorate()))
    }

    /// The hardware is gone at once.
    pub fn hard_kill(&self, instance: &InstanceId) {
        processes::sweep(&self.disk(instance));
        self.region().with(|region, now| region.hard_kill(instance, now));
    }

    /// The machine comes back under the same instance id with an empty disk, as after a replaced root volume.
    ///
    /// # Errors
    /// The agent cannot be started again.
    pub async fn wipe_disk(&self, instance: &InstanceId) -> anyhow::Result<()> {
        let machine = self.machines.machine(instance)?;
        let mut machine = machine.lock().await;
        machine.cut_power().await;
        machine.wipe();
        self.machines.start_agent(&mut machine)
    }

    /// Waits until `quorate recover` on the instance says that this way would be begun at once.
    ///
    /// # Errors
    /// It has not said so in time.
    pub async fn until_recoverable(&self, instance: &InstanceId, way: &str, within: Duration) -> anyhow::Result<()> {
        let possible = || async {
            let printed = self.type_in(instance, "recover", &["--json"]).await.map_err(|error| error.to_string())?;
            let known: serde_json::Value = serde_json::from_str(&printed.out).map_err(|error| format!("{error}: {printed:?}"))?;
            let is_possible = |w: &serde_json::Value| w["command"].as_str().is_some_and(|c| c.contains(way)) && w["possible"] == true;
            if known["ways"].as_array().into_iter().flatten().any(is_possible) { Ok(()) } else { Err(format!("{known:#}")) }
        };
        self.until(within, "the way to be possible", possible).await
    }

    /// Waits until etcd on the instance is another process than this one.
    ///
    /// # Errors
    /// It is not in time.
    pub async fn until_restarted(&self, instance: &InstanceId, old: Option<i32>, within: Duration) -> anyhow::Result<()> {
        let restarted = || async {
            let now = self.etcd_process(instance).map(|etcd| etcd.pid);
            if now.is_some() && now != old { Ok(()) } else { Err(format!("etcd is {now:?}, was {old:?}")) }
        };
        self.until(within, "etcd to be started again", restarted).await
    }

    /// Runs `quorate COMMAND` on the instance, as an operator there would, and returns what it printed.
    ///
    /// # Errors
    /// It could not be run, or failed.
    pub async fn quorate(&self, instance: &InstanceId, arguments: &[&str]) -> anyhow::Result<String> {
        let typed = arguments.join(" ");
        let (what, rest) = arguments.split_first().context("no command")?;
        let printed = tokio::time::timeout(Duration::from_secs(15), self.type_in(instance, what, rest)).await;
        let printed = printed.with_context(|| format!("`quorate {typed}` on {instance} does not return"))??;
        ensure!(printed.succeeded, "`quorate {typed}` on {instance}: {printed:?}");
        Ok(printed.out)
    }
}
