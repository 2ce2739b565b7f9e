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
        let printed = self.type_in(instance, "check", &["--json"]).await?;
        let found = serde_json::from_str(&printed.out).with_context(|| format!("no JSON: {printed:?}"))?;
        Ok((printed.succeeded, found))
    }
}
