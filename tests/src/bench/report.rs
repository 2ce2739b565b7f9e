//! What the benchmark found, as a table and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use super::agent::Agent;
use super::rounds::{Rounds, compared};
use crate::lab::Store;

/// Quorate's throughput as a part of etcdctl's, at least.
const RATIO: f64 = 0.8;
/// What taking a snapshot may add to a process' memory.
const GROWTH_KIB: u64 = 32 << 10;

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    etcd_version: String,
    /// What is compared.
    compared: &'static str,
    /// Bytes of one snapshot.
    snapshot_bytes: u64,
    etcdctl: Side,
    quorate: Side,
    /// Those that the agent took on its own, as it reports them.
    agent: Side,
    /// Quorate's median throughput as a part of etcdctl's.
    ratio: f64,
    memory: Memory,
    /// Whether what is promised held.
    pub(super) held: bool,
}

/// One side's snapshots.
#[derive(Clone, Debug, Serialize)]
struct Side {
    seconds: Vec<f64>,
    median_seconds: f64,
    mib_per_s: f64,
}

/// In KiB, of the resident sets.
#[derive(Clone, Copy, Debug, Serialize)]
struct Memory {
    save_peak_kib: u64,
    list_peak_kib: u64,
    /// Of `quorate snapshot save` above `quorate snapshot list`.
    save_growth_kib: u64,
    agent_before_kib: u64,
    agent_peak_kib: u64,
    agent_growth_kib: u64,
}

impl Figures {
    /// Puts together what was measured.
    ///
    /// # Errors
    /// Nothing was.
    pub(super) fn of(etcd_version: String, store: Store, rounds: &Rounds, agent: Agent) -> anyhow::Result<Self> {
        let side = |seconds| Side::of(seconds, rounds.bytes);
        let in_seconds = |durations: &[Duration]| durations.iter().map(Duration::as_secs_f64).collect();
        let (etcdctl, quorate) = (side(in_seconds(&rounds.etcdctl))?, side(in_seconds(&rounds.quorate))?);
        let memory = Memory {
            save_peak_kib: rounds.save_peak_kib,
            list_peak_kib: rounds.list_peak_kib,
            save_growth_kib: rounds.save_peak_kib.saturating_sub(rounds.list_peak_kib),
            agent_before_kib: agent.before_kib,
            agent_peak_kib: agent.peak_kib,
            agent_growth_kib: agent.peak_kib.saturating_sub(agent.before_kib),
        };
        let ratio = quorate.mib_per_s / etcdctl.mib_per_s;
        let small = memory.save_growth_kib < GROWTH_KIB && memory.agent_growth_kib < GROWTH_KIB;
        let held = small && (ratio >= RATIO || store == Store::S3);
        let agent = side(agent.seconds)?;
        Ok(Self { etcd_version, compared: compared(store), snapshot_bytes: rounds.bytes, etcdctl, quorate, agent, ratio, memory, held })
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut text = format!("\n{}\n{} MiB, etcd {}\n\n", self.compared, self.snapshot_bytes >> 20, self.etcd_version);
        for (name, side) in
            [("etcdctl snapshot save", &self.etcdctl), ("quorate snapshot save", &self.quorate), ("the agent's own", &self.agent)]
        {
            let _ =
                writeln!(text, "{name:<24}{:>8.2} s{:>8.0} MiB/s   median of {}", side.median_seconds, side.mib_per_s, side.seconds.len());
        }
        let mib = |kib: u64| kib as f64 / 1024.0;
        let Memory { save_growth_kib, save_peak_kib, agent_growth_kib, agent_peak_kib, .. } = self.memory;
        let _ = writeln!(text, "{:<24}{:>8.2}     at least {RATIO}", "ratio of throughput", self.ratio);
        for (name, growth, peak) in
            [("memory of the command", save_growth_kib, save_peak_kib), ("memory of the agent", agent_growth_kib, agent_peak_kib)]
        {
            let _ = writeln!(text, "{name:<24}{:>+8.1} MiB  less than {}, to {:.1} MiB", mib(growth), GROWTH_KIB >> 10, mib(peak));
        }
        text + if self.held { "\nheld\n" } else { "\nNOT HELD\n" }
    }
}

impl Side {
    fn of(seconds: Vec<f64>, bytes: u64) -> anyhow::Result<Self> {
        ensure!(!seconds.is_empty() && bytes > 0, "nothing was measured");
        let median_seconds = median(&seconds);
        Ok(Self { mib_per_s: bytes as f64 / f64::from(1 << 20) / median_seconds, median_seconds, seconds })
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}
