//! `quorate snapshot`: what an operator does with snapshots by hand. It asks the store and this node's etcd itself, and needs no agent.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use quorate_core::charter::{Record, State, StoreView};
use quorate_core::ids::{MemberId, SnapshotKey};
use quorate_core::plan::Via;
use quorate_core::snapshot::{Listing, SnapshotOrder, Stored, StrayKind, Trigger, retention};
use quorate_core::text::{SENTENCE, printable};
use serde::Serialize;
use tokio::sync::watch;

use crate::adapters::host::RestoreTool;
use crate::cli::{SnapshotCommand, SnapshotPick};
use crate::clients::Clients;
use crate::clock::Clock;
use crate::config::Settings;
use crate::output;
use crate::snapshot::{Progress, SnapshotError, Snapshots, restore_on_trial, save, verify};

/// The instance's identity must be known: IMDS and the group's tags are asked for at most this long.
const IDENTITY: Duration = Duration::from_secs(20);

/// Runs a command.
///
/// # Errors
/// What prevents it, in words.
pub async fn run(command: SnapshotCommand, settings: &Settings) -> anyhow::Result<ExitCode> {
    let clock = Clock::start();
    let clients = tokio::time::timeout(IDENTITY, Clients::enter(settings, clock)).await;
    let clients = clients.context("IMDS and the group's tags did not say which instance this is: `quorate check` shows more")??;
    let Some(snapshots) = clients.snapshots.clone() else {
        bail!("there are no snapshots here: no store is configured (the tag quorate:store), they are switched off, or this is a worker");
    };
    match command {
        SnapshotCommand::Save => take(&clients, &snapshots, clock).await,
        SnapshotCommand::List(args) => list(&snapshots.store().list().await?, args.json),
        SnapshotCommand::Verify(pick) => prove(&snapshots, &pick, settings).await,
        SnapshotCommand::Prune(args) => prune(&clients, &snapshots, settings, args.dry_run).await,
    }
}

async fn charter(clients: &Clients) -> anyhow::Result<Record> {
    match clients.store.read(None).await? {
        StoreView::Charter(log) => {
            let record = log.highest().context("the charter is empty")?.clone();
            if !record.belongs_to(&clients.me) {
                bail!("the charter in the store belongs to cluster {} of account {} in {}", record.cluster, record.account, record.region);
            }
            Ok(record)
        }
        StoreView::Foreign { example } => bail!("the store holds {example} and no charter: correct quorate:store"),
        StoreView::Absent | StoreView::NotConfigured => bail!("the store holds no charter: no cluster was founded with it"),
    }
}

async fn take(clients: &Clients, snapshots: &Snapshots, clock: Clock) -> anyhow::Result<ExitCode> {
    let record = charter(clients).await?;
    let via = Via::new(MemberId(0), clients.me.role.client_url(clients.me.address, record.transport));
    let order = SnapshotOrder::of(&record, via, Trigger::Operator).filter(|_| record.state == State::Established);
    let order = order.with_context(|| format!("the cluster is not established ({record}): there is nothing to take a snapshot of"))?;
    let (tell, told) = watch::channel(Progress::default());
    let bar = show("taking", told);
    let saved = save((&clients.etcd, snapshots.store()), &order, &clients.me, clock.now(), &tell).await;
    drop(tell);
    bar.await?;
    let saved = saved?;
    if let Some(doubt) = &saved.doubt {
        output::complain(format_args!(
            "no quorum confirmed that this member has every acknowledged write, so some may be missing: {doubt}"
        ));
    }
    output::line(format_args!("{} (revision {}, {})", saved.key, saved.manifest.revision, size(saved.manifest.size)))?;
    Ok(ExitCode::SUCCESS)
}

/// One snapshot as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    key: &'a SnapshotKey,
    stored_at: String,
    #[serde(flatten)]
    manifest: &'a quorate_core::snapshot::Manifest,
}

