//! Restoring this node's own, stopped data into a new one-member generation.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use quorate_core::time::Timestamp;
use tokio::process::Command;

use super::{DataDir, HostError, Label, Trash, atomic, data_dir};

/// etcd's offline restore tool.
#[derive(Clone, Debug)]
pub struct RestoreTool {
    path: PathBuf,
}

impl RestoreTool {
    /// The tool at this path, or of this name in `PATH`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The tool that belongs to this etcd binary: `etcdutl` where there is one, because from 3.6 on `etcdctl` restores no more; else
    /// `etcdctl`, because 3.4 has no `etcdutl`.
    ///
    /// # Errors
    /// Names the directories that were searched.
    pub fn beside(etcd: &Path) -> Result<Self, HostError> {
        let dirs = match etcd.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => vec![dir.to_owned()],
            _ => std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect(),
        };
        let candidates = ["etcdutl", "etcdctl"].iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name)));
        let found = candidates.into_iter().find(|path| path.is_file());
        let searched = || dirs.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(", ");
        found.map(|path| Self { path }).ok_or_else(|| HostError::NoRestoreTool { searched: searched() })
    }
}

/// What the restored data is to be.
#[derive(Clone, Debug)]
pub struct RestoreOrder {
    /// The new generation's label. Its token makes the new etcd cluster id unique.
    pub label: Label,
    /// The new cluster's token.
    pub token: String,
    /// This node's peer URL.
    pub peer_url: String,
    /// Longest time that the tool may take.
    pub limit: Duration,
}

impl DataDir {
    /// Restores this node's own data as a new cluster of this one member, and keeps the old data as `<data_dir>.superseded`.
    ///
    /// # Flow
    /// 1. The tool reads `member/snap/db` and writes `<data_dir>.restoring`; nothing else is touched yet.
    /// 2. Labelled and synced, that is renamed to `<data_dir>.restored`: the name says that it is whole.
    /// 3. The old data is renamed to `<data_dir>.superseded`, an older one of that name going to the trash.
    /// 4. The restored data takes its place.
    ///
    /// # Guarantees
    /// After a crash at any point the same call goes on, and [`DataDir::inspect`] never takes the disk for empty: it finishes step 4.
    /// Done twice, it does nothing.
    ///
    /// # Assumptions
    /// etcd is stopped, which has committed its last batch to `db`. The tool loses what is in the log only and not applied.
    ///
    /// # Errors
    /// The tool's own words, or the operation and path that failed.
    pub async fn restore_own(&self, tool: &RestoreTool, order: &RestoreOrder, trash: &Trash, now: Timestamp) -> Result<(), HostError> {
        self.settle()?;
        if self.holds_member()? && self.label()?.as_ref() == Some(&order.label) {
            return Ok(());
        }
        if data_dir::exists(&self.restored())? && Label::read(&self.restored())?.as_ref() != Some(&order.label) {
            trash.put(&self.restored(), "unused-restore", now)?;
        }
        if !data_dir::exists(&self.restored())? {
            self.build(tool, order).await?;
        }
        trash.put(&self.superseded(), "superseded", now)?;
        atomic::rename(self.path(), &self.superseded())?;
        self.settle()
    }

    async fn build(&self, tool: &RestoreTool, order: &RestoreOrder) -> Result<(), HostError> {
        let target = self.restoring();
        // Output of a restore that a crash cut short: a copy, and the tool refuses to write over it.
        match fs::remove_dir_all(&target) {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(HostError::Io { operation: "remove", path: target, source }),
            _ => {}
        }
        let db = self.path().join("member").join("snap").join("db");
        if !data_dir::exists(&db)? {
            return Err(HostError::NothingToRestore { db });
        }
        run(tool, order, &db, &target).await?;
        order.label.write(&target)?;
        // The tool need not have synced what it wrote, and the next rename declares it whole.
        let dir = fs::File::open(&target).map_err(HostError::io("open", &target))?;
        rustix::fs::syncfs(&dir).map_err(|e| HostError::io("sync", &target)(e.into()))?;
        atomic::rename(&target, &self.restored())
    }
}

async fn run(tool: &RestoreTool, order: &RestoreOrder, db: &Path, target: &Path) -> Result<(), HostError> {
    let output = tokio::time::timeout(order.limit, command(tool, order, db, target).output()).await;
    let output = output.map_err(|_| HostError::RestoreTimeout { tool: tool.path.clone(), limit: order.limit })?;
    let output = output.map_err(HostError::io("run", &tool.path))?;
    if output.status.success() {
        return Ok(());
    }
    Err(HostError::RestoreFailed { tool: tool.path.clone(), status: output.status.to_string(), says: tail(&output) })
}

fn command(tool: &RestoreTool, order: &RestoreOrder, db: &Path, target: &Path) -> Command {
    let name = order.label.instance.as_str();
    let mut command = Command::new(&tool.path);
    // No ETCDCTL_* of the agent's environment may reach the tool; 3.3 and earlier spoke version 2 unless told otherwise.
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("ETCDCTL_API", "3")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.arg("snapshot").arg("restore").arg(db);
    // A database file copied from a member has no checksum at its end, unlike one that `snapshot save` wrote.
    command.arg("--skip-hash-check").arg("--data-dir").arg(target).arg("--name").arg(name);
    command.arg("--initial-cluster").arg(format!("{name}={}", order.peer_url));
    command.arg("--initial-cluster-token").arg(&order.token);
    command.arg("--initial-advertise-peer-urls").arg(&order.peer_url);
    command
}

