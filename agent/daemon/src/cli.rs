//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use quorate_core::ids::BadName;
use quorate_core::memory::Order;

/// Keeps the etcd cluster of an EC2 Auto Scaling group whole, from every instance of it.
#[derive(Debug, Parser)]
#[command(name = "quorate", version)]
pub struct Cli {
    /// One configuration file, in place of the fragments in /usr/lib, /etc and /run/quorate/config.d.
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
    /// Say what is missing on this instance, and how to mend it.
    ///
    /// Looks at tags, permissions, hooks, endpoints, the store, ports, peers, clock, disk, systemd, etcd or the distribution of Kubernetes, the
    /// alias and the rendered files, each as the instance's role needs it; changes nothing, and works before the first boot as well as beside
    /// the agent. Run it as root. The exit status is 1 if there is a problem.
    Check(CheckArgs),
    /// Wait until this node has joined, for units that are to start after it.
    Wait,
    /// Leave the cluster and stay away until `quorate join`; lifecycle hooks are completed as usual.
    Leave,
    /// Take `quorate leave` back.
    Join,
    /// Take no step on this node until `quorate resume` or `quorate leave`; what is seen is still said, and lifecycle hooks are kept open.
    Pause(PauseArgs),
    /// End a pause.
    Resume(PauseArgs),
    /// Found the cluster on this node, where no store is configured, or recover it from this survivor's data.
    Bootstrap,
    /// Print an administrator's kubeconfig with a stable endpoint to standard output, and into no file.
    ///
    /// On a server of a control plane, as root. The API server in it is the first that is known of: `--server`, the setting
    /// kubernetes.endpoint, the alias (kubernetes.alias), this node's own address. Cluster, user and context bear the cluster's name;
    /// certificates and key are those of the distribution's own kubeconfig. What is printed is a secret.
    Kubeconfig(KubeconfigArgs),
    /// Point the alias of the API where the agent wishes it to, in the hosts file; for quorate-alias.service.
    #[command(hide = true, subcommand)]
    Alias(AliasCommand),
    /// Write man pages or shell completions into a directory, for packages.
    #[command(hide = true)]
    Generate(GenerateArgs),
    /// Take, show, prove and delete snapshots of etcd in the cluster's store; without the agent's help, as root.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Show what is known of a cluster that cannot come back by itself, and what each way to bring it back would keep and lose; or order one.
    ///
    /// Nothing is done without --survivor, --snapshot or --fresh, which must name the cluster. Never beside a quorum that is alive, and never while
    /// an instance is silent that EC2 does not call terminated: such an order waits, and says for whom. An order is remembered until it is carried
    /// out, a quorum is seen, or `quorate join` takes it back. Exit status: 0 if the order was taken, or, where none is given, if no operator is
    /// needed; 1 if it was refused or the agent does not answer; 3 if no order is given and one is needed; 64 for a configuration that cannot be read.
    Recover(RecoverArgs),
}

/// `quorate status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `quorate pause` and `quorate resume`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// On every node of the cluster, told through etcd. Each remembers it while etcd has no quorum.
    #[arg(long)]
    pub cluster: bool,
}

/// `quorate check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Exit with status 1 for a warning too.
    #[arg(long)]
    pub strict: bool,
}

/// `quorate kubeconfig`.
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// The API server to put into it, such as https://api.prod.example:6443.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The cluster's name, in place of the configuration's or the agent's word.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The kubeconfig to take certificates and key from, in place of the distribution's.
    #[arg(long, value_name = "FILE")]
    pub admin: Option<PathBuf>,
}

/// `quorate alias`.
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// Rewrite our line of the hosts file, and no other.
    Apply,
}

/// `quorate snapshot`.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Take one of this node's member now.
    Save,
    /// Show what the store holds, and what in it is no snapshot.
    List(SnapshotList),
    /// Read one again, to the last byte, and compare it with its manifest and with etcd's own checksum. The newest, unless another is named.
    Verify(SnapshotPick),
    /// Delete those that need not be kept, by the settings of `[snapshot]`; the agent beside the leader does it by itself.
    Prune(SnapshotPrune),
}

