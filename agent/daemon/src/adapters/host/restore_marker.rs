//! A restore that a distribution does itself, in its own data directory: until it has provably finished, what lies there is nobody's data.
//!
//! k3s moves the directory away, makes a new one, starts an etcd on it and exits (`k3s server --cluster-reset`), which is not one rename. So
//! `<data_dir>.unproved` is made first and removed last, and while it exists the disk counts as empty.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use quorate_core::time::Timestamp;

use super::{DataDir, HostError, Label, Trash, atomic, data_dir};

const WHY: &str = "half-restored";

impl DataDir {
    /// Makes the directory ready for a distribution to restore into it, and moves what an earlier, unfinished one left there to the trash. `false`: it was
    /// restored already, with this very label.
    ///
    /// # Errors
    /// The disk holds a member's data; or the operation and path that failed.
    pub fn begin_restore(&self, label: &Label, trash: &Trash, now: Timestamp) -> Result<bool, HostError> {
        self.require_mount()?;
        if self.holds_member()? && !self.is_restore_marker()? {
            let taken = std::io::Error::new(ErrorKind::AlreadyExists, "it holds a member's data");
            return if self.label()?.as_ref() == Some(label) {
                Ok(false)
            } else {
                Err(HostError::Io { operation: "restore into", path: self.path().to_owned(), source: taken })
            };
        }
        atomic::create_private_dir(&self.unproved())?;
        self.move_away(trash, now)?;
        Ok(true)
    }

    /// Labels what the distribution restored, now that it is complete: it counts from then on.
    ///
    /// # Errors
    /// No member's data lies there; or the operation and path that failed.
    pub fn finish_restore(&self, label: &Label) -> Result<(), HostError> {
        let db = self.path().join("member").join("snap").join("db");
        if !data_dir::exists(&db)? || self.wal_identity()?.is_none() {
            return Err(HostError::NothingToRestore { db });
        }
        label.write(self.path())?;
        // The distribution may not have synced what it wrote, and the next step declares it complete.
        let dir = fs::File::open(self.path()).map_err(HostError::io("open", self.path()))?;
        rustix::fs::syncfs(&dir).map_err(|e| HostError::io("sync", self.path())(e.into()))?;
        self.drop_copy()?;
        self.forget_restore_marker()
    }

    /// Moves what an unfinished restore left to the trash, so something else may begin here.
    ///
    /// # Errors
    /// The operation and path that failed.
    pub fn clear_restore_marker(&self, trash: &Trash, now: Timestamp) -> Result<(), HostError> {
        if self.is_restore_marker()? {
            self.move_away(trash, now)?;
            self.forget_restore_marker()?;
        }
        Ok(())
    }

    /// Moves the data to the trash and keeps only the newest there: it is a copy of what the store holds, and a failing restore is retried again and again.
    fn move_away(&self, trash: &Trash, now: Timestamp) -> Result<(), HostError> {
        match trash.put_together(&self.all(), WHY, now)? {
            Some(newest) => trash.keep_only(&newest, WHY),
            None => Ok(()),
        }
    }

    /// Whether a restore was begun here and has not finished.
    pub(super) fn is_restore_marker(&self) -> Result<bool, HostError> {
        data_dir::exists(&self.unproved())
    }

    pub(super) fn forget_restore_marker(&self) -> Result<(), HostError> {
        let mark = self.unproved();
        match fs::remove_dir(&mark) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(HostError::Io { operation: "remove", path: mark, source }),
            Ok(()) => atomic::sync_dir(atomic::parent(&mark)),
        }
    }

    pub(super) fn unproved(&self) -> PathBuf {
        atomic::with_suffix(self.path(), ".unproved")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use quorate_core::ids::Generation;
    use quorate_core::observation::LocalData;

    use super::*;
    use crate::adapters::host::wal::tests::segment;

    const NOW: Timestamp = Timestamp(1_763_682_131_000);

    fn label(generation: u64) -> Label {
        Label::new("i-1".into(), Generation(generation), Some(format!("g{generation}")))
    }

    fn server(dir: &Path) -> (DataDir, Trash) {
        (DataDir::new(dir.join("db/etcd")).with(vec![dir.join("tls")]), Trash::new(dir.join("trash")))
    }

    /// What a distribution has made so far.
    fn restored(dir: &Path, data: &DataDir, whole: bool) {
        fs::create_dir_all(dir.join("tls")).unwrap();
        fs::create_dir_all(data.path().join("member/snap")).unwrap();
        fs::write(data.path().join("member/snap/db"), "saved").unwrap();
        fs::create_dir_all(data.path().join("member/wal")).unwrap();
        if whole {
            fs::write(data.path().join("member/wal/0000000000000000-0000000000000000.wal"), segment(7, 8)).unwrap();
        }
    }

    fn trashed(dir: &Path) -> usize {
        fs::read_dir(dir.join("trash")).map_or(0, Iterator::count)
    }

    fn is_empty(data: &DataDir) -> bool {
        data.inspect(&"i-1".into()).unwrap() == LocalData::Empty
    }

    #[test]
    fn it_counts_once_it_is_labelled_and_is_not_done_twice() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = server(dir.path());
        assert!(data.begin_restore(&label(2), &trash, NOW).unwrap());
        restored(dir.path(), &data, true);
        assert!(is_empty(&data), "it is not complete yet");
        data.finish_restore(&label(2)).unwrap();
        assert!(!is_empty(&data));
        assert_eq!(data.label().unwrap(), Some(label(2)));
        assert!(!data.begin_restore(&label(2), &trash, NOW).unwrap());
        let error = data.begin_restore(&label(3), &trash, NOW).unwrap_err().to_string();
        assert!(error.contains("restore into"), "{error}");
        assert_eq!(trashed(dir.path()), 0);
    }

    #[test]
    fn what_was_cut_short_is_moved_away_and_never_used() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = server(dir.path());
        data.begin_restore(&label(2), &trash, NOW).unwrap();
        restored(dir.path(), &data, true);
        // Even labelled: the marker is removed last.
        label(2).write(data.path()).unwrap();
        assert!(data.begin_restore(&label(3), &trash, NOW).unwrap());
        assert!(!data.path().exists() && !dir.path().join("tls").exists() && trashed(dir.path()) == 1);
        restored(dir.path(), &data, true);
        assert!(data.begin_restore(&label(4), &trash, Timestamp(NOW.0 + 5000)).unwrap());
        assert_eq!(trashed(dir.path()), 1, "one is enough");
        restored(dir.path(), &data, true);
        data.finish_restore(&label(4)).unwrap();
        assert_eq!(data.label().unwrap(), Some(label(4)));
    }

    #[test]
    fn whatever_else_begins_here_clears_it_away() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = server(dir.path());
        data.clear_restore_marker(&trash, NOW).unwrap();
        data.begin_restore(&label(2), &trash, NOW).unwrap();
        restored(dir.path(), &data, true);
        data.clear_restore_marker(&trash, NOW).unwrap();
        assert!(!data.path().exists() && trashed(dir.path()) == 1);
        data.prepare(&label(3)).unwrap();
        restored(dir.path(), &data, true);
        assert!(!is_empty(&data), "its marker is gone");
    }

    #[test]
    fn a_distribution_that_made_no_member_has_restored_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = server(dir.path());
        data.begin_restore(&label(2), &trash, NOW).unwrap();
        assert!(matches!(data.finish_restore(&label(2)), Err(HostError::NothingToRestore { .. })));
        restored(dir.path(), &data, false);
        assert!(matches!(data.finish_restore(&label(2)), Err(HostError::NothingToRestore { .. })));
        assert!(is_empty(&data));
    }
}
