//! Where data that is in the way is moved: renamed, and deleted only once it has been kept for as long as the operator wants (a week by default).

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use quorate_core::time::Timestamp;

use super::data_dir::exists;
use super::{HostError, atomic};

const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The suffix of a directory that is not complete yet.
const PART: &str = ".part";

/// What happened to entries that were old enough.
#[derive(Debug, Default)]
pub struct Expired {
    /// Removed, oldest first.
    pub removed: Vec<PathBuf>,
    /// What could not be listed or removed; part of it may be gone.
    pub failed: Vec<HostError>,
}

/// The trash directory. It must be on the data directory's file system, so a rename is enough.
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

    /// Renames `what` to `<trash>/<time>-<why>`. `None` if there was nothing, so an interrupted step can be repeated.
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

    /// Moves all of these that exist into one directory `<trash>/<time>-<why>`, in their order. `None` if there was nothing.
    ///
    /// # Guarantees
    /// An interrupted move is finished by the next call, in the same directory: until then its name ends in `.part`. The last of `all` is moved last, so it is
    /// still seen in its place until everything else is out of the way.
    ///
    /// # Errors
    /// Names both paths. On another file system it is an error, never a copy.
    pub fn put_together(&self, all: &[&Path], why: &str, now: Timestamp) -> Result<Option<PathBuf>, HostError> {
        let there = all.iter().copied().filter_map(|path| exists(path).map(|is| is.then_some(path)).transpose());
        let there = there.collect::<Result<Vec<_>, _>>()?;
        let begun = self.begun()?;
        // If it already has the last of them, it only lacks its final name: what is there now is newer.
        let whole = begun.as_ref().zip(all.last()).map_or(Ok(false), |(part, last)| exists(&inside(part, last)))?;
        let finished = begun.as_ref().filter(|_| whole || there.is_empty()).map(|part| self.finish(part)).transpose()?;
        if there.is_empty() {
            return Ok(finished);
        }
        let part = match begun.filter(|_| !whole) {
            Some(part) => part,
            None => atomic::with_suffix(&self.free_name(&format!("{}-{}", stamp(now), slug(why)))?, PART),
        };
        atomic::create_private_dir(&part)?;
        for path in there {
            atomic::rename(path, &free(inside(&part, path))?)?;
        }
        self.finish(&part).map(Some)
    }

    /// Removes what was put here for this reason before `newest`: one copy of replaceable data is enough, and more would soon fill the disk.
    ///
    /// # Errors
    /// Names the path that could not be listed or removed.
    pub(super) fn keep_only(&self, newest: &Path, why: &str) -> Result<(), HostError> {
        let ending = format!("-{}", slug(why));
        let is_older = |path: &PathBuf| put_at(path).is_some() && path != newest && path.to_string_lossy().ends_with(&ending);
        self.list()?
            .iter()
            .filter(|path| is_older(path))
            .try_for_each(|path| fs::remove_dir_all(path).map_err(HostError::io("remove", path)))
    }

    /// The directory of an interrupted move.
    fn begun(&self) -> Result<Option<PathBuf>, HostError> {
        Ok(self.list()?.into_iter().find(|path| is_part(path)))
    }

    fn finish(&self, part: &Path) -> Result<PathBuf, HostError> {
        let name = part.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let to = self.free_name(&name)?;
        atomic::rename(part, &to)?;
        Ok(to)
    }

    fn list(&self) -> Result<Vec<PathBuf>, HostError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(HostError::io("list", &self.dir))?,
        };
        entries.map(|entry| entry.map(|entry| entry.path()).map_err(HostError::io("list", &self.dir))).collect()
    }

    /// Removes what was put here more than `keep` ago. Names that this trash did not make stay, and so does an interrupted move: the rest of it still lies
    /// where it was.
    #[must_use]
    pub fn expire(&self, now: Timestamp, keep: Duration) -> Expired {
        let mut expired = Expired::default();
        let old = |path: &PathBuf| !is_part(path) && put_at(path).is_some_and(|at| now.since(at) > keep);
        let listed = self.list().unwrap_or_else(|error| {
            expired.failed.push(error);
            Vec::new()
        });
        for path in listed.into_iter().filter(old) {
            match fs::remove_dir_all(&path) {
                Ok(()) => expired.removed.push(path),
                Err(source) => expired.failed.push(HostError::io("remove", &path)(source)),
            }
        }
        expired.removed.sort();
        expired
    }

    fn free_name(&self, name: &str) -> Result<PathBuf, HostError> {
        free(self.dir.join(name))
    }
}

/// A free path like this one. Renaming onto an empty directory would replace it, so a taken name is never used again.
fn free(path: PathBuf) -> Result<PathBuf, HostError> {
    let (mut found, mut number) = (path.clone(), 2);
    while exists(&found)? {
        found = atomic::with_suffix(&path, &format!(".{number}"));
        number += 1;
    }
    Ok(found)
}

fn is_part(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(PART.as_bytes())
}

