//! A survivor's own data, which its distribution restores into a new generation.
//!
//! What the distribution makes is not one rename (see [`DataDir::begin_restore`]), but a survivor must never look like a disk without data: the others would
//! think its data gone. So its data is first renamed to `<data_dir>.superseded`, and while nothing complete lies in its place, that is this disk's data.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use quorate_core::time::Timestamp;
use sha2::{Digest, Sha256};

use super::{DataDir, HostError, Label, Trash, atomic, data_dir};

const WHY: &str = "half-restored";
const PIECE: usize = 1 << 20;

impl DataDir {
    /// Makes the directory ready for a distribution to restore this node's own, stopped data into it, and makes a snapshot of that data. `None`: it was
    /// restored already, with this very label.
    ///
    /// # Flow
    /// 1. The data is renamed to `<data_dir>.superseded`, and an older one of that name moves to the trash. It stays there until [`DataDir::drop_superseded`].
    /// 2. What lies in its place counts for nothing until [`DataDir::finish_restore`]; what an unfinished earlier restore left there moves to the trash.
    /// 3. Its database is copied, followed by the checksum that etcd's restore requires.
    ///
    /// # Guarantees
    /// After a crash at any point the same call continues, and [`DataDir::inspect`] reports the old data until the new data is complete.
    ///
    /// # Assumptions
    /// etcd is stopped. What is only in its log and not in its database is lost, as with every restore.
    ///
    /// # Errors
    /// There is no database to restore from; or the operation and path that failed.
    pub fn begin_own_restore(&self, label: &Label, trash: &Trash, now: Timestamp) -> Result<Option<PathBuf>, HostError> {
        self.require_mount()?;
        if self.is_whole()? {
            if self.label()?.as_ref() == Some(label) {
                return Ok(None);
            }
            self.supersede(trash, now)?;
        }
        let db = database(&self.superseded());
        if !data_dir::exists(&db)? {
            return Err(HostError::NothingToRestore { db });
        }
        atomic::create_private_dir(&self.unproved())?;
        // The certificates beside it stay where they are: they belong to the cluster, whose data lives on.
        if let Some(newest) = trash.put(self.path(), WHY, now)? {
            trash.keep_only(&newest, WHY)?;
        }
        self.copy_as_snapshot(&db).map(Some)
    }

    fn supersede(&self, trash: &Trash, now: Timestamp) -> Result<(), HostError> {
        let db = database(self.path());
        if !data_dir::exists(&db)? {
            return Err(HostError::NothingToRestore { db });
        }
        trash.put(&self.superseded(), "superseded", now)?;
        atomic::rename(self.path(), &self.superseded())
    }

    /// Copies the database as a snapshot: etcd's snapshot is its database followed by its SHA-256, which k3s has etcd's library check.
    fn copy_as_snapshot(&self, db: &Path) -> Result<PathBuf, HostError> {
        let (dir, copy) = (self.restoring(), self.restoring().join("own.db"));
        atomic::create_private_dir(&dir)?;
        let mut from = File::open(db).map_err(HostError::io("open", db))?;
        let mut to = File::create(&copy).map_err(HostError::io("create", &copy))?;
        let (mut sum, mut piece) = (Sha256::new(), vec![0; PIECE]);
        loop {
            let read = from.read(&mut piece).map_err(HostError::io("read", db))?;
            if read == 0 {
                break;
            }
            sum.update(&piece[..read]);
            to.write_all(&piece[..read]).map_err(HostError::io("write", &copy))?;
        }
        to.write_all(&sum.finalize()).map_err(HostError::io("write", &copy))?;
        Ok(copy)
    }

    /// Removes the copy of its own data that was restored: it is no longer needed.
    pub(super) fn drop_copy(&self) -> Result<(), HostError> {
        match fs::remove_dir_all(self.restoring()) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(HostError::Io { operation: "remove", path: self.restoring(), source })
            }
            _ => Ok(()),
        }
    }
}

