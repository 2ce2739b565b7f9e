//! The member's data directory: whose data lies there, and how it is put aside.
//!
//! Beside `<data_dir>` there may be `<data_dir>.superseded`, the data from before a recovery, and, while a restore is under way,
//! `<data_dir>.restoring` and `<data_dir>.restored`: see [`DataDir::restore_own`]; or `<data_dir>.unproved`, while a distribution restores: see
//! [`DataDir::begin_restore`] and [`DataDir::begin_own_restore`].

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use quorate_core::etcd_version::EtcdVersion;
use quorate_core::ids::InstanceId;
use quorate_core::observation::{DataIdentity, LocalData, ReattachedVolume};
use quorate_core::time::Timestamp;

use crate::adapters::etcd::cluster_version;

use super::{HostError, Label, Trash, WalIdentity, atomic, wal};

/// The member's data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
    mount: Option<PathBuf>,
    beside: Vec<PathBuf>,
}

impl DataDir {
    /// The data directory at `path`. Nothing is read or created yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), mount: None, beside: Vec::new() }
    }

    /// The same, below this mount point: while nothing is mounted there the directory is not known, and never empty.
    #[must_use]
    pub fn below(self, mount: Option<PathBuf>) -> Self {
        Self { mount, ..self }
    }

    /// The same, with other data of the same cluster that is put aside with it: the certificates and passwords that a distribution makes for it.
    #[must_use]
    pub fn with(self, beside: Vec<PathBuf>) -> Self {
        Self { beside, ..self }
    }

    /// Makes sure that something is mounted at the mount point: a mounted file system is on another device than the parent directory.
    ///
    /// # Errors
    /// Nothing is mounted there, or it cannot be examined.
    pub fn require_mount(&self) -> Result<(), HostError> {
        let Some(mount) = &self.mount else { return Ok(()) };
        let parent = mount.parent().map_or(Ok(None), device)?;
        let here = device(mount)?;
        if here.is_some() && here != parent { Ok(()) } else { Err(HostError::NotMounted { mount: mount.clone() }) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads whose data lies there. Cheap: a dozen system calls and one page of etcd's log.
    ///
    /// # Errors
    /// Data that is there but cannot be read, or whose label names another instance, is an error and never empty.
    pub fn inspect(&self, me: &InstanceId) -> Result<LocalData, HostError> {
        self.require_mount()?;
        self.settle()?;
        let path = if self.is_whole()? { self.path.clone() } else { self.superseded() };
        if !exists(&path.join("member"))? {
            return Ok(LocalData::Empty);
        }
        let label = Label::read(&path)?;
        if let Some(owner) = label.as_ref().map(|l| &l.instance).filter(|owner| *owner != me) {
            return Err(HostError::ForeignData { data_dir: path, owner: owner.clone(), me: me.clone() });
        }
        Ok(LocalData::Present(identity(&path, label)?))
    }

    /// Bytes of a snapshot that etcd's leader sends this member and that is not loaded yet: etcd writes it beside its database, first as `tmp*`, then as
    /// `*.snap.db` (`server/etcdserver/api/snap/db.go`). `None` where there is none, or the directory cannot be read.
    #[must_use]
    pub fn receiving(&self) -> Option<u64> {
        let named = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("tmp") || name.ends_with(".snap.db")
        };
        let files = fs::read_dir(self.path.join("member/snap")).ok()?.filter_map(Result::ok).filter(named);
        let sizes: Vec<u64> = files.filter_map(|entry| Some(entry.metadata().ok()?.len())).collect();
        (!sizes.is_empty()).then(|| sizes.iter().sum())
    }

    /// What another instance wrote here, if [`DataDir::inspect`] says that the data is another's.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn moved(&self, me: &InstanceId) -> Result<Option<ReattachedVolume>, HostError> {
        let Some(label) = self.label()?.filter(|label| label.instance != *me) else { return Ok(None) };
        let owner = label.instance.clone();
        Ok(Some(ReattachedVolume { owner, data: identity(&self.path, Some(label))? }))
    }

    /// Labels the data that `owner` wrote as this instance's; generation and token stay. A second call does nothing.
    ///
    /// # Errors
    /// The label names neither of the two, or cannot be read or written.
    pub fn adopt(&self, owner: &InstanceId, me: &InstanceId) -> Result<(), HostError> {
        self.require_mount()?;
        match self.label()? {
            Some(label) if label.instance == *me => Ok(()),
            Some(label) if label.instance == *owner => Label { instance: me.clone(), ..label }.write(&self.path),
            _ => {
                let other = std::io::Error::new(ErrorKind::NotFound, format!("it has no label of {owner}"));
                Err(HostError::Io { operation: "adopt", path: self.path.clone(), source: other })
            }
        }
    }

    /// The ids in etcd's write-ahead log; `None` if etcd never wrote one.
    ///
    /// # Errors
    /// Names the segment that cannot be read.
    pub fn wal_identity(&self) -> Result<Option<WalIdentity>, HostError> {
        identity_in(&self.path)
    }

    /// The label, if there is one.
    ///
    /// # Errors
    /// A label that does not parse, naming the file.
    pub fn label(&self) -> Result<Option<Label>, HostError> {
        Label::read(&self.path)
    }

    /// Labels an empty directory before etcd first starts on it, creating it if necessary.
    ///
    /// # Errors
    /// A directory that already holds a member is never labelled again: its data would pass for another generation's.
    pub fn prepare(&self, label: &Label) -> Result<(), HostError> {
        self.require_mount()?;
        if !self.holds_member()? {
            return label.write(&self.path);
        }
        if self.label()?.as_ref() == Some(label) {
            return Ok(());
        }
        let taken = std::io::Error::new(ErrorKind::AlreadyExists, "it holds a member's data");
        Err(HostError::Io { operation: "label", path: self.path.clone(), source: taken })
    }

    /// Renames the directory and what belongs to it into the trash. `None` if there was nothing to put aside. If a move of several directories is interrupted,
    /// the next call finishes it, and until then the data is still there.
    ///
    /// # Errors
    /// Names both paths; the data is then still where it was.
    pub fn put_aside(&self, trash: &Trash, why: &str, now: Timestamp) -> Result<Option<PathBuf>, HostError> {
        trash.put(&self.restored(), "unused-restore", now)?;
        // While nothing complete lies in its place it is this disk's data; otherwise it is older.
        trash.put(&self.superseded(), "superseded", now)?;
        if self.beside.is_empty() {
            return trash.put(&self.path, why, now);
        }
        let put = trash.put_together(&self.all(), why, now)?;
        self.forget_restore_marker()?;
        Ok(put)
    }

    /// Everything that is put aside together, the data last.
    pub(super) fn all(&self) -> Vec<&Path> {
        self.beside.iter().map(PathBuf::as_path).chain([self.path.as_path()]).collect()
    }

    /// Whether data from before a recovery is still kept, or the snapshot that was restored.
    ///
    /// # Errors
    /// Names the path that could not be examined.
    pub fn superseded_exists(&self) -> Result<bool, HostError> {
        Ok(exists(&self.superseded())? || exists(&self.fetched())?)
    }

    /// Where a snapshot to be restored is put: on the same file system.
    #[must_use]
    pub fn fetched(&self) -> PathBuf {
        atomic::with_suffix(&self.path, ".fetched")
    }

    /// Where a snapshot is restored for a drill: on the same file system.
    #[must_use]
    pub fn drill(&self) -> PathBuf {
        atomic::with_suffix(&self.path, ".drill")
    }

    /// Moves the data from before a recovery to the trash, and removes the copy of the snapshot that was restored.
    ///
    /// # Errors
    /// Names both paths.
    pub fn drop_superseded(&self, trash: &Trash, now: Timestamp) -> Result<Option<PathBuf>, HostError> {
        // A copy of what the store holds.
        match fs::remove_dir_all(self.fetched()) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(HostError::Io { operation: "remove", path: self.fetched(), source });
            }
            _ => {}
        }
        trash.put(&self.superseded(), "superseded", now)
    }

    pub(super) fn superseded(&self) -> PathBuf {
        atomic::with_suffix(&self.path, ".superseded")
    }

    pub(super) fn restored(&self) -> PathBuf {
        atomic::with_suffix(&self.path, ".restored")
    }

    pub(super) fn restoring(&self) -> PathBuf {
        atomic::with_suffix(&self.path, ".restoring")
    }

    /// Whether it holds a member's data, and not the unfinished result of a restore.
    pub(super) fn is_whole(&self) -> Result<bool, HostError> {
        Ok(self.holds_member()? && !self.is_restore_marker()?)
    }

    pub(super) fn holds_member(&self) -> Result<bool, HostError> {
        exists(&self.path.join("member"))
    }

    /// Finishes a restore that a crash interrupted between its last two renames, when the disk would look empty.
    pub(super) fn settle(&self) -> Result<(), HostError> {
        let cut_off = exists(&self.restored())? && exists(&self.superseded())? && !self.holds_member()?;
        // An empty directory that tmpfiles.d made again is replaced by the rename.
        if cut_off { atomic::rename(&self.restored(), &self.path) } else { Ok(()) }
    }
}

