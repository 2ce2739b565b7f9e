//! What the agents cost: memory and processor time, from `/proc`.

use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use rustix::param::{clock_ticks_per_second, page_size};
use tokio::time::{Instant, sleep};

use crate::lab::Lab;

/// What one agent cost over a while.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// Resident memory, at the end of each third of the while.
    pub rss_kib: [u64; 3],
    /// Thousandths of one core.
    pub cpu_permille: f64,
}

/// Watches the agents of these instances for a while.
///
/// # Errors
/// One of them does not run, or ended on the way.
pub async fn of(lab: &Lab, instances: &[InstanceId], window: Duration) -> anyhow::Result<Vec<Footprint>> {
    let pid = |instance| lab.agent_process(instance).map(|agent| agent.pid).with_context(|| format!("no agent runs on {instance}"));
    let pids = instances.iter().map(pid).collect::<anyhow::Result<Vec<_>>>()?;
    let before = pids.iter().map(|pid| cpu(*pid)).collect::<anyhow::Result<Vec<_>>>()?;
    let begin = Instant::now();
    let mut resident = vec![[0; 3]; pids.len()];
    for third in 0..3 {
        sleep(window / 3).await;
        for (pid, readings) in pids.iter().zip(&mut resident) {
            readings[third] = rss_kib(*pid)?;
        }
    }
    let wall = begin.elapsed();
    let measure = |((pid, before), rss_kib): ((&i32, Duration), [u64; 3])| {
        let spent = cpu(*pid)?.saturating_sub(before);
        Ok(Footprint { rss_kib, cpu_permille: 1000.0 * spent.as_secs_f64() / wall.as_secs_f64() })
    };
    pids.iter().zip(before).zip(resident).map(measure).collect()
}

fn rss_kib(pid: i32) -> anyhow::Result<u64> {
    let statm = read(pid, "statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("statm is short")?.parse()?;
    Ok(pages * page_size() as u64 / 1024)
}

/// The time of all its threads, those that ended included.
fn cpu(pid: i32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    // The program's name is in brackets and may hold anything; utime and stime are the 12th and 13th after it.
    let (_, rest) = stat.rsplit_once(") ").context("stat has no name")?;
    let ticks: Vec<u64> = rest.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_secs_f64(ticks.iter().sum::<u64>() as f64 / clock_ticks_per_second() as f64))
}

fn read(pid: i32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}