fn database(data_dir: &Path) -> PathBuf {
    data_dir.join("member").join("snap").join("db")
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::{EtcdClusterId, Generation, MemberId};
    use quorate_core::observation::{DataIdentity, LocalData};

    use super::*;
    use crate::adapters::host::wal::tests::segment;

    const NOW: Timestamp = Timestamp(1_763_682_131_000);

    fn label(generation: u64) -> Label {
        Label::new("i-1".into(), Generation(generation), Some(format!("g{generation}")))
    }

    fn member(data: &DataDir, text: &str, id: u64) {
        fs::create_dir_all(data.path().join("member/snap")).unwrap();
        fs::write(data.path().join("member/snap/db"), text).unwrap();
        fs::create_dir_all(data.path().join("member/wal")).unwrap();
        fs::write(data.path().join("member/wal/0000000000000000-0000000000000000.wal"), segment(id, id)).unwrap();
    }

    fn survivor(dir: &Path) -> (DataDir, Trash) {
        let data = DataDir::new(dir.join("db/etcd")).with(vec![dir.join("tls")]);
        data.prepare(&label(1)).unwrap();
        member(&data, "precious", 1);
        fs::create_dir_all(dir.join("tls")).unwrap();
        (data, Trash::new(dir.join("trash")))
    }

    fn generation(data: &DataDir) -> Option<u64> {
        match data.inspect(&"i-1".into()).unwrap() {
            LocalData::Present(identity) => identity.generation.map(|g| g.0),
            LocalData::Empty => None,
        }
    }

    #[test]
    fn the_old_data_is_this_disks_until_the_new_is_whole_and_kept_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = survivor(dir.path());
        let old = data.inspect(&"i-1".into()).unwrap();
        let copy = data.begin_own_restore(&label(2), &trash, NOW).unwrap().unwrap();
        let bytes = fs::read(&copy).unwrap();
        let (db, sum) = bytes.split_at(8);
        assert_eq!((db, sum), (&b"precious"[..], &Sha256::digest("precious")[..]));
        assert_eq!(data.inspect(&"i-1".into()).unwrap(), old);
        member(&data, "restored", 2);
        assert_eq!(data.inspect(&"i-1".into()).unwrap(), old, "it is not complete yet");
        data.finish_restore(&label(2)).unwrap();
        let ids = (Some(EtcdClusterId(2)), Some(MemberId(2)));
        let new = DataIdentity { cluster: ids.0, member: ids.1, generation: Some(Generation(2)), version: None };
        assert_eq!(data.inspect(&"i-1".into()).unwrap(), LocalData::Present(new));
        assert!(!copy.exists() && data.superseded_exists().unwrap() && dir.path().join("tls").is_dir());
        assert_eq!(data.begin_own_restore(&label(2), &trash, NOW).unwrap(), None, "a second call does nothing");
        let kept = data.drop_superseded(&trash, NOW).unwrap().unwrap();
        assert_eq!(fs::read_to_string(kept.join("member/snap/db")).unwrap(), "precious");
    }

    /// Puts the disk into the state that a crash leaves after each step, and continues from there.
    #[test]
    fn goes_on_after_a_crash_at_every_point() {
        for point in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let (data, trash) = survivor(dir.path());
            match point {
                0 => fs::rename(data.path(), data.superseded()).unwrap(),
                1 => drop(data.begin_own_restore(&label(2), &trash, NOW).unwrap()),
                2 => {
                    data.begin_own_restore(&label(2), &trash, NOW).unwrap();
                    member(&data, "half", 2);
                }
                // Even labelled: the marker is removed last.
                _ => {
                    data.begin_own_restore(&label(2), &trash, NOW).unwrap();
                    member(&data, "half", 2);
                    label(2).write(data.path()).unwrap();
                }
            }
            assert_eq!(generation(&data), Some(1), "point {point}");
            let copy = data.begin_own_restore(&label(3), &trash, NOW).unwrap().unwrap();
            assert!(fs::read(copy).unwrap().starts_with(b"precious") && !data.path().exists(), "point {point}");
            member(&data, "restored", 3);
            data.finish_restore(&label(3)).unwrap();
            assert_eq!(generation(&data), Some(3), "point {point}");
        }
    }

    /// Data given up for a snapshot, or by an order, is given up completely.
    #[test]
    fn put_aside_in_the_middle_it_is_gone_with_what_was_restore_marker() {
        for half in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (data, trash) = survivor(dir.path());
            data.begin_own_restore(&label(2), &trash, NOW).unwrap();
            if half {
                member(&data, "half", 2);
            }
            data.put_aside(&trash, "recover-snapshot", NOW).unwrap();
            assert_eq!(data.inspect(&"i-1".into()).unwrap(), LocalData::Empty);
            assert!(data.begin_restore(&label(3), &trash, NOW).unwrap());
            member(&data, "saved", 3);
            data.finish_restore(&label(3)).unwrap();
            assert_eq!(generation(&data), Some(3));
            let trashed = fs::read_dir(dir.path().join("trash")).unwrap();
            let all: Vec<_> = trashed.map(|entry| entry.unwrap().path().join("member/snap/db")).collect();
            assert!(all.iter().any(|db| fs::read_to_string(db).is_ok_and(|text| text == "precious")), "{all:?}");
        }
    }

    #[test]
    fn without_a_database_nothing_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = survivor(dir.path());
        fs::remove_file(data.path().join("member/snap/db")).unwrap();
        assert!(matches!(data.begin_own_restore(&label(2), &trash, NOW), Err(HostError::NothingToRestore { .. })));
        assert_eq!(generation(&data), Some(1));
    }
}