fn identity(data_dir: &Path, label: Option<Label>) -> Result<DataIdentity, HostError> {
    let ids = identity_in(data_dir)?;
    let (cluster, member) = (ids.map(|i| i.cluster), ids.map(|i| i.member));
    Ok(DataIdentity { cluster, member, generation: label.map(|l| l.generation), version: version_in(data_dir) })
}

/// The version in a member's database. A read error counts as no version: etcd reads its file itself, and says what is wrong with it.
fn version_in(data_dir: &Path) -> Option<EtcdVersion> {
    let text = cluster_version(&data_dir.join("member").join("snap").join("db")).ok().flatten()?;
    EtcdVersion::parse(&text)?.decided()
}

fn identity_in(data_dir: &Path) -> Result<Option<WalIdentity>, HostError> {
    wal::identity(&data_dir.join("member").join("wal"))
}

/// The device that it lies on; `None` if it is not there.
fn device(path: &Path) -> Result<Option<u64>, HostError> {
    match fs::metadata(path) {
        Ok(data) => Ok(Some(data.dev())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HostError::Io { operation: "look at", path: path.to_owned(), source }),
    }
}

pub(super) fn exists(path: &Path) -> Result<bool, HostError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(HostError::Io { operation: "look at", path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::{EtcdClusterId, Generation, MemberId};

    use super::*;
    use crate::adapters::host::wal::tests::segment;

    const NOW: Timestamp = Timestamp(1_763_682_131_000);

    fn me() -> InstanceId {
        "i-1".into()
    }

    fn label(generation: u64) -> Label {
        Label::new(me(), Generation(generation), Some("token".into()))
    }

    fn with_member(data: &DataDir) {
        fs::create_dir_all(data.path().join("member/wal")).unwrap();
        fs::write(data.path().join("member/wal/0000000000000000-0000000000000000.wal"), segment(7, 8)).unwrap();
    }

    #[test]
    fn only_a_snapshot_that_comes_in_counts_as_received() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        let snap = data.path().join("member/snap");
        assert_eq!(data.receiving(), None);
        fs::create_dir_all(&snap).unwrap();
        for (name, size) in [("db", 900), ("0000000000000002-0000000000000005.snap", 90)] {
            fs::write(snap.join(name), vec![0; size]).unwrap();
        }
        assert_eq!(data.receiving(), None, "the database grows with what clients write");
        fs::write(snap.join("tmp123"), [0; 7]).unwrap();
        fs::write(snap.join("0000000000000009.snap.db"), [0; 30]).unwrap();
        assert_eq!(data.receiving(), Some(37));
    }

    #[test]
    fn nothing_and_a_label_alone_are_empty() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        assert_eq!(data.inspect(&me()).unwrap(), LocalData::Empty);
        data.prepare(&label(1)).unwrap();
        assert_eq!(data.inspect(&me()).unwrap(), LocalData::Empty);
    }

    #[test]
    fn a_member_is_present_with_what_is_known_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        fs::create_dir_all(data.path().join("member")).unwrap();
        let unknown = DataIdentity { cluster: None, member: None, generation: None, version: None };
        assert_eq!(data.inspect(&me()).unwrap(), LocalData::Present(unknown));

        let data = DataDir::new(dir.path().join("etcd2"));
        data.prepare(&label(4)).unwrap();
        with_member(&data);
        let known =
            DataIdentity { cluster: Some(EtcdClusterId(8)), member: Some(MemberId(7)), generation: Some(Generation(4)), version: None };
        assert_eq!(data.inspect(&me()).unwrap(), LocalData::Present(known));
    }

    #[test]
    fn what_is_not_mounted_is_never_empty() {
        let dir = tempfile::tempdir().unwrap();
        let below = |mount: &Path| DataDir::new(mount.join("etcd")).below(Some(mount.to_owned()));
        let data = below(dir.path());
        assert!(data.inspect(&me()).unwrap_err().to_string().contains("nothing is mounted"));
        assert!(data.prepare(&label(1)).is_err() && !data.path().exists());
        assert!(below(&dir.path().join("absent")).inspect(&me()).is_err());
        // Linux always mounts it.
        assert_eq!(below(Path::new("/proc")).inspect(&me()).unwrap(), LocalData::Empty);
    }

    #[test]
    fn what_cannot_be_read_is_never_empty() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        with_member(&data);
        fs::write(data.path().join("member/wal/0000000000000000-0000000000000000.wal"), b"").unwrap();
        assert!(matches!(data.inspect(&me()), Err(HostError::Wal { .. })));
        with_member(&data);
        fs::write(data.path().join("quorate.json"), b"{").unwrap();
        assert!(matches!(data.inspect(&me()), Err(HostError::Json { .. })));
        // A file where the directory should be does not count as an empty directory either.
        let file = DataDir::new(dir.path().join("file"));
        fs::write(file.path(), b"").unwrap();
        assert!(file.inspect(&me()).is_err());
    }

    #[test]
    fn data_of_a_baked_image_is_an_error_that_names_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        data.prepare(&Label::new("i-baked".into(), Generation(1), None)).unwrap();
        with_member(&data);
        assert!(data.inspect(&me()).unwrap_err().to_string().contains("i-baked"));
    }

    #[test]
    fn a_reattached_volume_is_adopted_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        let theirs = Label::new("i-0".into(), Generation(4), Some("token".into()));
        assert_eq!(data.moved(&me()).unwrap(), None);
        data.prepare(&theirs).unwrap();
        with_member(&data);
        let known =
            DataIdentity { cluster: Some(EtcdClusterId(8)), member: Some(MemberId(7)), generation: Some(Generation(4)), version: None };
        assert_eq!(data.moved(&me()).unwrap(), Some(ReattachedVolume { owner: "i-0".into(), data: known.clone() }));
        assert!(crate::telemetry::chain(&data.adopt(&"i-2".into(), &me()).unwrap_err()).contains("no label of i-2"));
        assert_eq!(data.label().unwrap(), Some(theirs));
        for _ in 0..2 {
            data.adopt(&"i-0".into(), &me()).unwrap();
            assert_eq!(data.label().unwrap(), Some(label(4)));
            assert_eq!(data.inspect(&me()).unwrap(), LocalData::Present(known.clone()));
        }
        assert_eq!(data.moved(&me()).unwrap(), None);
    }

    #[test]
    fn a_members_data_is_never_labelled_anew() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        data.prepare(&label(1)).unwrap();
        with_member(&data);
        data.prepare(&label(1)).unwrap();
        assert!(data.prepare(&label(2)).is_err());
        assert_eq!(data.label().unwrap(), Some(label(1)));
    }

    #[test]
    fn put_aside_can_be_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let (data, trash) = (DataDir::new(dir.path().join("etcd")), Trash::new(dir.path().join("trash")));
        with_member(&data);
        let kept = data.put_aside(&trash, "left", NOW).unwrap().unwrap();
        assert!(kept.join("member/wal").is_dir());
        assert_eq!(data.put_aside(&trash, "left", NOW).unwrap(), None);
        assert_eq!(data.inspect(&me()).unwrap(), LocalData::Empty);
    }

    #[test]
    fn a_servers_certificates_go_with_its_data() {
        let dir = tempfile::tempdir().unwrap();
        let (tls, trash) = (dir.path().join("server/tls"), Trash::new(dir.path().join("trash")));
        let data = DataDir::new(dir.path().join("server/db/etcd")).with(vec![tls.clone(), dir.path().join("server/cred")]);
        with_member(&data);
        fs::create_dir_all(&tls).unwrap();
        let kept = data.put_aside(&trash, "left", NOW).unwrap().unwrap();
        assert!(kept.join("etcd/member/wal").is_dir() && kept.join("tls").is_dir());
        assert!(!tls.exists() && !data.path().exists());
    }

    #[test]
    fn a_restore_cut_off_between_its_renames_is_finished_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        let restored = DataDir::new(data.restored());
        restored.prepare(&label(2)).unwrap();
        with_member(&restored);
        assert_eq!(data.inspect(&me()).unwrap(), LocalData::Empty, "an unused restore alone does not count as data");
        fs::create_dir(data.superseded()).unwrap();
        fs::create_dir(data.path()).unwrap();
        let LocalData::Present(found) = data.inspect(&me()).unwrap() else { panic!("the disk looks empty") };
        assert_eq!(found.generation, Some(Generation(2)));
        assert!(!data.restored().exists() && data.superseded().exists());
    }
}
