//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use quorate_core::ids::{BadName, ClusterName};
use quorate_core::memory::Order;

/// Keeps the etcd cluster of an EC2 Auto Scaling group healthy, from each of its instances.
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
    /// Show the members, the leader, and what is awaited.
    Status(StatusArgs),
    /// Show what the agent would do next, and change nothing.
    Plan,
    /// Show what is missing on this instance, and how to fix it.
    ///
    /// Checks tags, permissions, hooks, endpoints, the store, ports, peers, clock, disk, systemd, etcd or the Kubernetes distribution, the alias and the
    /// rendered files, as far as the instance's role needs them. It changes nothing, and works before the first boot as well as beside the agent. Run it as
    /// root. The exit status is 1 if there is a problem.
    Check(CheckArgs),
    /// Wait until this node has joined, for units that should start after it.
    Wait,
    /// Leave the cluster and stay away until `quorate join`; lifecycle hooks are completed as usual.
    Leave,
    /// Undo `quorate leave`.
    Join,
    /// Take no step on this node until `quorate resume` or `quorate leave`; it still reports what it sees, and keeps lifecycle hooks open.
    Pause(PauseArgs),
    /// End a pause.
    Resume(PauseArgs),
    /// Found the cluster on this node, where no store is configured, or recover it from this survivor's data.
    Bootstrap,
    /// Print an administrator's kubeconfig with a stable endpoint to standard output.
    ///
    /// Run it on a server of a control plane, as root. Its API server is the first known one of: `--server`, the setting kubernetes.endpoint, the alias
    /// (kubernetes.alias), this node's own address. Cluster, user and context have the cluster's name; certificates and key are those of the distribution's own
    /// kubeconfig. The output is a secret.
    Kubeconfig(KubeconfigArgs),
    /// Run etcdctl against this cluster, with its endpoints and, where it has TLS, with this node's certificate.
    ///
    /// Run it on a member, as root. Everything after `--` is etcdctl's, such as `quorate etcdctl -- endpoint status --cluster`. Exit status: etcdctl's.
    Etcdctl(EtcdctlArgs),
    /// Have the cluster's certificates come from a new authority, while it serves.
    ///
    /// Run it on one member. All members trust both authorities first, then get new certificates, then trust the new one alone; each restarts its etcd twice, one
    /// at a time, the leader last. Whoever leads carries it on, whatever ends in between. What the old authority signed is of no use afterwards.
    #[command(subcommand)]
    Pki(PkiCommand),
    /// Get a client's certificate for etcd, on an instance that is no member.
    ///
    /// The instance proves its IAM role by a request for STS that it signs in advance. A member has it answered, and gives what `[[grant]]` in its configuration grants
    /// to that role. The key is made here and never leaves; client.pem has it, beside ca.pem and endpoints.env. Exit status: 0 if the certificate is there; 1 if
    /// something of this machine is wrong; 64 if the configuration cannot be read; 69 if no member answers; 75 if a later try may succeed; 77 if it is refused.
    Credentials(CredentialsArgs),
    /// Point the API's alias in the hosts file where the agent wants it; for quorate-alias.service.
    #[command(hide = true, subcommand)]
    Alias(AliasCommand),
    /// Write man pages or shell completions into a directory, for packages.
    #[command(hide = true)]
    Generate(GenerateArgs),
    /// Take, list, verify and delete snapshots of etcd in the cluster's store; as root, without the agent.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Show what is known of a cluster that cannot recover on its own, and what each way to bring it back would keep and lose; or order one.
    ///
    /// Nothing is done without --survivor, --snapshot, --reattached-volume or --fresh, each with the cluster's name. An order is never carried out beside a living
    /// quorum, nor while an instance is silent that EC2 does not call terminated: it then waits, and says for which one. An order is remembered until it is
    /// carried out, a quorum is seen, or `quorate join` withdraws it. Exit status: 0 if the order was accepted or, without an order, if no operator is needed;
    /// 1 if it was refused or the agent does not answer; 3 if no order is given and one is needed; 64 if the configuration cannot be read.
    Recover(RecoverArgs),
}

