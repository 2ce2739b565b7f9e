//! How busy the machine was while something was measured on it, from `/proc`.

use std::fmt;

use anyhow::Context;
use serde::Serialize;

/// How busy it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    /// Its CPUs.
    pub cpus: usize,
    /// How many of them were busy on average, with this run and with everything else.
    pub busy_cpus: f64,
    /// How many processes ran or waited to run, on average of the last five minutes.
    pub load_average_5min: f64,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpus, busy_cpus, load_average_5min } = self;
        write!(f, "{busy_cpus:.1} of {cpus} CPUs busy, load average {load_average_5min:.1}")
    }
}

/// Looks at the machine from now on.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    begin: Ticks,
}

impl Watch {
    /// Begins.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn begin() -> anyhow::Result<Self> {
        Ok(Self { begin: Ticks::now()? })
    }

    /// How busy it was until now.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn load(&self) -> anyhow::Result<Load> {
        let average = read("/proc/loadavg")?;
        let load_average_5min = average.split(' ').nth(1).context("/proc/loadavg is short")?.parse()?;
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Ticks::now()?.since(self.begin).load(load_average_5min, cpus))
    }
}

/// The time of all CPUs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
    cpus: u64,
}

impl Ticks {
    fn now() -> anyhow::Result<Self> {
        Self::parse(&read("/proc/stat")?)
    }

    /// The line `cpu user nice system idle iowait irq softirq steal guest guest_nice`; the guests' time is in the first two already.
    fn parse(stat: &str) -> anyhow::Result<Self> {
        let sum = stat.lines().find_map(|line| line.strip_prefix("cpu ")).context("/proc/stat has no sum of all CPUs")?;
        let ticks: Vec<u64> = sum.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>()?;
        let idle = ticks.iter().skip(3).take(2).sum();
        let is_one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
        Ok(Self { all: ticks.iter().sum(), idle, cpus: stat.lines().filter(is_one).count() as u64 })
    }

    fn since(self, begin: Self) -> Self {
        Self { all: self.all.saturating_sub(begin.all), idle: self.idle.saturating_sub(begin.idle), cpus: self.cpus }
    }

    fn load(self, load_average_5min: f64, cpus: usize) -> Load {
        let busy = self.all.saturating_sub(self.idle) as f64 / self.all.max(1) as f64;
        Load { cpus, busy_cpus: busy * self.cpus as f64, load_average_5min }
    }
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
