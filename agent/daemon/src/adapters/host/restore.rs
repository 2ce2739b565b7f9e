//! Restoring this node's own, stopped data into a new one-member generation.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use quorate_core::time::Timestamp;

use super::{DataDir, HostError, Label, Restore, RestoreTool, Trash, atomic, data_dir};

/// What the restored data should become.
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
    /// 2. Labelled and synced, that is renamed to `<data_dir>.restored`: the name says that it is complete.
    /// 3. The old data is renamed to `<data_dir>.superseded`, and an older one of that name moves to the trash.
    /// 4. The restored data takes its place.
    ///
    /// # Guarantees
    /// After a crash at any point the same call continues, and [`DataDir::inspect`] never reports the disk as empty: it finishes step 4. A second call does
    /// nothing.
    ///
    /// # Assumptions
    /// etcd is stopped, and has committed its last batch to `db`. The tool loses what is only in the log and not applied.
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

    /// Restores the snapshot at `snapshot` as a new cluster of this one member, on a disk that holds no member.
    ///
    /// # Guarantees
    /// The data appears complete and labelled, by one rename, or not at all: after a crash the same call starts over. A second call does nothing.
    ///
    /// # Errors
    /// The tool's own words, or the operation and path that failed; or the disk holds a member.
    pub async fn restore_snapshot(
        &self,
        tool: &RestoreTool,
        order: &RestoreOrder,
        snapshot: &Path,
        trash: &Trash,
        now: Timestamp,
    ) -> Result<(), HostError> {
        self.require_mount()?;
        if self.holds_member()? {
            let same = self.label()?.as_ref() == Some(&order.label);
            let taken = std::io::Error::new(ErrorKind::AlreadyExists, "it holds a member's data");
            return if same {
                Ok(())
            } else {
                Err(HostError::Io { operation: "restore into", path: self.path().to_owned(), source: taken })
            };
        }
        trash.put(&self.restored(), "unused-restore", now)?;
        if data_dir::exists(self.path())? && fs::read_dir(self.path()).map_err(HostError::io("read", self.path()))?.next().is_some() {
            // A label without a member; no rename replaces a directory that is not empty.
            trash.put(self.path(), "never-started", now)?;
        }
        self.make(tool, order, snapshot, true).await?;
        // An empty directory that tmpfiles.d made is replaced by the rename.
        atomic::rename(&self.restored(), self.path())
    }

    async fn build(&self, tool: &RestoreTool, order: &RestoreOrder) -> Result<(), HostError> {
        let db = self.path().join("member").join("snap").join("db");
        if !data_dir::exists(&db)? {
            return Err(HostError::NothingToRestore { db });
        }
        self.make(tool, order, &db, false).await
    }

    /// Makes `<data_dir>.restored` from a database file.
    async fn make(&self, tool: &RestoreTool, order: &RestoreOrder, source: &Path, checksum: bool) -> Result<(), HostError> {
        let target = self.restoring();
        // Output of a restore that a crash interrupted: a copy, which the tool refuses to overwrite.
        match fs::remove_dir_all(&target) {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(HostError::Io { operation: "remove", path: target, source }),
            _ => {}
        }
        let name = order.label.instance.as_str();
        let restore = Restore { source, checksum, target: &target, name, peer_url: &order.peer_url, token: &order.token, bump: checksum };
        tool.restore(&restore, order.limit).await?;
        order.label.write(&target)?;
        // The tool may not have synced what it wrote, and the next rename declares it complete.
        let dir = fs::File::open(&target).map_err(HostError::io("open", &target))?;
        rustix::fs::syncfs(&dir).map_err(|e| HostError::io("sync", &target)(e.into()))?;
        atomic::rename(&target, &self.restored())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use quorate_core::ids::Generation;

    use super::*;

    const NOW: Timestamp = Timestamp(1_763_682_131_000);

    /// A tool that copies its input to where etcd's tool would put it, after `preamble`.
    fn tool(dir: &Path, preamble: &str) -> RestoreTool {
        let path = dir.join("etcdutl");
        let script = format!("#!/bin/sh\n{preamble}\n/bin/mkdir -p \"$6/member/snap\" && /bin/cp \"$3\" \"$6/member/snap/db\"\n");
        let source = dir.join("tool.sh");
        fs::write(&source, script).unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
        // Copied by another process: a test that forks meanwhile would inherit our open file, and running it would be ETXTBSY.
        assert!(std::process::Command::new("cp").arg("-p").args([&source, &path]).status().unwrap().success());
        RestoreTool::at(path)
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

    /// Puts the disk into the state that a crash leaves after each step, and continues from there.
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

    /// A tool that accepts a snapshot, writes its arguments to a file beside itself, and says in its help whether it bumps revisions.
    fn snapshot_tool(dir: &Path, help: &str) -> RestoreTool {
        let path = dir.join("etcdutl");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *--help*) echo '{help}'; exit 0;; esac\necho \"$*\" >{0}/arguments\n\
             /bin/mkdir -p \"$5/member/snap\" && /bin/cp \"$3\" \"$5/member/snap/db\"\n",
            dir.display()
        );
        let source = dir.join("tool.sh");
        fs::write(&source, script).unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(std::process::Command::new("cp").arg("-p").args([&source, &path]).status().unwrap().success());
        RestoreTool::at(path)
    }

    async fn restored(dir: &Path, data: &DataDir, help: &str, generation: u64) -> Result<String, HostError> {
        let (snapshot, trash) = (dir.join("snapshot.db"), Trash::new(dir.join("trash")));
        fs::write(&snapshot, "saved").unwrap();
        data.restore_snapshot(&snapshot_tool(dir, help), &order(generation), &snapshot, &trash, NOW).await?;
        Ok(fs::read_to_string(dir.join("arguments")).unwrap())
    }

    #[tokio::test]
    async fn a_snapshot_is_restored_once_onto_an_empty_disk() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        let arguments = restored(dir.path(), &data, "--data-dir", 2).await.unwrap();
        assert!(!arguments.contains("--bump-revision") && !arguments.contains("--skip-hash-check"), "{arguments}");
        assert_eq!((db(data.path()), data.label().unwrap()), ("saved".into(), Some(order(2).label)));
        fs::write(data.path().join("member/snap/db"), "written since").unwrap();
        restored(dir.path(), &data, "--data-dir", 2).await.unwrap();
        assert_eq!(db(data.path()), "written since", "a second call does nothing");
        let error = restored(dir.path(), &data, "--data-dir", 3).await.unwrap_err();
        assert!(error.to_string().contains("restore into"), "{error}");
        assert_eq!(db(data.path()), "written since");
    }

    #[tokio::test]
    async fn revisions_are_bumped_where_the_tool_can() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        let arguments = restored(dir.path(), &data, "--bump-revision uint", 2).await.unwrap();
        assert!(arguments.contains("--bump-revision 1000000000 --mark-compacted"), "{arguments}");
    }

    #[tokio::test]
    async fn a_directory_that_holds_a_label_and_no_member_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path().join("etcd"));
        data.prepare(&order(2).label).unwrap();
        fs::create_dir_all(data.restoring().join("member")).unwrap();
        restored(dir.path(), &data, "", 2).await.unwrap();
        assert_eq!((db(data.path()), data.label().unwrap()), ("saved".into(), Some(order(2).label)));
    }
}
