//! The `quorate` binary: reads the command line, and runs the agent or talks to a running one.

// They panic if the reader is gone: see `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use quorate::adapters::aws::Imds;
use quorate::adapters::host::hosts::{self, HostName, Wish};
use quorate::check::{self, Outside};
use quorate::cli::{AliasCommand, CheckArgs, Cli, Command, KubeconfigArgs, PkiCommand, RecoverArgs};
use quorate::config::Settings;
use quorate::control::{OrderAnswer, OrderRequest, PauseRequest, SOCKET, client};
use quorate::{kubeconfig, output, telemetry};
use quorate_core::ids::ClusterName;
use quorate_core::memory::Order;

/// A usage or configuration error, as sysexits(3) numbers it.
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(format_args!("quorate: the process lacks what a runtime needs: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(start());
    // A drill may be reading a database of many gigabytes: an agent that was told to stop does not wait for it.
    runtime.shutdown_background();
    code
}

async fn start() -> ExitCode {
    let cli = Cli::parse();
    let settings = match Settings::load(cli.config.as_deref()) {
        Ok(settings) => settings,
        Err(error) => {
            output::complain(format_args!("quorate: {}", telemetry::chain(&error)));
            return ExitCode::from(EX_USAGE);
        }
    };
    match act(cli.command, settings, cli.config.as_deref()).await {
        Ok(code) => code,
        Err(error) => {
            output::complain(format_args!("quorate: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn act(command: Command, settings: Settings, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let socket = settings.paths.run_dir.join(SOCKET);
    let order = |order, cluster| OrderRequest { order, cluster, pause: None };
    match command {
        Command::Run => {
            let level = telemetry::LogLevel::from_environment().map_err(anyhow::Error::msg)?;
            telemetry::start(level.unwrap_or(settings.log_level));
            quorate::agent::run(settings).await.context("the agent cannot run")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Status(args) => {
            let status = client::status(&socket).await?;
            output::line(if args.json { serde_json::to_string_pretty(&status)? } else { status.to_string() })?;
            Ok(if status.needs_operator { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Command::Plan => {
            let status = client::status(&socket).await?;
            output::line(format_args!("{}: {}", status.phase, status.message))?;
            output::line(format_args!("next step: {}", status.step.as_deref().unwrap_or("none")))?;
            status.refused.iter().try_for_each(output::line)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(args) => look(&settings, file, &args).await,
        Command::Kubeconfig(args) => {
            output::print(admin_kubeconfig(&settings, args).await?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Etcdctl(args) => quorate::etcdctl::run(&settings, &args.arguments),
        Command::Alias(AliasCommand::Apply) => apply_alias(&Wish::path(&settings.paths.run_dir), &settings.kubernetes.hosts_file),
        Command::Generate(args) => {
            args.write()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Wait => {
            client::until_joined(&socket).await;
            Ok(ExitCode::SUCCESS)
        }
        Command::Leave => give(&client::order(&socket, &order(Some(Order::Leave), None)).await?),
        Command::Join => give(&client::order(&socket, &order(None, None)).await?),
        Command::Pause(args) => give(&client::order(&socket, &pause(false, args.cluster)).await?),
        Command::Resume(args) => give(&client::order(&socket, &pause(true, args.cluster)).await?),
        Command::Pki(PkiCommand::Rotate) => give(&client::order(&socket, &order(Some(Order::RotateAuthority), None)).await?),
        Command::Bootstrap => give(&client::order(&socket, &order(Some(Order::Bootstrap), None)).await?),
        Command::Snapshot(command) => quorate::snapshots_by_hand::run(command, &settings).await,
        Command::Recover(args) => recover(&socket, args).await,
        Command::Credentials(args) => Ok(ExitCode::from(quorate::handout::run(&settings, &args).await?.code())),
    }
}

async fn look(settings: &Settings, file: Option<&Path>, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let report = check::run(settings, file, &Outside::of(settings)).await;
    output::line(if args.json { serde_json::to_string_pretty(&report)? } else { report.to_string() })?;
    Ok(if report.passes(args.strict) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn admin_kubeconfig(settings: &Settings, args: KubeconfigArgs) -> anyhow::Result<String> {
    let kubernetes = &settings.kubernetes;
    let (endpoint, alias) = (kubernetes.endpoint.as_ref().map(|e| e.url.as_str()), kubernetes.alias.as_ref().map(HostName::as_str));
    let server = match kubeconfig::stable_server(args.server.as_deref(), endpoint, alias)? {
        Some(server) => server,
        None => {
            let identity = Imds::new(settings.aws.imds_timeout).of_family(settings.aws.ip_family).identity().await;
            kubeconfig::own_server(identity.context("this node's own address is not known: give --server URL")?.address)
        }
    };
    let name = match (args.name, &settings.cluster.name) {
        (Some(name), _) => name,
        (None, Some(name)) => name.to_string(),
        (None, None) => {
            let status = client::status(&settings.paths.run_dir.join(SOCKET)).await;
            status.context("the cluster's name is not known: give --name NAME")?.cluster.to_string()
        }
    };
    Ok(kubeconfig::of_admin(&args.admin.unwrap_or_else(|| kubernetes.config_dir.join("k3s.yaml")), &name, &server)?)
}

fn apply_alias(wish: &Path, hosts_file: &Path) -> anyhow::Result<ExitCode> {
    let wish = Wish::read(wish).context("nothing is changed")?;
    let applied = hosts::apply(hosts_file, &wish).context("the alias is not moved")?;
    for line in applied.foreign {
        let (file, alias) = (hosts_file.display(), &wish.alias);
        output::complain(format_args!("line {line} of {file} names {alias} too, and goes before ours if it comes first: remove it"));
    }
    let now = if applied.changed { "now points" } else { "points already" };
    output::line(format_args!("{} {now} at {}", wish.alias, wish.address))?;
    Ok(ExitCode::SUCCESS)
}

async fn recover(socket: &Path, args: RecoverArgs) -> anyhow::Result<ExitCode> {
    let known = client::recovery(socket).await?;
    if args.json {
        output::line(serde_json::to_string_pretty(&known)?)?;
    } else {
        output::print(&known)?;
    }
    let Some(order) = args.order()? else {
        return Ok(if known.needs_operator && !known.quorum_lives { ExitCode::from(NEEDS_OPERATOR) } else { ExitCode::SUCCESS });
    };
    if !args.yes && std::io::stdin().is_terminal() && !confirmed(&known.cluster)? {
        output::line("nothing was done")?;
        return Ok(ExitCode::FAILURE);
    }
    give(&client::order(socket, &OrderRequest { order: Some(order), cluster: args.cluster, pause: None }).await?)
}

/// An operator has to choose, and has not yet.
const NEEDS_OPERATOR: u8 = 3;

fn confirmed(cluster: &ClusterName) -> anyhow::Result<bool> {
    output::print(format_args!("cluster {cluster}: what this way loses is lost for good. Type `yes` to order it: "))?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

/// The name is only for people to read: any user that reaches the socket is root.
fn pause(resume: bool, cluster: bool) -> OrderRequest {
    let by = ["SUDO_USER", "USER"].into_iter().find_map(|name| std::env::var(name).ok()).filter(|name| !name.is_empty());
    let by = by.unwrap_or_else(|| "root".to_owned());
    OrderRequest { order: None, cluster: None, pause: Some(PauseRequest { resume, cluster, by }) }
}

fn give(answer: &OrderAnswer) -> anyhow::Result<ExitCode> {
    output::line(&answer.message)?;
    Ok(if answer.taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