/// `quorate snapshot list`.
#[derive(Debug, Args)]
pub struct SnapshotList {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `quorate snapshot verify`.
#[derive(Debug, Args)]
pub struct SnapshotPick {
    /// Its key, as `quorate snapshot list` shows it.
    pub key: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with = "key")]
    pub all: bool,
    /// Restore it on trial too, with etcd's own tool, and compare revision and hash of all keys. What was restored is removed again.
    #[arg(long)]
    pub restore: bool,
    /// Where to restore it, with room for twice its size; `trial` in the agent's state directory, unless another is named.
    #[arg(long, value_name = "DIRECTORY", requires = "restore")]
    pub scratch: Option<PathBuf>,
}

/// `quorate snapshot prune`.
#[derive(Debug, Args)]
pub struct SnapshotPrune {
    /// Say which, and delete none.
    #[arg(long)]
    pub dry_run: bool,
}

/// `quorate recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Go on from this node's own data as a new generation, although policy forbids it.
    #[arg(long, requires = "cluster", group = "way")]
    pub survivor: bool,
    /// With --survivor: although etcd's list of voters here differs from the charter's.
    #[arg(long, requires = "survivor")]
    pub although_voters_differ: bool,
    /// Restore this snapshot here, or the newest that verifies; what members still hold without quorum is given up, and kept in the trash.
    #[arg(long, value_name = "KEY|newest", requires = "cluster", group = "way")]
    pub snapshot: Option<String>,
    /// Go on from the data of the cluster's only voter, whose volume was moved to this instance: the same member, and nothing lost if it is the newest copy.
    #[arg(long, requires = "cluster", group = "way")]
    pub moved_volume: bool,
    /// Found an EMPTY cluster in place of the lost one.
    #[arg(long, requires = "cluster", group = "way")]
    pub fresh: bool,
    /// The cluster's name, typed out, so that no other is meant.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Do not ask on a terminal.
    #[arg(long)]
    pub yes: bool,
    /// Show what is known and what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "way")]
    pub json: bool,
}

impl RecoverArgs {
    /// What is ordered, if anything.
    ///
    /// # Errors
    /// The key can be no snapshot's.
    pub fn order(&self) -> Result<Option<Order>, BadName> {
        let key = self.snapshot.as_deref();
        Ok(match (self.survivor, key, self.fresh) {
            _ if self.dry_run => None,
            _ if self.moved_volume => Some(Order::RecoverMovedVolume),
            (true, ..) => Some(Order::RecoverSurvivor { although_voters_differ: self.although_voters_differ }),
            (_, Some("newest"), _) => Some(Order::RecoverSnapshot { key: None }),
            (_, Some(key), _) => Some(Order::RecoverSnapshot { key: Some(key.parse()?) }),
            (.., true) => Some(Order::RecoverFresh),
            (false, None, false) => None,
        })
    }
}

/// `quorate generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What to write.
    pub what: Generated,
    /// Where.
    pub directory: PathBuf,
}

/// What can be generated from the command line's own description.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Generated {
    /// quorate.8 and a page for each command.
    Man,
    /// For bash, zsh and fish.
    Completions,
}

impl GenerateArgs {
    /// Writes them.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let mut command = Cli::command();
        match self.what {
            Generated::Man => {
                command.build();
                pages(command, &self.directory)
            }
            Generated::Completions => [Shell::Bash, Shell::Zsh, Shell::Fish]
                .into_iter()
                .try_for_each(|shell| clap_complete::generate_to(shell, &mut command, "quorate", &self.directory).map(drop)),
        }
    }
}

fn pages(command: clap::Command, directory: &Path) -> std::io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        pages(sub.clone(), directory)?;
    }
    let man = clap_mangen::Man::new(command).section("8");
    let mut page = Vec::new();
    man.render(&mut page)?;
    std::fs::write(directory.join(man.get_filename()), page)
}
