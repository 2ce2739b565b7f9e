//! The disk: where the agent's state and etcd's data belong, how much room there is, and how fast it is. A distribution's own directories are in
//! `distribution/data.rs`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, Mode, OFlags, StatVfs, access, fdatasync, openat, statvfs};
use tokio::sync::oneshot;

use crate::adapters::host::DataDir;
use crate::clock::Clock;
use crate::config::{Paths, Settings};
use crate::telemetry::chain;

use super::distribution::place;
use super::finding::Finding;
use super::node::Node;
use super::sandbox::Sandbox;

/// A disk that hangs must not block the rest.
const LIMIT: Duration = Duration::from_secs(10);
/// etcd's own default quota.
const QUOTA: u64 = 2 << 30;
/// Below that etcd cannot even keep its log.
const LEAST: u64 = 512 << 20;
/// etcd wants 99 of 100 syncs of its log within this: <https://etcd.io/docs/v3.5/op-guide/hardware/>.
const SYNC: Duration = Duration::from_millis(10);
const SYNCS: usize = 10;
/// etcd's log entries are about this long (the same page's benchmark).
const ENTRY: [u8; 2300] = [0; 2300];

/// Checks the disk, in a thread of its own, because a file system that hangs blocks its caller.
pub(super) async fn check(node: &Node, settings: &Settings, sandbox: &Sandbox, clock: Clock) -> Vec<Finding> {
    let (sender, looked) = oneshot::channel();
    let (node, settings, sandbox) = (node.clone(), settings.clone(), sandbox.clone());
    std::thread::spawn(move || sender.send(look(&node, &settings, &sandbox, clock)));
    match tokio::time::timeout(LIMIT, looked).await {
        Ok(Ok(findings)) => findings,
        _ => vec![Finding::problem(
            "disk",
            format!("it did not answer within {LIMIT:?}"),
            "check the volumes of the data directory and of paths.state_dir",
        )],
    }
}

fn look(node: &Node, settings: &Settings, sandbox: &Sandbox, clock: Clock) -> Vec<Finding> {
    let Paths { state_dir, run_dir, data_dir, data_mount, .. } = &settings.paths;
    let mount = data_mount.as_deref();
    // A distribution's etcd has its own quota, by default etcd's.
    let (data, etcd, quota) = match &node.distribution {
        None => (data(data_dir, mount), data_dir.clone(), settings.etcd.quota_backend_bytes.unwrap_or(QUOTA)),
        Some(distribution) => (place::check(&**distribution, settings, sandbox), distribution.data().etcd, QUOTA),
    };
    let mut findings = vec![state(state_dir)];
    findings
        .extend([("paths.state_dir", state_dir), ("paths.run_dir", run_dir)].into_iter().filter_map(|(key, dir)| little_room(key, dir)));
    let is_known = data.iter().all(|finding| finding.remedy.is_none());
    findings.extend(data);
    if is_known && node.parts.member {
        findings.extend([room(&etcd, quota), speed(&etcd, clock)]);
    }
    findings
}

fn state(dir: &Path) -> Finding {
    let name = "state directory";
    let there = existing(dir);
    if access(&there, Access::WRITE_OK).is_err() {
        let remedy = "make it writable to the user that runs quorate, or run this as that user (root)";
        return Finding::problem(name, format!("{} cannot be written", there.display()), remedy);
    }
    match fs::metadata(dir) {
        Ok(data) if data.mode() & 0o022 != 0 => {
            Finding::problem(name, format!("{} can be written by others, mode {:o}", dir.display(), data.mode() & 0o7777), "chmod go-w it")
        }
        Ok(_) => Finding::ok(name, dir.display().to_string()),
        Err(_) => Finding::ok(name, format!("{} is not there yet: the agent creates it", dir.display())),
    }
}

fn data(dir: &Path, mount: Option<&Path>) -> Vec<Finding> {
    let name = "data directory";
    if let Err(error) = DataDir::new(dir).below(mount.map(Path::to_owned)).require_mount() {
        return vec![Finding::problem(name, chain(&error), "mount the volume, or correct paths.data_mount")];
    }
    let (here, above) = (device(dir), dir.parent().and_then(device));
    if here.is_some() && here != above {
        let remedy =
            "make paths.data_dir a folder in the mount, and paths.data_mount the mount point: quorate renames the directory as a whole";
        return vec![Finding::problem(name, format!("{} is a mount point itself", dir.display()), remedy)];
    }
    match fs::metadata(dir) {
        Ok(data) if data.mode() & 0o077 != 0 => {
            let found = format!("{} can be entered by others, mode {:o}", dir.display(), data.mode() & 0o7777);
            vec![Finding::warning(name, found, "chmod 700 it: etcd's data holds every secret of the cluster")]
        }
        Ok(_) => vec![Finding::ok(name, dir.display().to_string())],
        Err(error) if error.kind() == ErrorKind::NotFound => {
            vec![Finding::ok(name, format!("{} is not there yet: the agent creates it", dir.display()))]
        }
        Err(error) => vec![Finding::problem(name, format!("{}: {error}", dir.display()), "make it readable to the user that runs quorate")],
    }
}

fn room(dir: &Path, quota: u64) -> Finding {
    let there = existing(dir);
    match statvfs(&there) {
        Err(error) => Finding::skipped("disk space", format!("{}: {error}", there.display())),
        Ok(found) => match inodes(&found) {
            Some(left) if left < FEW_FILES => Finding::problem(
                "disk space",
                format!("{left} inodes are free below {}", dir.display()),
                "remove small files, or make a file system with more",
            ),
            _ => judge_room(found.f_bavail.saturating_mul(found.f_frsize), quota),
        },
    }
}