fn inside(part: &Path, path: &Path) -> PathBuf {
    part.join(path.file_name().unwrap_or_default())
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
        assert!(nothing(&trash.expire(NOW, WEEK)), "there is no trash yet");
        let old = trash.put(&data(dir.path()), "old", NOW).unwrap().unwrap();
        let young = trash.put(&data(dir.path()), "young", NOW + Duration::from_secs(60)).unwrap().unwrap();
        // The last one is an interrupted move.
        for foreign in ["notes", "2025-old", "20251120T232211Z", "20240101T000000Z-left.part"] {
            fs::create_dir(dir.path().join("trash").join(foreign)).unwrap();
        }
        assert!(nothing(&trash.expire(NOW + WEEK, WEEK)));
        let expired = trash.expire(NOW + WEEK + Duration::from_secs(1), WEEK);
        assert!(expired.removed == [old.clone()] && expired.failed.is_empty(), "{expired:?}");
        assert!(!old.exists() && young.exists());
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 5);
    }

    fn nothing(expired: &Expired) -> bool {
        expired.removed.is_empty() && expired.failed.is_empty()
    }

    #[test]
    fn what_cannot_be_removed_keeps_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let trash = Trash::new(dir.path());
        let file = dir.path().join("20240101T000000Z-file");
        fs::write(&file, "").unwrap();
        let old = dir.path().join("20240102T000000Z-left");
        fs::create_dir(&old).unwrap();
        let expired = trash.expire(NOW, WEEK);
        assert_eq!(expired.removed, [old]);
        assert!(expired.failed.len() == 1 && expired.failed[0].to_string().contains("-file"), "{expired:?}");
        assert!(Trash::new(&file).expire(NOW, WEEK).failed[0].to_string().contains("list"));
    }

    /// A server's etcd, certificates and passwords, in the order in which they are moved.
    fn server(dir: &Path) -> [PathBuf; 3] {
        let all = ["tls", "cred", "etcd"].map(|name| dir.join("server").join(name));
        all.iter().for_each(|path| fs::create_dir_all(path.join("inside")).unwrap());
        all
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_belongs_together_stays_together_and_nothing_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let trash = Trash::new(dir.path().join("trash"));
        let all = server(dir.path());
        let all = all.each_ref().map(PathBuf::as_path);
        let kept = trash.put_together(&all, "left", NOW).unwrap().unwrap();
        assert!(kept.ends_with("20251120T234211Z-left"), "{kept:?}");
        assert_eq!(names(&kept), ["cred", "etcd", "tls"]);
        assert_eq!(trash.put_together(&all, "again", NOW).unwrap(), None);
        fs::create_dir(all[2]).unwrap();
        assert_eq!(names(&trash.put_together(&all, "left", NOW).unwrap().unwrap()), ["etcd"]);
        assert_eq!(trash.expire(NOW + WEEK * 2, WEEK).removed.len(), 2);
    }

    #[test]
    fn a_move_that_was_cut_short_anywhere_is_finished_in_its_own_directory() {
        for moved in 0..=3 {
            let dir = tempfile::tempdir().unwrap();
            let trash = Trash::new(dir.path().join("trash"));
            let all = server(dir.path());
            let part = dir.path().join("trash/20251120T000000Z-left.part");
            fs::create_dir_all(&part).unwrap();
            all.iter().take(moved).for_each(|path| fs::rename(path, inside(&part, path)).unwrap());
            let kept = trash.put_together(&all.each_ref().map(PathBuf::as_path), "again", NOW).unwrap().unwrap();
            assert!(kept.ends_with("20251120T000000Z-left"), "{kept:?}");
            assert_eq!((names(&kept), names(&dir.path().join("trash")).len()), (vec!["cred".into(), "etcd".into(), "tls".into()], 1));
            assert!(names(&dir.path().join("server")).is_empty());
        }
    }

    #[test]
    fn the_last_stays_until_all_others_have_gone() {
        let (Ok(shm), dir) = (tempfile::tempdir_in("/dev/shm"), tempfile::tempdir().unwrap()) else {
            println!("SKIPPED the_last_stays_until_all_others_have_gone: no /dev/shm");
            return;
        };
        let (trash, [tls, cred, etcd]) = (Trash::new(dir.path().join("trash")), server(dir.path()));
        // What lies on another file system cannot be moved, which is like a crash at that point.
        assert!(trash.put_together(&[&tls, shm.path(), &etcd], "left", NOW).is_err());
        assert!(!tls.exists() && etcd.exists());
        let kept = trash.put_together(&[&tls, &cred, &etcd], "left", NOW).unwrap().unwrap();
        assert_eq!(names(&kept), ["cred", "etcd", "tls"]);
    }

    #[test]
    fn a_whole_move_without_its_name_is_not_mixed_with_newer_data() {
        let dir = tempfile::tempdir().unwrap();
        let trash = Trash::new(dir.path().join("trash"));
        let part = dir.path().join("trash/20251120T000000Z-left.part");
        fs::create_dir_all(part.join("etcd/old")).unwrap();
        let all = server(dir.path());
        let kept = trash.put_together(&all.each_ref().map(PathBuf::as_path), "again", NOW).unwrap().unwrap();
        assert_eq!(names(&dir.path().join("trash")), ["20251120T000000Z-left", "20251120T234211Z-again"]);
        assert!(kept.join("etcd/inside").is_dir() && dir.path().join("trash/20251120T000000Z-left/etcd/old").is_dir());
    }

    #[test]
    fn another_file_system_is_an_error_with_a_remedy() {
        // /dev/shm is a file system of its own on every Linux; without it there is nothing to test.
        let (Ok(shm), dir) = (tempfile::tempdir_in("/dev/shm"), tempfile::tempdir().unwrap()) else {
            println!("SKIPPED another_file_system_is_an_error_with_a_remedy: no /dev/shm");
            return;
        };
        let error = Trash::new(shm.path()).put(&data(dir.path()), "left", NOW).unwrap_err();
        assert!(matches!(error, HostError::CrossDevice { .. }), "{error}");
        assert!(dir.path().join("etcd/member").is_dir());
    }
}
