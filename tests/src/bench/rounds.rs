//! etcdctl and Quorate in turns: each takes a snapshot of the same member, and whole commands are timed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::Instant;

use super::{CLUSTER, Scene, memory};
use crate::demo::timeline::{Timeline, seconds};
use crate::lab::Store;

/// The results of the rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// Of one snapshot.
    pub(super) bytes: u64,
    /// By etcdctl.
    pub(super) etcdctl: Vec<Duration>,
    /// By `quorate snapshot save`.
    pub(super) quorate: Vec<Duration>,
    /// The highest peak of `quorate snapshot save`, in KiB.
    pub(super) save_peak_kib: u64,
    /// The peak of `quorate snapshot list`, which does the same except for the snapshot, in KiB.
    pub(super) list_peak_kib: u64,
}

/// Plays this number of rounds; the side that begins alternates.
///
/// # Errors
/// One of the two fails.
pub(super) async fn play(scene: &Scene, count: u8, timeline: &Timeline) -> anyhow::Result<Rounds> {
    let (_, list_peak_kib, _) = quorate(scene, "list").await?;
    let mut rounds = Rounds { list_peak_kib, ..Rounds::default() };
    for round in 0..count {
        if round % 2 == 0 {
            rounds.turn_of_etcdctl(scene).await?;
            rounds.turn_of_quorate(scene).await?;
        } else {
            rounds.turn_of_quorate(scene).await?;
            rounds.turn_of_etcdctl(scene).await?;
        }
        let took = |side: &[Duration]| side.last().copied().map(seconds).unwrap_or_default();
        timeline.tell(format_args!("etcdctl {}, quorate {}", took(&rounds.etcdctl), took(&rounds.quorate)));
    }
    Ok(rounds)
}

impl Rounds {
    async fn turn_of_etcdctl(&mut self, scene: &Scene) -> anyhow::Result<()> {
        let path = scene.lab.directory().join("etcdctl.db");
        let mut command = Command::new(&scene.etcdctl);
        command.env("ETCDCTL_API", "3").args(["--endpoints", &scene.endpoint()?, "snapshot", "save"]).arg(&path);
        settle();
        let begin = Instant::now();
        let output = command.output().await.with_context(|| format!("cannot run {}", scene.etcdctl.display()))?;
        self.etcdctl.push(begin.elapsed());
        ensure!(output.status.success(), "etcdctl failed: {}", String::from_utf8_lossy(&output.stderr));
        self.bytes = fs::metadata(&path)?.len();
        fs::remove_file(&path)?;
        Ok(())
    }

    async fn turn_of_quorate(&mut self, scene: &Scene) -> anyhow::Result<()> {
        settle();
        let (took, peak, printed) = quorate(scene, "save").await?;
        self.quorate.push(took);
        self.save_peak_kib = self.save_peak_kib.max(peak);
        let key = printed.split_whitespace().next().context("it did not say what it saved")?;
        if self.bytes > 0 && scene.lab.s3().is_err() {
            is_whole(&scene.lab.store(CLUSTER).join(CLUSTER).join(format!("{key}.db")), self.bytes)?;
        }
        Ok(())
    }
}

/// Both have written the same amount: only what the agent writes changes the database meanwhile.
fn is_whole(path: &Path, bytes: u64) -> anyhow::Result<()> {
    let found = fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?.len();
    ensure!(found.abs_diff(bytes) < bytes / 100, "Quorate wrote {found} bytes, and etcdctl {bytes}");
    Ok(())
}

/// What `quorate snapshot WHAT` took, its peak in KiB, and what it printed.
async fn quorate(scene: &Scene, what: &str) -> anyhow::Result<(Duration, u64, String)> {
    let begin = Instant::now();
    let mut child = scene.lab.begin(&scene.instance, "snapshot", &[what]).await?;
    let (status, peak) = memory::until_ended(&mut child).await?;
    let took = begin.elapsed();
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().context("it has no output")?.read_to_string(&mut out).await?;
    child.stderr.take().context("it has no output")?.read_to_string(&mut err).await?;
    ensure!(status.success(), "quorate snapshot {what} failed: {out}{err}");
    Ok((took, peak, out))
}

/// Neither side pays for what the other has left to be written.
fn settle() {
    rustix::fs::sync();
}

/// What is compared, in words.
#[must_use]
pub(super) fn compared(store: Store) -> &'static str {
    match store {
        Store::Directory => "whole commands; each ends with all its bytes synced to the same disk",
        Store::S3 => "whole commands; etcdctl syncs to this disk, Quorate uploads to the lab's own S3: nothing is promised",
    }
}