/// Below that the agent's own small files do not fit for long.
const FEW_BYTES: u64 = 16 << 20;
const FEW_FILES: u64 = 64;

/// A place where the next small file may not fit: its file system is full, or has no inode left.
fn little_room(key: &str, dir: &Path) -> Option<Finding> {
    let found = statvfs(existing(dir)).ok()?;
    judge_little_room(key, dir, found.f_bavail.saturating_mul(found.f_frsize), inodes(&found))
}

/// The inodes that are left, where the file system counts them.
fn inodes(found: &StatVfs) -> Option<u64> {
    (found.f_files > 0).then_some(found.f_favail)
}

fn judge_little_room(key: &str, dir: &Path, free: u64, inodes: Option<u64>) -> Option<Finding> {
    let lack = match inodes {
        _ if free < FEW_BYTES => format!("{} KiB are free", free >> 10),
        Some(inodes) if inodes < FEW_FILES => format!("{inodes} inodes are free"),
        _ => return None,
    };
    let remedy = "free some: what the agent has to remember is written there, and steps that rest on it wait until it is";
    Some(Finding::problem("disk space", format!("{lack} below {} ({key})", dir.display()), remedy))
}

/// Judges the free space. A recovery, or a member put aside, keeps the old data beside the new.
fn judge_room(free: u64, quota: u64) -> Finding {
    let name = "disk space";
    let mib = |bytes: u64| bytes >> 20;
    let found = format!("{} MiB free for data of at most {} MiB", mib(free), mib(quota));
    let remedy = "use a larger volume: after a recovery the old data stays beside the new for a week";
    match free {
        free if free < LEAST => Finding::problem(name, found, remedy),
        free if free < quota.saturating_mul(2) => Finding::warning(name, found, remedy),
        _ => Finding::ok(name, found),
    }
}

/// Measures the speed on a file without a name, which leaves nothing behind whatever happens.
fn speed(dir: &Path, clock: Clock) -> Finding {
    let there = existing(dir);
    match syncs(&there, clock) {
        Ok(times) => judge_speed(times),
        Err(error) => Finding::skipped("disk latency", format!("cannot be measured in {}: {error}", there.display())),
    }
}

fn syncs(dir: &Path, clock: Clock) -> rustix::io::Result<Vec<Duration>> {
    let file = openat(rustix::fs::CWD, dir, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
    let one = |_| {
        let before = clock.now();
        rustix::io::write(&file, &ENTRY)?;
        fdatasync(&file)?;
        Ok(clock.now().since(before))
    };
    (0..SYNCS).map(one).collect()
}

/// Judges by the second slowest sync, so a single outlier does not count.
fn judge_speed(mut times: Vec<Duration>) -> Finding {
    times.sort();
    let name = "disk latency";
    let slow = times.iter().rev().nth(1).copied().unwrap_or_default();
    let found = format!("9 of {SYNCS} syncs took at most {} ms", slow.as_millis());
    if slow <= SYNC {
        return Finding::ok(name, found);
    }
    let remedy = "put etcd's data on a faster volume of its own (gp3, io2 or NVMe): slow syncs cost elections";
    Finding::warning(name, format!("{found}; etcd wants {} ms", SYNC.as_millis()), remedy)
}

/// The file system on which the path lies, if it exists.
pub(super) fn device(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|data| data.dev())
}

/// The path, or the nearest directory above it that exists.
pub(super) fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem, Skipped, Warning};

    #[test]
    fn room_is_wanted_for_old_and_new_data() {
        let verdict = |free| judge_room(free, QUOTA).verdict;
        assert_eq!((verdict(2 * QUOTA), verdict(2 * QUOTA - 1), verdict(LEAST), verdict(LEAST - 1)), (Fine, Warning, Warning, Problem));
    }

    #[test]
    fn a_directory_without_room_for_a_small_file_is_a_problem() {
        let judge = |free, inodes| judge_little_room("paths.state_dir", Path::new("/s"), free, inodes).map(|finding| finding.verdict);
        assert_eq!(judge(FEW_BYTES, Some(FEW_FILES)), None);
        assert_eq!(judge(FEW_BYTES, None), None, "some file systems count no inodes");
        assert_eq!((judge(FEW_BYTES - 1, None), judge(FEW_BYTES, Some(FEW_FILES - 1))), (Some(Problem), Some(Problem)));
        assert!(little_room("paths.state_dir", Path::new("/proc")).is_some(), "nothing fits there");
    }

    #[test]
    fn one_slow_sync_is_a_hiccup_and_two_are_a_slow_disk() {
        let times = |slow| (0..SYNCS).map(|at| Duration::from_millis(if at < slow { 11 } else { 10 })).collect();
        assert_eq!((judge_speed(times(1)).verdict, judge_speed(times(2)).verdict), (Fine, Warning));
    }

    #[test]
    fn directories_are_looked_at_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("etcd");
        let verdict = || data(&data_dir, None)[0].verdict;
        assert_eq!((verdict(), state(&dir.path().join("state")).verdict), (Fine, Fine));
        assert!(!data_dir.exists() && !dir.path().join("state").exists());
        fs::create_dir(&data_dir).unwrap();
        fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(verdict(), Warning);
        fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(state(&data_dir).verdict, Problem);
        assert_eq!(data(&data_dir, Some(dir.path()))[0].verdict, Problem, "nothing is mounted there");
        assert_eq!(data(Path::new("/proc"), None)[0].verdict, Problem, "a mount point itself");
    }

    #[test]
    fn measuring_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        // Not every file system has files without a name.
        assert!(matches!(speed(&dir.path().join("etcd"), Clock::start()).verdict, Fine | Warning | Skipped));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
