//! The command line of `quorate-lab`.
//!
//! It is here and not in the binary, because an `async fn` is compiled where it is awaited: awaited there, the whole lab would be compiled again for it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::bench::idle::{self, IdleOptions};
use crate::bench::{self, BenchOptions};
use crate::demo::{self, DemoOptions};
use crate::lab::Store;
use crate::{lab, output, simulator, up};
use clap::{Parser, Subcommand};
use quorate_core::role::Role;
use tokio::signal::unix::{SignalKind, signal};

/// As a shell reports a program that ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// A simulated AWS region with real agents and real etcd.
#[derive(Debug, Parser)]
#[command(name = "quorate-lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A group forms its cluster, is rolled under load, survives a kill and is scaled in; exit 0 if what is promised for safety's sake held.
    Demo {
        /// How many instances; of a control plane, how many servers.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=7))]
        size: u8,
        /// etcd, or control-plane: servers of k3s, by a stand-in, with workers beside them.
        #[arg(long, default_value = "etcd", value_parser = played)]
        role: Role,
        /// etcd, 3.4 or later, with etcdctl beside it.
        #[arg(long, value_name = "PATH")]
        etcd: Option<PathBuf>,
        /// Also the figures as JSON, into a file; to standard output without a name.
        #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
        json: Option<PathBuf>,
        /// Exit 0 only if every timing held too, which wants a machine that does nothing else.
        #[arg(long)]
        strict: bool,
        /// How long a member may be silent before the agents treat it as dead, in seconds; their default is 60.
        #[arg(long, default_value_t = 6, value_name = "SECONDS")]
        prune_grace_s: u16,
    },
    /// Measures one thing against the tool that an operator would use instead; exit 0 if what is promised of it held.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Keep a region with a group running, for the unmodified AWS CLI; ctrl-C ends it.
    Up {
        /// How many instances.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=7))]
        size: u8,
        /// etcd, 3.4 or later, with etcdctl beside it.
        #[arg(long, value_name = "PATH")]
        etcd: Option<PathBuf>,
    },
    /// Seeded schedules in virtual time; exit 0 if no seed broke an invariant.
    Simulate {
        /// How many seeds.
        #[arg(long, default_value_t = 200)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Only groups of this role, from its first seed on; without it a control plane's seeds are played besides, one for three others.
        #[arg(long, value_parser = Role::parse)]
        role: Option<Role>,
        /// Replay this one seed and tell its story instead.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Clears up after a lab that was killed.
    #[command(hide = true)]
    Warden {
        /// The lab's directory.
        root: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// `quorate snapshot save`, and the agent's own snapshots, against `etcdctl snapshot save` to the same disk.
    Snapshot {
        /// How large the database is made, in MiB.
        #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(16..=65_536))]
        mib: u64,
        /// How often each side takes one; the medians are compared.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
        rounds: u8,
        /// file, or s3: then the two write to different places, and nothing is promised.
        #[arg(long, default_value = "file", value_parser = store)]
        store: Store,
        /// etcd, 3.4 or later, with etcdctl beside it.
        #[arg(long, value_name = "PATH")]
        etcd: Option<PathBuf>,
        /// On the disk that is written to; it needs room for 4 times the database, and for one more with each round.
        #[arg(long, value_name = "DIRECTORY")]
        directory: PathBuf,
        /// Also the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// An agent beside strangers' connections that say nothing, or never finish what they say.
    Idle {
        /// Connections that say nothing, to each listener.
        #[arg(long, default_value_t = 1000, value_parser = up_to_5000)]
        idle: usize,
        /// Connections whose request never comes to its end, to each listener.
        #[arg(long, default_value_t = 200, value_parser = up_to_5000)]
        slow: usize,
        /// Rounds, quiet and crowded each; the medians are compared.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
        rounds: u8,
        /// How long one takes.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// etcd, 3.4 or later.
        #[arg(long, value_name = "PATH")]
        etcd: Option<PathBuf>,
        /// Also the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
}

/// Does what the command line says.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    let done = tokio::select! {
        done = act(Cli::parse().command) => done,
        // Dropping the work clears up after it.
        stopped = stopped() => stopped.map(|()| ExitCode::from(INTERRUPTED)).map_err(Into::into),
    };
    done.unwrap_or_else(|error| {
        eprintln!("quorate-lab: {error:#}");
        ExitCode::FAILURE
    })
}

async fn stopped() -> std::io::Result<()> {
    let (mut interrupt, mut terminate, mut hang_up) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

async fn act(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo { size, role, etcd, json, strict, prune_grace_s } => {
            let held = demo::run(&DemoOptions { size, role, etcd, json, strict, prune_grace_s }).await?;
            Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Bench { what: Bench::Snapshot { mib, rounds, store, etcd, directory, json } } => {
            let held = bench::run(BenchOptions { mib, rounds, store, etcd, directory, json }).await?;
            Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Bench { what: Bench::Idle { idle, slow, rounds, seconds, etcd, json } } => {
            let held = idle::run(IdleOptions { idle, slow, rounds, seconds, etcd, json }).await?;
            Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Up { size, etcd } => up::run(size, etcd.as_deref()).await.map(|()| ExitCode::SUCCESS),
        Command::Simulate { seed: Some(seed), .. } => replay(seed),
        Command::Simulate { seeds, from, role, seed: None } => simulate(&ranges(from, seeds, role)),
        Command::Warden { root } => {
            lab::root::watch(&root)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Workers are simulated beside servers, never alone.
fn played(text: &str) -> Result<Role, &'static str> {
    Role::parse(text).and_then(|role| if role == Role::Worker { Err("use etcd or control-plane") } else { Ok(role) })
}

/// Traffic stays bounded.
fn up_to_5000(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|number| *number <= 5000).ok_or("use a number up to 5000")
}

fn store(text: &str) -> Result<Store, &'static str> {
    match text {
        "file" => Ok(Store::Directory),
        "s3" => Ok(Store::S3),
        _ => Err("use file or s3"),
    }
}

/// The seeds to play: a number from there on of one role, or of both.
fn ranges(from: u64, count: u64, role: Option<Role>) -> Vec<std::ops::Range<u64>> {
    let range = |from: u64, count: u64| from..from.saturating_add(count);
    let of_servers = |count| range(simulator::CONTROL_PLANE.saturating_add(from), count);
    match role {
        Some(Role::ControlPlane) => vec![of_servers(count)],
        None if from < simulator::SEVERAL_GROUPS => {
            vec![range(from, count), of_servers(count / 3), range(simulator::HARDSHIPS.saturating_add(from), count / 3)]
        }
        Some(_) | None => vec![range(from, count)],
    }
}

/// Runs the seeds on all cores and tells the story of the first that failed.
fn simulate(ranges: &[std::ops::Range<u64>]) -> anyhow::Result<ExitCode> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut failures = Vec::new();
    for seeds in ranges {
        let summary = simulator::simulate(seeds.clone(), threads);
        output::print(&summary)?;
        failures.extend(summary.failures);
    }
    let Some(failure) = failures.first() else { return Ok(ExitCode::SUCCESS) };
    output::print(format_args!("\n{}", simulator::replay(failure.seed)))?;
    output::print(format_args!("again: make simulate SEED={}\n", failure.seed))?;
    Ok(ExitCode::FAILURE)
}

fn replay(seed: u64) -> anyhow::Result<ExitCode> {
    let (_, violation) = simulator::run_seed(seed);
    output::print(simulator::replay(seed))?;
    Ok(if violation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
