//! How often a serving node asks AWS: counted over 24 virtual hours, by the simulator, with the agent's own cadence.

use anyhow::Context;

use crate::simulator::steady_aws_calls;

const HOURS: u32 = 24;

/// Calls of one node in one hour.
///
/// # Errors
/// The simulator panicked.
pub async fn calls_per_node_and_hour() -> anyhow::Result<f64> {
    tokio::task::spawn_blocking(|| steady_aws_calls(HOURS)).await.context("the simulator failed")
}
