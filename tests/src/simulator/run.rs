//! Running seeds: many at once for the summary, one again for its story.

use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quorate_core::time::Timestamp;

use super::invariants::Violation;
use super::sabotage::Sabotage;
use super::schedule::Schedule;
use super::stats::Stats;
use super::world::World;

/// A seed that broke an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
}

/// The results of many runs.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// All their counts.
    pub stats: Stats,
    /// The seeds that broke an invariant, in ascending order.
    pub failures: Vec<Failure>,
    /// How long it took in real time.
    pub took: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stats)?;
        let per_minute = self.stats.runs as f64 / self.took.as_secs_f64().max(1e-9) * 60.0;
        writeln!(
            f,
            "{} runs in {:.1} s ({per_minute:.0} a minute), {} failed",
            self.stats.runs,
            self.took.as_secs_f64(),
            self.failures.len()
        )?;
        for Failure { seed, violation } in &self.failures {
            writeln!(f, "seed {seed}: {violation}")?;
        }
        Ok(())
    }
}

/// Runs every seed of the range on that number of threads.
#[must_use]
pub fn simulate(seeds: Range<u64>, threads: usize) -> Summary {
    batch(seeds, threads, None)
}

/// The same with one rule broken on purpose: every rule that matters makes seeds fail.
#[must_use]
pub fn simulate_sabotaged(seeds: Range<u64>, threads: usize, sabotage: Sabotage) -> Summary {
    batch(seeds, threads, Some(sabotage))
}

#[allow(clippy::disallowed_methods, reason = "how long a batch takes is for people; no run sees it")]
fn batch(seeds: Range<u64>, threads: usize, sabotage: Option<Sabotage>) -> Summary {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let part = work(&next, seeds.end, sabotage);
                let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                total.stats.add(&part.stats);
                total.failures.extend(part.failures);
            });
        }
    });
    let mut summary = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failures.sort_by_key(|failure| failure.seed);
    summary.took = began.elapsed();
    summary
}

fn work(next: &AtomicU64, end: u64, sabotage: Option<Sabotage>) -> Summary {
    let mut part = Summary::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return part;
        }
        let (stats, violation) = run(seed, sabotage);
        part.stats.add(&stats);
        part.failures.extend(violation.map(|violation| Failure { seed, violation }));
    }
}

/// Runs one seed without its story.
#[must_use]
pub fn run_seed(seed: u64) -> (Stats, Option<Violation>) {
    run(seed, None)
}

/// A panic of the planner is a violation like any other.
fn run(seed: u64, sabotage: Option<Sabotage>) -> (Stats, Option<Violation>) {
    let world = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, Schedule::of(seed), sabotage, false);
        world.run();
        (world.stats, world.violation)
    }));
    world.unwrap_or_else(|_| {
        let violation = Violation { invariant: "panic", text: "the planner or the simulator panicked".to_owned(), at: Timestamp(0) };
        (Stats { runs: 1, ..Stats::default() }, Some(violation))
    })
}

/// Runs one seed again and returns its story, line by line: virtual time, node, what it says and does, and its faults.
#[must_use]
pub fn replay(seed: u64) -> String {
    replay_with(seed, None)
}

pub(crate) fn replay_with(seed: u64, sabotage: Option<Sabotage>) -> String {
    let schedule = Schedule::of(seed);
    let head = super::story::head(seed, &schedule);
    let mut world = World::new(seed, schedule, sabotage, true);
    world.run();
    let end = match &world.violation {
        Some(violation) => format!("seed {seed} broke {violation}\n"),
        None => format!("seed {seed} broke nothing\n"),
    };
    format!("{head}{}{end}", world.story())
}
