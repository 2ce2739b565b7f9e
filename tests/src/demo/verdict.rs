//! The promises, what was measured, and whether they held.

use std::time::Duration;

use super::figures::Figures;
use super::load::Load;
use super::timeline::{Timeline, seconds};

/// A replacement at the agents' default pace: notices and member health are looked at every two seconds, not pushed, and after a change
/// etcd wants its voters connected for five seconds before the next.
const REPLACE: Duration = Duration::from_secs(10);
const GAP: Duration = Duration::from_secs(1);
const AWS_CALLS: f64 = 12.0;
const RSS_KIB: u64 = 28 * 1024;
const CPU_PERMILLE: f64 = 2.0;

/// What a promise is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// That nothing is lost or broken, on any machine.
    Safety,
    /// How quick or how small something is, on a machine that does nothing else.
    Timing,
}

/// One promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What it is about.
    pub kind: Kind,
    /// What is promised.
    pub what: &'static str,
    /// What was measured.
    pub measured: String,
    /// What was allowed.
    pub limit: String,
    /// Whether it held.
    pub held: bool,
}

impl Promise {
    fn verdict(&self) -> &'static str {
        match (self.held, self.kind) {
            (true, _) => "yes",
            (false, Kind::Safety) => "NO",
            (false, Kind::Timing) => "missed",
        }
    }
}

/// Whether all promises of this kind held.
#[must_use]
pub fn held(promises: &[Promise], kind: Kind) -> bool {
    promises.iter().filter(|promise| promise.kind == kind).all(|promise| promise.held)
}

/// Whether the run passes: the safety promises held, and if it is strict, every timing too.
#[must_use]
pub fn passes(promises: &[Promise], strict: bool) -> bool {
    held(promises, Kind::Safety) && (!strict || held(promises, Kind::Timing))
}

/// All promises.
#[must_use]
pub fn promises(figures: &Figures) -> Vec<Promise> {
    let mut all = safety_of(figures);
    all.extend(timing_of(figures));
    all
}

fn safety_of(figures: &Figures) -> Vec<Promise> {
    let actions = figures.lifecycle_actions;
    vec![
        safety("acknowledged writes lost", format!("{} of {}", figures.lost_writes, figures.acked_writes), "0", {
            figures.lost_writes == 0 && figures.acked_writes > 0
        }),
        safety("etcd cluster ids ever seen", figures.cluster_ids.len(), "1", figures.cluster_ids.len() == 1),
        safety("lifecycle actions timed out", format!("{} of {}", actions.timed_out, actions.opened), "0", {
            actions.timed_out == 0 && actions.completed == actions.opened
        }),
    ]
}

fn timing_of(figures: &Figures) -> Vec<Promise> {
    let slowest = figures.replace.iter().max().copied();
    let calls = figures.aws_calls_per_node_per_hour_steady;
    let rss = figures.agent_rss_kib.iter().max().copied();
    let cpu = figures.agent_cpu_permille.iter().copied().max_by(f64::total_cmp);
    let bootstrap_limit = figures.bootstrap_floor * 2;
    let replace_limit = format!("< {} s (etcd alone {})", REPLACE.as_secs(), seconds(figures.replace_floor));
    let memory_limit = format!("< 28 MiB (median {})", known(median(&figures.agent_rss_kib).map(mib)));
    vec![
        timing("longest write gap, graceful", millis(figures.gap_graceful), "< 1000 ms", figures.gap_graceful < GAP),
        timing("bootstrap", seconds(figures.bootstrap), format!("<= {} (2 x etcd alone)", seconds(bootstrap_limit)), {
            figures.bootstrap <= bootstrap_limit
        }),
        timing("slowest replacement", known(slowest.map(seconds)), replace_limit, slowest.is_some_and(|slowest| slowest < REPLACE)),
        timing("AWS calls per node and hour", known(calls.map(|calls| format!("{calls:.1}"))), "<= 12", {
            calls.is_some_and(|calls| calls <= AWS_CALLS)
        }),
        timing("agent memory, largest", known(rss.map(mib)), memory_limit, rss.is_some_and(|kib| kib < RSS_KIB)),
        timing("agent CPU, busiest", known(cpu.map(|permille| format!("{permille:.1} permille"))), "<= 2 permille", {
            cpu.is_some_and(|permille| permille <= CPU_PERMILLE)
        }),
    ]
}

/// A promise that must hold on any machine.
pub(super) fn safety(what: &'static str, measured: impl ToString, limit: impl ToString, held: bool) -> Promise {
    Promise { kind: Kind::Safety, what, measured: measured.to_string(), limit: limit.to_string(), held }
}

/// A promise that a busy machine may miss.
pub(super) fn timing(what: &'static str, measured: impl ToString, limit: impl ToString, held: bool) -> Promise {
    Promise { kind: Kind::Timing, what, measured: measured.to_string(), limit: limit.to_string(), held }
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

fn median(readings: &[u64]) -> Option<u64> {
    let mut sorted = readings.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

fn known(measured: Option<String>) -> String {
    measured.unwrap_or_else(|| "not measured".to_owned())
}

/// Prints the table, and the context for judging a missed timing.
pub fn show(promises: &[Promise], load: &Load, timeline: &Timeline) {
    timeline.line("");
    timeline.line(format_args!("  {:<30}{:>16}   {:<29}{}", "promise", "measured", "limit", "held"));
    for promise @ Promise { what, measured, limit, .. } in promises {
        timeline.line(format_args!("  {what:<30}{measured:>16}   {limit:<29}{}", promise.verdict()));
    }
    timeline.line("");
    timeline.line(format_args!("  The machine meanwhile: {load}."));
    if !held(promises, Kind::Timing) {
        timeline.line("  A missed timing is no failure here: it counts on a machine that does nothing else (`make bench`, or --strict).");
    }
    timeline.line("");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safety_decides_and_a_missed_timing_only_where_it_is_asked_for() {
        let both = |safe, quick| vec![safety("nothing is lost", 0, 0, safe), timing("it is quick", 0, 0, quick)];
        for (safe, quick, strict, expected) in [
            (true, true, false, true),
            (true, false, false, true),
            (true, false, true, false),
            (false, true, false, false),
            (false, true, true, false),
        ] {
            assert_eq!(passes(&both(safe, quick), strict), expected, "safe {safe}, quick {quick}, strict {strict}");
        }
        let verdicts: Vec<_> = both(false, false).iter().map(Promise::verdict).collect();
        assert_eq!(verdicts, ["NO", "missed"]);
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!((median(&[3, 1, 2]), median(&[])), (Some(2), None));
    }
}
