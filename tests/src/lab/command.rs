//! A command of `quorate` on a machine of the lab, typed beside its agent.

use std::process::Stdio;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use tokio::process::{Child, Command};

use super::Lab;

/// What a command printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Its exit status was 0.
    pub succeeded: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Lab {
    /// Runs `quorate WHAT ARGS...`.
    ///
    /// # Errors
    /// It cannot be run.
    pub async fn type_in(&self, instance: &InstanceId, what: &str, args: &[&str]) -> anyhow::Result<Printed> {
        let output = self.command(instance, what, args).await?.output().await.with_context(|| format!("cannot run quorate {what}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Printed { succeeded: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// Starts the same and returns at once; its output can be read from it.
    ///
    /// # Errors
    /// It cannot be run.
    pub async fn begin(&self, instance: &InstanceId, what: &str, args: &[&str]) -> anyhow::Result<Child> {
        let mut command = self.command(instance, what, args).await?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().with_context(|| format!("cannot run quorate {what}"))
    }

    async fn command(&self, instance: &InstanceId, what: &str, args: &[&str]) -> anyhow::Result<Command> {
        let machine = self.machines.machine(instance)?;
        let mut command = machine.lock().await.command(&self.machines.programs(), what);
        command.args(args);
        Ok(command)
    }
}
