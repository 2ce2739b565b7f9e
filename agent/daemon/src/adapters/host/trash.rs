//! Where data goes that is in the way: renamed, never deleted, until it is a week old.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use quorate_core::time::Timestamp;

use super::{HostError, atomic};

const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The trash directory. It must be on the data directory's file system, for a rename to be all that it takes.
#[derive(Clone, Debug)]
pub struct Trash {
    dir: PathBuf,
}

impl Trash {
    /// The trash in `dir`, which is created when it is first needed.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Renames `what` to `<trash>/<time>-<why>`. `None` if there was nothing, so that a step that was cut short can be repeated.
    ///
    /// # Errors
    /// Names both paths. On another file system it is an error, never a copy.
    pub fn put(&self, what: &Path, why: &str, now: Timestamp) -> Result<Option<PathBuf>, HostError> {
        match fs::symlink_metadata(what) {
            Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(HostError::Io { operation: "look at", path: what.to_owned(), source }),
            Ok(_) => atomic::create_private_dir(&self.dir)?,
        }
        let to = self.free_name(&format!("{}-{}", stamp(now), slug(why)))?;
        atomic::rename(what, &to)?;
        Ok(Some(to))
    }

    /// Removes what was put here more than `keep` ago, and says what it was. Names that are not of this trash's making stay.
    ///
    /// # Errors
    /// Names the path that could not be listed or removed.
    pub fn expire(&self, now: Timestamp, keep: Duration) -> Result<Vec<PathBuf>, HostError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(HostError::io("list", &self.dir))?,
        };
        let mut removed = Vec::new();
        for entry in entries {
            let path = entry.map_err(HostError::io("list", &self.dir))?.path();
            if put_at(&path).is_some_and(|at| now.since(at) > keep) {
                fs::remove_dir_all(&path).map_err(HostError::io("remove", &path))?;
                removed.push(path);
            }
        }
        Ok(removed)
    }

    /// Renaming onto an empty directory would replace it, so a taken name is never used again.
    fn free_name(&self, name: &str) -> Result<PathBuf, HostError> {
        let mut path = self.dir.join(name);
        let mut number = 2;
        while path.try_exists().map_err(HostError::io("look at", &path))? {
            path = self.dir.join(format!("{name}.{number}"));
            number += 1;
        }
        Ok(path)
    }
}

fn stamp(now: Timestamp) -> String {
    let millis = i64::try_from(now.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).strftime(FORMAT).to_string()
}

fn put_at(path: &Path) -> Option<Timestamp> {
    let (stamp, _) = path.file_name()?.to_str()?.split_once('-')?;
    let at = DateTime::strptime(FORMAT, stamp).ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(at.timestamp().as_millisecond()).ok().map(Timestamp)
}

fn slug(why: &str) -> String {
    why.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_763_682_131_000);
    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn data(dir: &Path) -> PathBuf {
        let data = dir.join("etcd");
        fs::create_dir_all(data.join("member")).unwrap();
        data
    }

    #[test]
    fn keeps_what_it_is_given_under_a_name_that_says_when_and_why() {
        let dir = tempfile::tempdir().unwrap();
        let trash = Trash::new(dir.path().join("state/trash"));
        let first = trash.put(&data(dir.path()), "left / gone", NOW).unwrap().unwrap();
        assert!(first.ends_with("20251120T234211Z-left---gone"), "{first:?}");
        assert!(first.join("member").is_dir());
        let second = trash.put(&data(dir.path()), "left / gone", NOW).unwrap().unwrap();
        assert_ne!(first, second);
        assert!(first.join("member").is_dir() && second.join("member").is_dir());
        assert_eq!(trash.put(&dir.path().join("etcd"), "again", NOW).unwrap(), None);
    }

    #[test]
    fn removes_only_its_own_and_only_after_a_week() {
        let dir = tempfile::tempdir().unwrap();
        let trash = Trash::new(dir.path().join("trash"));
        assert_eq!(trash.expire(NOW, WEEK).unwrap(), Vec::<PathBuf>::new());
        let old = trash.put(&data(dir.path()), "old", NOW).unwrap().unwrap();
        let young = trash.put(&data(dir.path()), "young", NOW + Duration::from_secs(60)).unwrap().unwrap();
        for foreign in ["notes", "2025-old", "20251120T232211Z"] {
            fs::create_dir(dir.path().join("trash").join(foreign)).unwrap();
        }
        assert_eq!(trash.expire(NOW + WEEK, WEEK).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(trash.expire(NOW + WEEK + Duration::from_secs(1), WEEK).unwrap(), vec![old.clone()]);
        assert!(!old.exists() && young.exists());
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 4);
    }

    #[test]
    fn another_file_system_is_an_error_with_a_remedy() {
        // /dev/shm is a file system of its own on every Linux; where it is not there, there is nothing to show.
        let (Ok(shm), dir) = (tempfile::tempdir_in("/dev/shm"), tempfile::tempdir().unwrap()) else {
            println!("SKIPPED another_file_system_is_an_error_with_a_remedy: no /dev/shm");
            return;
        };
        let error = Trash::new(shm.path()).put(&data(dir.path()), "left", NOW).unwrap_err();
        assert!(matches!(error, HostError::CrossDevice { .. }), "{error}");
        assert!(dir.path().join("etcd/member").is_dir());
    }
}
