//! However a lab ends, no process and no file of it is left.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use quorate_lab::lab::processes;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::group::{Group, LIMIT};

async fn nothing_left(directory: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let running = processes::under(directory);
        let files: Vec<_> = std::fs::read_dir(directory).map(|files| files.flatten().map(|file| file.path()).collect()).unwrap_or_default();
        if running.is_empty() && files.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "left behind: {running:?} {files:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// `quorate-lab up` with its one instance in service.
async fn up(directory: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-lab"));
    command.args(["up", "--size", "1"]).env("TMPDIR", directory).stdout(Stdio::piped()).kill_on_drop(true);
    let mut lab = command.spawn()?;
    let mut lines = BufReader::new(lab.stdout.take().context("no output")?).lines();
    let serves = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("InService") {
                return anyhow::Ok(());
            }
        }
        anyhow::bail!("it ended")
    };
    timeout(LIMIT, serves).await??;
    assert!(processes::under(directory).len() >= 2, "an agent and an etcd");
    Ok(lab)
}

#[tokio::test]
async fn ctrl_c_leaves_nothing_behind() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut lab = up(directory.path()).await?;
    signal(&lab, rustix::process::Signal::INT)?;
    let status = timeout(LIMIT, lab.wait()).await??;
    assert_eq!(status.code(), Some(130));
    nothing_left(directory.path()).await
}

#[tokio::test]
async fn a_lab_that_is_killed_leaves_nothing_behind() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut lab = up(directory.path()).await?;
    signal(&lab, rustix::process::Signal::KILL)?;
    lab.wait().await?;
    nothing_left(directory.path()).await
}

fn signal(lab: &Child, signal: rustix::process::Signal) -> anyhow::Result<()> {
    let pid = lab.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)).context("it has ended")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

#[tokio::test]
async fn a_test_that_panics_leaves_nothing_behind() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let directory = group.lab.directory().to_owned();
    assert!(!processes::under(&directory).is_empty());
    let ended = tokio::spawn(async move {
        let _group = group;
        panic!("on purpose");
    });
    assert!(ended.await.is_err());
    assert!(!directory.exists());
    nothing_left(&directory).await
}