/// The end of what the tool wrote: its complaint comes last.
fn tail(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let last = lines.last().copied().unwrap_or("it wrote nothing");
    last.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use quorate_core::ids::Generation;

    use super::*;

    const NOW: Timestamp = Timestamp(1_763_682_131_000);

    /// A tool that copies its input to where etcd's would put it, after `preamble`.
    fn tool(dir: &Path, preamble: &str) -> RestoreTool {
        let path = dir.join("etcdutl");
        let script = format!("#!/bin/sh\n{preamble}\n/bin/mkdir -p \"$6/member/snap\" && /bin/cp \"$3\" \"$6/member/snap/db\"\n");
        let source = dir.join("tool.sh");
        fs::write(&source, script).unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
        // Copied by another process: a test that forks meanwhile would inherit our open file, and running it would be ETXTBSY.
        assert!(std::process::Command::new("cp").arg("-p").args([&source, &path]).status().unwrap().success());
        RestoreTool { path }
    }

    fn order(generation: u64) -> RestoreOrder {
        RestoreOrder {
            label: Label::new("i-1".into(), Generation(generation), Some(format!("g{generation}"))),
            token: format!("g{generation}"),
            peer_url: "http://127.77.0.1:2380".into(),
            limit: Duration::from_secs(5),
        }
    }

    fn db(dir: &Path) -> String {
        fs::read_to_string(dir.join("member/snap/db")).unwrap_or_default()
    }

    fn old_data(dir: &Path) -> DataDir {
        let data = DataDir::new(dir.join("etcd"));
        data.prepare(&order(1).label).unwrap();
        fs::create_dir_all(data.path().join("member/snap")).unwrap();
        fs::write(data.path().join("member/snap/db"), "precious").unwrap();
        data
    }

    #[tokio::test]
    async fn keeps_the_old_data_and_does_nothing_the_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = (old_data(dir.path()), Trash::new(dir.path().join("trash")));
        for _ in 0..2 {
            data.restore_own(&tool(dir.path(), ""), &order(2), &trash, NOW).await.unwrap();
            assert_eq!(data.label().unwrap(), Some(order(2).label));
            assert_eq!((db(data.path()), db(&data.superseded())), ("precious".into(), "precious".into()));
            assert!(!data.restored().exists() && !data.restoring().exists());
        }
        assert!(!dir.path().join("trash").exists());
    }

    #[tokio::test]
    async fn an_earlier_superseded_copy_goes_to_the_trash() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = (old_data(dir.path()), Trash::new(dir.path().join("trash")));
        data.restore_own(&tool(dir.path(), ""), &order(2), &trash, NOW).await.unwrap();
        data.restore_own(&tool(dir.path(), ""), &order(3), &trash, NOW).await.unwrap();
        assert_eq!(Label::read(&data.superseded()).unwrap(), Some(order(2).label));
        let kept: Vec<_> = fs::read_dir(dir.path().join("trash")).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(Label::read(&kept[0]).unwrap(), Some(order(1).label));
        assert!(data.drop_superseded(&trash, NOW).unwrap().is_some());
        assert!(!data.superseded_exists().unwrap());
    }

    /// Puts the disk into the state that a crash leaves after each step, and goes on from there.
    #[tokio::test]
    async fn goes_on_after_a_crash_at_every_point() {
        for point in 0..5 {
            let dir = tempfile::tempdir().unwrap();
            let (data, trash) = (old_data(dir.path()), Trash::new(dir.path().join("trash")));
            let good = tool(dir.path(), "");
            match point {
                0 => fs::create_dir_all(data.restoring().join("member")).unwrap(),
                1 => {
                    data.build(&good, &order(2)).await.unwrap();
                    fs::rename(data.restored(), data.restoring()).unwrap();
                }
                2 => data.build(&good, &order(2)).await.unwrap(),
                3 => {
                    data.build(&good, &order(2)).await.unwrap();
                    fs::rename(data.path(), data.superseded()).unwrap();
                }
                _ => {
                    data.build(&good, &order(9)).await.unwrap();
                }
            }
            assert_ne!(data.inspect(&"i-1".into()).unwrap(), quorate_core::observation::LocalData::Empty, "point {point}");
            data.restore_own(&good, &order(2), &trash, NOW).await.unwrap();
            assert_eq!(data.label().unwrap(), Some(order(2).label), "point {point}");
            assert_eq!((db(data.path()), db(&data.superseded())), ("precious".into(), "precious".into()), "point {point}");
        }
    }

    #[tokio::test]
    async fn a_tool_that_fails_or_hangs_changes_nothing_and_is_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = (old_data(dir.path()), Trash::new(dir.path().join("trash")));
        let failing = tool(dir.path(), "echo 'Error: no such thing' >&2; exit 3");
        let error = data.restore_own(&failing, &order(2), &trash, NOW).await.unwrap_err().to_string();
        assert!(error.contains("Error: no such thing") && error.contains("exit status: 3"), "{error}");
        let hanging = tool(dir.path(), "exec /bin/sleep 60");
        let brief = RestoreOrder { limit: Duration::from_millis(200), ..order(2) };
        let error = data.restore_own(&hanging, &brief, &trash, NOW).await.unwrap_err();
        assert!(matches!(error, HostError::RestoreTimeout { .. }), "{error}");
        assert_eq!(data.label().unwrap(), Some(order(1).label));
        assert_eq!(db(data.path()), "precious");
    }

    #[test]
    fn the_tool_beside_etcd_is_found_or_the_place_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let etcd = dir.path().join("etcd");
        assert!(RestoreTool::beside(&etcd).unwrap_err().to_string().contains(&dir.path().display().to_string()));
        fs::write(dir.path().join("etcdctl"), "").unwrap();
        assert!(RestoreTool::beside(&etcd).unwrap().path.ends_with("etcdctl"));
        fs::write(dir.path().join("etcdutl"), "").unwrap();
        assert!(RestoreTool::beside(&etcd).unwrap().path.ends_with("etcdutl"));
    }
}
