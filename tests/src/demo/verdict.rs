//! The promises, what was measured, and whether they held.

use std::time::Duration;

use super::figures::Figures;
use super::timeline::{Timeline, seconds};

/// How much longer than its floor a replacement may take: notices and member health are looked at, not pushed.
const REPLACE_ALLOWANCE: Duration = Duration::from_secs(6);
const GAP: Duration = Duration::from_secs(1);
const AWS_CALLS: f64 = 12.0;
const RSS_KIB: u64 = 25 * 1024;
const CPU_PERMILLE: f64 = 2.0;

/// One promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What is promised.
    pub what: &'static str,
    /// What was measured.
    pub measured: String,
    /// What was allowed.
    pub limit: String,
    /// Whether it held.
    pub held: bool,
}

/// All promises.
#[must_use]
pub fn promises(figures: &Figures) -> Vec<Promise> {
    let slowest = figures.replace.iter().max().copied();
    let calls = figures.aws_calls_per_node_per_hour_steady;
    let rss = figures.agent_rss_kib.iter().max().copied();
    let cpu = figures.agent_cpu_permille.iter().copied().max_by(f64::total_cmp);
    let actions = figures.lifecycle_actions;
    let replace_limit = figures.replace_floor + REPLACE_ALLOWANCE;
    let bootstrap_limit = figures.bootstrap_floor * 2;
    vec![
        promise("acknowledged writes lost", format!("{} of {}", figures.lost_writes, figures.acked_writes), "0", {
            figures.lost_writes == 0 && figures.acked_writes > 0
        }),
        promise("etcd cluster ids ever seen", figures.cluster_ids.len(), "1", figures.cluster_ids.len() == 1),
        promise("lifecycle actions timed out", format!("{} of {}", actions.timed_out, actions.opened), "0", {
            actions.timed_out == 0 && actions.completed == actions.opened
        }),
        promise("longest write gap, graceful", millis(figures.gap_graceful), "< 1000 ms", figures.gap_graceful < GAP),
        promise("bootstrap", seconds(figures.bootstrap), format!("{} (2 x floor)", seconds(bootstrap_limit)), {
            figures.bootstrap <= bootstrap_limit
        }),
        promise("slowest replacement", known(slowest.map(seconds)), format!("{} (floor + 6 s)", seconds(replace_limit)), {
            slowest.is_some_and(|slowest| slowest <= replace_limit)
        }),
        promise("AWS calls per node and hour", known(calls.map(|calls| format!("{calls:.1}"))), "<= 12", {
            calls.is_some_and(|calls| calls <= AWS_CALLS)
        }),
        promise("agent memory, largest", known(rss.map(|kib| format!("{:.1} MiB", kib as f64 / 1024.0))), "< 25 MiB", {
            rss.is_some_and(|kib| kib < RSS_KIB)
        }),
        promise("agent CPU, busiest", known(cpu.map(|permille| format!("{permille:.1} permille"))), "<= 2 permille", {
            cpu.is_some_and(|permille| permille <= CPU_PERMILLE)
        }),
    ]
}

pub(super) fn promise(what: &'static str, measured: impl ToString, limit: impl ToString, held: bool) -> Promise {
    Promise { what, measured: measured.to_string(), limit: limit.to_string(), held }
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn known(measured: Option<String>) -> String {
    measured.unwrap_or_else(|| "not measured".to_owned())
}

/// Prints the table.
pub fn show(promises: &[Promise], timeline: &Timeline) {
    timeline.line("");
    timeline.line(format_args!("  {:<30}{:>16}   {:<24}{}", "promise", "measured", "limit", "held"));
    for Promise { what, measured, limit, held } in promises {
        timeline.line(format_args!("  {what:<30}{measured:>16}   {limit:<24}{}", if *held { "yes" } else { "NO" }));
    }
    timeline.line("");
}
