//! etcd's own offline tool, which makes a member's data from a snapshot or a member's database file.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::HostError;

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

    /// The tool that belongs to this etcd binary: `etcdutl` where there is one, because `etcdctl` no longer restores from 3.6 on; otherwise `etcdctl`, because
    /// 3.4 has no `etcdutl`.
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

/// What the tool should restore, and how.
#[derive(Clone, Copy, Debug)]
pub struct Restore<'a> {
    /// A snapshot, or a stopped member's `member/snap/db`.
    pub source: &'a Path,
    /// The source ends with etcd's checksum, as a snapshot does and a copied file does not.
    pub checksum: bool,
    /// The directory to make; it must not exist.
    pub target: &'a Path,
    /// The name of the one member.
    pub name: &'a str,
    /// Its peer URL.
    pub peer_url: &'a str,
    /// The cluster's token. It makes the new etcd cluster id unique.
    pub token: &'a str,
    /// Have revisions continue far above the restored one, and mark the rest as compacted, if this tool can (3.4.27, 3.5.10 and 3.6 can): a client that watches
    /// from a lost revision then gets an error and does not wait in silence (etcd's recovery guide).
    pub bump: bool,
}

/// Further than any cluster gets between two snapshots; the guide's own number for Kubernetes.
const BUMP: &str = "1000000000";
const HELP_LIMIT: Duration = Duration::from_secs(10);

impl RestoreTool {
    /// Restores.
    ///
    /// # Errors
    /// The tool's own words, or that it did not exit in time.
    pub async fn restore(&self, restore: &Restore<'_>, limit: Duration) -> Result<(), HostError> {
        let bump = restore.bump && self.can_bump().await;
        let output = tokio::time::timeout(limit, self.command(restore, bump).output()).await;
        let output = output.map_err(|_| HostError::RestoreTimeout { tool: self.path.clone(), limit })?;
        let output = output.map_err(HostError::io("run", &self.path))?;
        if output.status.success() {
            return Ok(());
        }
        Err(HostError::RestoreFailed { tool: self.path.clone(), status: output.status.to_string(), message: tail(&output) })
    }

    async fn can_bump(&self) -> bool {
        let help = tokio::time::timeout(HELP_LIMIT, self.bare().args(["snapshot", "restore", "--help"]).output()).await;
        let Ok(Ok(Output { stdout, stderr, .. })) = help else { return false };
        String::from_utf8_lossy(&[stdout, stderr].concat()).contains("--bump-revision")
    }

    fn bare(&self) -> Command {
        let mut command = Command::new(&self.path);
        // No ETCDCTL_* of the agent's environment may reach the tool; 3.3 and earlier spoke version 2 by default.
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("ETCDCTL_API", "3")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn command(&self, restore: &Restore<'_>, bump: bool) -> Command {
        let (name, mut command) = (restore.name, self.bare());
        command.arg("snapshot").arg("restore").arg(restore.source);
        if !restore.checksum {
            command.arg("--skip-hash-check");
        }
        command.arg("--data-dir").arg(restore.target).arg("--name").arg(name);
        command.arg("--initial-cluster").arg(format!("{name}={}", restore.peer_url));
        command.arg("--initial-cluster-token").arg(restore.token);
        command.arg("--initial-advertise-peer-urls").arg(restore.peer_url);
        if bump {
            command.args(["--bump-revision", BUMP, "--mark-compacted"]);
        }
        command
    }
}

/// The end of what the tool wrote: the error comes last.
fn tail(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let last = lines.last().copied().unwrap_or("it wrote nothing");
    last.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