fn list(listing: &Listing, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        let line = |s: &'_ Stored| serde_json::to_value(Line { key: &s.key, stored_at: s.stored_at.utc(), manifest: &s.manifest });
        output::line(serde_json::to_string_pretty(&listing.snapshots.iter().map(line).collect::<Result<Vec<_>, _>>()?)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format_args!("{:>10}  {:>12}  {:>10}  {:<23}  {:<9}  KEY", "GENERATION", "REVISION", "SIZE", "STORED", "TRIGGER"))?;
    for Stored { key, manifest, stored_at } in &listing.snapshots {
        let trigger = manifest.trigger.to_string();
        let (generation, revision, size) = (manifest.generation.0, manifest.revision, size(manifest.size));
        output::line(format_args!("{generation:>10}  {revision:>12}  {size:>10}  {:<23}  {trigger:<9}  {key}", stored_at.utc()))?;
    }
    for stray in &listing.strays {
        let why = match &stray.why {
            StrayKind::Unfinished => "an upload that is under way, or that broke off".to_owned(),
            StrayKind::Broken(why) | StrayKind::Foreign(why) => why.to_string(),
        };
        output::line(format_args!("not a snapshot: {}: {why}", printable(&stray.at, SENTENCE)))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn prove(snapshots: &Snapshots, pick: &SnapshotPick, settings: &Settings) -> anyhow::Result<ExitCode> {
    let trial = trial(pick, settings)?;
    let listing = snapshots.store().list().await?;
    let chosen: Vec<&Stored> = match &pick.key {
        Some(key) => vec![listing.get(&SnapshotKey::parse(key)?).with_context(|| format!("the store holds no snapshot {key}"))?],
        None if pick.all => listing.snapshots.iter().collect(),
        None => listing.snapshots.last().into_iter().collect(),
    };
    if chosen.is_empty() {
        bail!("the store holds no snapshot");
    }
    let mut bad = 0;
    for stored @ Stored { key, manifest, .. } in chosen {
        let (tell, told) = watch::channel(Progress::default());
        let bar = show("reading", told);
        let result = match &trial {
            Some((tool, scratch)) => restore_on_trial(snapshots.store(), stored, tool, scratch, &tell).await.map(Some),
            None => verify(snapshots.store(), key, manifest, &tell, None).await.map(|_| None),
        };
        drop(tell);
        bar.await?;
        match result {
            Ok(trial) => {
                let restored = trial.map_or_else(String::new, |trial| format!("; restored on trial with {} entries", trial.entries));
                output::line(format_args!("{key}: complete, revision {}, {}{restored}", manifest.revision, size(manifest.size)))?;
            }
            Err(error @ SnapshotError::Corrupt { .. }) => {
                bad += 1;
                output::line(error)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tool for a trial restore, and its directory, if one was requested.
fn trial(pick: &SnapshotPick, settings: &Settings) -> anyhow::Result<Option<(RestoreTool, PathBuf)>> {
    if !pick.restore {
        return Ok(None);
    }
    let tool = match &settings.etcd.restore_tool {
        Some(path) => RestoreTool::at(path),
        None => RestoreTool::beside(&settings.etcd.binary)?,
    };
    Ok(Some((tool, pick.scratch.clone().unwrap_or_else(|| settings.paths.state_dir.join("trial")))))
}

async fn prune(clients: &Clients, snapshots: &Snapshots, settings: &Settings, dry_run: bool) -> anyhow::Result<ExitCode> {
    let record = charter(clients).await?;
    if record.state != State::Established {
        bail!("the cluster is not established ({record}): any snapshot may be needed");
    }
    let listing = snapshots.store().list().await?;
    let (old, broken) = (settings.policy.snapshots.retention.expired(&listing, &record), retention::abandoned(&listing));
    for key in &old {
        output::line(format_args!("{}{key}", if dry_run { "would delete " } else { "deletes " }))?;
        if !dry_run {
            snapshots.store().delete(key).await?;
        }
    }
    for at in &broken {
        output::line(format_args!("{}{at}, the remains of an upload", if dry_run { "would delete " } else { "deletes " }))?;
        if !dry_run {
            snapshots.store().delete_remains(at).await?;
        }
    }
    output::line(format_args!("{} snapshots are kept", listing.snapshots.len() - old.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the progress on a terminal until the sender is dropped.
fn show(what: &'static str, mut told: watch::Receiver<Progress>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut err = std::io::stderr();
        if !err.is_terminal() {
            return;
        }
        while told.changed().await.is_ok() {
            let Progress { bytes, of } = *told.borrow_and_update();
            let of = of.map_or_else(String::new, |of| format!(" of {}", size(of)));
            // A closed terminal is no reason to stop.
            let _ = write!(err, "\r\x1b[K{what}: {}{of}", size(bytes));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let _ = write!(err, "\r\x1b[K");
    })
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        bytes => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}
