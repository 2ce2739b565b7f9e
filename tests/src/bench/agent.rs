//! The snapshots that the serving agent takes on its own, and its memory meanwhile.

use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;

use super::{Scene, memory};

/// Between two: time enough for the agent to be at rest before the first.
const INTERVAL: Duration = Duration::from_secs(15);
/// Before its memory is looked at, after it serves again.
const REST: Duration = Duration::from_secs(5);
const ENOUGH: usize = 3;
const LIMIT: Duration = Duration::from_secs(300);
/// As the journal's line ends: "..., 1127428128 bytes, after 2.1s".
const TOOK: &str = " bytes, after ";

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    /// What each snapshot took, as the agent says.
    pub(super) seconds: Vec<f64>,
    /// Its memory before the first, in KiB.
    pub(super) before_kib: u64,
    /// The most that it had from then on, in KiB.
    pub(super) peak_kib: u64,
}

/// Starts the agent again with a short interval, and watches it.
///
/// # Errors
/// It takes none.
pub(super) async fn watch(scene: &Scene) -> anyhow::Result<Agent> {
    let Scene { lab, instance, .. } = scene;
    lab.kill_agent(instance, Signal::TERM).await?;
    lab.change_settings(|settings| settings.number("snapshot.interval_s", INTERVAL.as_secs()).number("snapshot.recent_s", 1));
    let old = taken(&lab.log(instance)).len();
    lab.start_agent(instance).await?;
    lab.until_status(instance, LIMIT, "the restarted agent to serve", |status| status["phase"] == "voter").await?;
    tokio::time::sleep(REST).await;
    let pid = lab.agent_process(instance).context("no agent runs")?.pid;
    memory::forget_peak(pid)?;
    let before_kib = memory::now(pid)?;
    let begun = taken(&lab.log(instance)).len();
    anyhow::ensure!(begun == old, "the agent took a snapshot before its memory was looked at");
    let enough = || async {
        let taken = taken(&lab.log(instance)).split_off(old);
        if taken.len() >= ENOUGH { Ok(taken) } else { Err(format!("{} snapshots", taken.len())) }
    };
    let seconds = lab.until(LIMIT, "the agent's own snapshots", enough).await?;
    Ok(Agent { seconds, before_kib, peak_kib: memory::peak(pid)? })
}

/// The duration of each snapshot in the log, in seconds.
fn taken(log: &str) -> Vec<f64> {
    log.lines().filter(|line| line.contains(" is in the store: ")).filter_map(|line| seconds(line.split_once(TOOK)?.1)).collect()
}

/// A duration as Rust prints it: `1.2s`, `850.1ms`.
fn seconds(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..digits].parse().ok()?;
    match text[digits..].split_whitespace().next()? {
        "s" => Some(number),
        "ms" => Some(number / 1000.0),
        _ => None,
    }
}
