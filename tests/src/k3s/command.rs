//! The command line.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::ensure;
use clap::{Parser, Subcommand};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::beside::Beside;
use super::config::{Config, Kind};
use super::{agent, log, reset, server};

/// Lightweight Kubernetes, as far as a node of the lab needs it.
#[derive(Debug, Parser)]
#[command(name = "k3s", version = "version v1.33.5+k3s1 (5ab06565)\ngo version go1.24.6")]
struct Cli {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Run management server.
    Server {
        #[command(flatten)]
        options: Options,
        /// Forget all peers and become sole member of a new cluster.
        #[arg(long)]
        cluster_reset: bool,
        /// Path to snapshot file to be restored.
        #[arg(long, value_name = "FILE", default_value = None)]
        cluster_reset_restore_path: Option<PathBuf>,
        /// Enable backup to S3, where a snapshot to be restored is looked for too.
        #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
        etcd_s3: bool,
    },
    /// Run node agent.
    Agent(Options),
    /// Becomes etcd, and dies with the process that started it: k3s' etcd is a part of k3s itself.
    #[command(hide = true)]
    Etcd { parent: i32, binary: PathBuf, config: PathBuf },
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Load configuration from FILE.
    #[arg(long, value_name = "FILE", default_value = "/etc/rancher/k3s/config.yaml")]
    config: PathBuf,
}

/// Runs the command line. Every fatal error ends with exit code 1, as k3s' `logrus.Fatal` does.
///
/// It has one thread: etcd's parent-death signal is bound to the thread that started it.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    match act(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::fatal(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn act(command: Sub) -> anyhow::Result<()> {
    match command {
        Sub::Server { options, cluster_reset, cluster_reset_restore_path: path, etcd_s3 } => {
            log::info("Starting k3s v1.33.5+k3s1 (5ab06565)");
            let (config, beside) = (Config::read(&options.config, Kind::Server)?, Beside::of(&options.config)?);
            ensure!(!etcd_s3, "the stand-in knows no S3");
            ensure!(cluster_reset || path.is_none(), "invalid flag use; --cluster-reset required with --cluster-reset-restore-path");
            if cluster_reset { reset::run(&config, &beside, path.as_deref()).await } else { server::run(config, beside).await }
        }
        Sub::Agent(options) => {
            log::info("Starting k3s agent v1.33.5+k3s1 (5ab06565)");
            agent::run(Config::read(&options.config, Kind::Agent)?, Beside::of(&options.config)?).await
        }
        Sub::Etcd { parent, binary, config } => {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            ensure!(getppid().map(|pid| pid.as_raw_nonzero().get()) == Some(parent), "the stand-in has ended");
            Err(Command::new(binary).arg("--config-file").arg(config).exec().into())
        }
    }
}
