//! What the benchmark of strangers found, as a table and as JSON.

use std::fmt;
use std::fmt::Write as _;

use serde::Serialize;

use super::IdleOptions;
use super::gauge::Looks;

/// What strangers may add to the time of a look.
const SLOWER: f64 = 0.1;
/// What they may add to the agent's memory.
const GROWTH_KIB: u64 = 8 << 10;

/// What happened in one round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// None: the agent gave no answer.
    pub(super) looks: Option<Looks>,
    asked: u32,
    answered: u32,
    connected: usize,
    made: usize,
}

impl Round {
    /// How many strangers were connected at its end, and how many connections they made in it: one that is cut off comes back.
    pub(super) fn crowd(&mut self, connected: usize, made: usize) {
        (self.connected, self.made) = (connected, made);
    }

    /// Which of the listeners answered.
    pub(super) fn take(&mut self, answered: Vec<bool>) {
        for answer in answered {
            self.asked += 1;
            self.answered += u32::from(answer);
        }
    }

    fn look_ms(&self) -> Option<f64> {
        let looks = self.looks.filter(|looks| looks.count > 0.0)?;
        Some(looks.seconds / looks.count * 1000.0)
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.look_ms() {
            Some(ms) => write!(f, "{ms:.2} ms a look")?,
            None => write!(f, "no look is told of")?,
        }
        write!(f, " ({} of {} answered)", self.answered, self.asked)?;
        if self.made > 0 {
            write!(f, "; strangers made {} connections, and {} were open at the end", self.made, self.connected)?;
        }
        Ok(())
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    idle_per_listener: usize,
    slow_per_listener: usize,
    quiet_look_ms: Vec<Option<f64>>,
    crowded_look_ms: Vec<Option<f64>>,
    /// Of the medians.
    ratio: Option<f64>,
    answered: u32,
    asked: u32,
    /// Of strangers, at the end of each crowded round.
    connected: Vec<usize>,
    /// By strangers, in each crowded round.
    connections_made: Vec<usize>,
    before_kib: u64,
    peak_kib: u64,
    growth_kib: u64,
    /// Whether what is promised held.
    pub(super) held: bool,
}

impl Figures {
    pub(super) fn of(options: &IdleOptions, quiet: Vec<Round>, crowded: Vec<Round>, before_kib: u64, peak_kib: u64) -> Self {
        let times = |rounds: &[Round]| rounds.iter().map(Round::look_ms).collect::<Vec<_>>();
        let (quiet_look_ms, crowded_look_ms) = (times(&quiet), times(&crowded));
        let ratio = median(&crowded_look_ms).zip(median(&quiet_look_ms)).map(|(crowded, quiet)| crowded / quiet);
        let sum = |of: fn(&Round) -> u32| crowded.iter().map(of).sum();
        let (answered, asked): (u32, u32) = (sum(|round| round.answered), sum(|round| round.asked));
        let growth_kib = peak_kib.saturating_sub(before_kib);
        let held = ratio.is_some_and(|ratio| ratio <= 1.0 + SLOWER) && growth_kib <= GROWTH_KIB && answered == asked;
        Self {
            idle_per_listener: options.idle,
            slow_per_listener: options.slow,
            quiet_look_ms,
            crowded_look_ms,
            ratio,
            answered,
            asked,
            connected: crowded.iter().map(|round| round.connected).collect(),
            connections_made: crowded.iter().map(|round| round.made).collect(),
            before_kib,
            peak_kib,
            growth_kib,
            held,
        }
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut text =
            format!("\n{} idle and {} slow connections to each of four listeners\n\n", self.idle_per_listener, self.slow_per_listener);
        let shown = |times: &[Option<f64>]| median(times).map_or_else(|| "unknown".to_owned(), |ms| format!("{ms:.2} ms"));
        let _ = writeln!(text, "a look of a quiet agent    {:>10}", shown(&self.quiet_look_ms));
        let _ = writeln!(text, "a look of a crowded one    {:>10}   at most {:.0} % longer", shown(&self.crowded_look_ms), SLOWER * 100.0);
        let mib = |kib: u64| kib as f64 / 1024.0;
        let (growth, before) = (mib(self.growth_kib), mib(self.before_kib));
        let _ = writeln!(text, "memory                     {growth:>+6.1} MiB   at most {} more than {before:.1}", GROWTH_KIB >> 10);
        let _ = writeln!(text, "genuine callers answered   {:>4} of {}", self.answered, self.asked);
        text + if self.held { "\nheld\n" } else { "\nNOT HELD\n" }
    }
}

/// None if one of them is not known.
fn median(values: &[Option<f64>]) -> Option<f64> {
    let mut sorted = values.iter().copied().collect::<Option<Vec<f64>>>()?;
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