/// `quorate etcdctl`.
#[derive(Debug, Args)]
pub struct EtcdctlArgs {
    /// etcdctl's own arguments.
    #[arg(last = true)]
    pub arguments: Vec<OsString>,
}

/// `quorate pki`.
#[derive(Debug, Subcommand)]
pub enum PkiCommand {
    /// Begin a rotation of the authority.
    Rotate,
}

/// `quorate credentials`.
#[derive(Debug, Args)]
pub struct CredentialsArgs {
    /// Where the files are written; it is made if it is not there.
    #[arg(long, value_name = "DIRECTORY")]
    pub out: PathBuf,
    /// Ask the member at this address. It may be given several times. Without it the cluster's groups are found by their tags.
    #[arg(long, value_name = "ADDRESS")]
    pub server: Vec<IpAddr>,
    /// Recognise members by the authority in this file, in place of the one that they publish in the store.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The store in which they publish it, in place of store.url.
    #[arg(long, value_name = "URL", conflicts_with = "ca")]
    pub store: Option<String>,
    /// The cluster, in place of cluster.name.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<ClusterName>,
    /// Do nothing before half of the life of the certificate that is there.
    #[arg(long)]
    pub renew: bool,
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
    /// On every node of the cluster, through etcd. Each node remembers it while etcd has no quorum.
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
    /// The cluster's name, in place of the one from the configuration or the agent.
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
    /// Take a snapshot of this node's member now.
    Save,
    /// List the snapshots in the store, and what else is there.
    List(SnapshotList),
    /// Read a snapshot again, to the last byte, and compare it with its manifest and with etcd's own checksum. The newest, unless another is named.
    Verify(SnapshotPick),
    /// Delete snapshots that need not be kept, by the settings of `[snapshot]`; the agent beside the leader does so automatically.
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
    /// Also restore it for a test, with etcd's own tool, and compare revision and hash of all keys. What was restored is removed again.
    #[arg(long)]
    pub restore: bool,
    /// Where to restore it, with room for twice its size; `trial` in the agent's state directory, unless another is named.
    #[arg(long, value_name = "DIRECTORY", requires = "restore")]
    pub scratch: Option<PathBuf>,
}

/// `quorate snapshot prune`.
#[derive(Debug, Args)]
pub struct SnapshotPrune {
    /// Show which, and delete none.
    #[arg(long)]
    pub dry_run: bool,
}

/// `quorate recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Continue from this node's own data as a new generation, although policy forbids it.
    #[arg(long, requires = "cluster", group = "way")]
    pub survivor: bool,
    /// With --survivor: even though etcd's list of voters here differs from the charter's.
    #[arg(long, requires = "survivor")]
    pub although_voters_differ: bool,
    /// Restore this snapshot here, or the newest that verifies; data that members still hold without quorum is given up, and kept in the trash.
    #[arg(long, value_name = "KEY|newest", requires = "cluster", group = "way")]
    pub snapshot: Option<String>,
    /// Continue from the data of the cluster's only voter, whose volume was moved to this instance: the same member, with nothing lost if it is the newest
    /// copy.
    #[arg(long, requires = "cluster", group = "way")]
    pub reattached_volume: bool,
    /// Found an EMPTY cluster in place of the lost one.
    #[arg(long, requires = "cluster", group = "way")]
    pub fresh: bool,
    /// The cluster's name, typed out, so no other cluster is meant.
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
    /// The key cannot be a snapshot's.
    pub fn order(&self) -> Result<Option<Order>, BadName> {
        let key = self.snapshot.as_deref();
        Ok(match (self.survivor, key, self.fresh) {
            _ if self.dry_run => None,
            _ if self.reattached_volume => Some(Order::RecoverReattachedVolume),
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
