//! `quorate check` on a machine of the lab, in the environment that its agent has.

use anyhow::Context;
use quorate_core::ids::InstanceId;
use serde_json::Value;

use super::Lab;

impl Lab {
    /// What it finds, and whether its exit status was 0.
    ///
    /// # Errors
    /// It cannot be run, or prints something else.
    pub async fn check(&self, instance: &InstanceId) -> anyhow::Result<(bool, Value)> {
        let machine = self.machines.machine(instance)?;
        let mut command = machine.lock().await.command(&self.machines.programs(), "check");
        let output = command.arg("--json").output().await.context("cannot run quorate check")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found = serde_json::from_str(&text).with_context(|| format!("no JSON: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        Ok((output.status.success(), found))
    }
}
