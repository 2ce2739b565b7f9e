//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Keeps the etcd cluster of an EC2 Auto Scaling group whole, from every instance of it.
#[derive(Debug, Parser)]
#[command(name = "quorate", version)]
pub struct Cli {
    /// The configuration file; without it /etc/quorate/config.toml is read if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent on this instance.
    Run,
    /// Say who is here, who leads, and what is awaited.
    Status(StatusArgs),
    /// Say what the agent would do next, and change nothing.
    Plan,
    /// Leave the cluster and stay away until `quorate join`; lifecycle hooks are completed as usual.
    Leave,
    /// Take `quorate leave` back.
    Join,
    /// Found the cluster on this node, where no store is configured, or recover it from this survivor's data.
    Bootstrap,
    /// Bring a cluster back that cannot come back by itself.
    Recover(RecoverArgs),
}

/// `quorate status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `quorate recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Found an EMPTY cluster in place of the lost one.
    #[arg(long, requires = "cluster")]
    pub fresh: bool,
    /// The cluster's name, typed out, so that no other is meant.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Show what is known and what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}
