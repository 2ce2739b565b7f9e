//! File writes that leave either the old or the new file after a crash, never half of each.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::HostError;

/// Replaces `path` by `bytes`, mode 0600: temporary file, fsync, rename, fsync of the directory.
///
/// # Errors
/// Names the operation and the path. The old file is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    write_with(path, bytes, 0o600)
}

/// The same for a file that every user may read, whatever the umask: it must hold no secret.
///
/// # Errors
/// As [`write()`].
pub fn write_for_all(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    write_with(path, bytes, 0o644)
}

/// Replaces a file that belongs to the machine and not to the agent, and keeps its mode (0644 for a new file). A link is followed: its target is replaced, and
/// the link stays.
///
/// # Errors
/// As [`write()`].
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = fs::metadata(&path).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
    write_with(&path, bytes, mode)
}

/// The same with this mode.
///
/// # Errors
/// As [`write()`].
pub(crate) fn write_with(path: &Path, bytes: &[u8], mode: u32) -> Result<(), HostError> {
    let temporary = temporary_for(path);
    // A leftover of a crash may have another mode: O_CREAT's mode applies to new files only.
    remove_if_there(&temporary)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary).map_err(HostError::io("create", &temporary))?;
    file.set_permissions(Permissions::from_mode(mode)).map_err(HostError::io("open to all", &temporary))?;
    file.write_all(bytes).map_err(HostError::io("write", &temporary))?;
    file.sync_all().map_err(HostError::io("sync", &temporary))?;
    rename(&temporary, path)
}

/// Renames and makes the rename durable on both sides.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), HostError> {
    fs::rename(from, to).map_err(|source| match source.kind() {
        // A mount point cannot be renamed: EBUSY.
        ErrorKind::CrossesDevices | ErrorKind::ResourceBusy => HostError::CrossDevice { from: from.to_owned(), to: to.to_owned() },
        _ => HostError::Io { operation: "rename", path: from.to_owned(), source },
    })?;
    sync_dir(parent(to))?;
    if parent(from) == parent(to) { Ok(()) } else { sync_dir(parent(from)) }
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), HostError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(HostError::io("sync", dir))
}

/// Creates a directory that only its owner may enter, and its parents.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), HostError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(HostError::io("create", dir))?;
    sync_dir(parent(dir))
}

/// The directory that `path` is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// `path` with `suffix` after its last component.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The name under which a new file is written before it takes the place of `path`.
pub(crate) fn temporary_for(path: &Path) -> PathBuf {
    with_suffix(path, ".tmp")
}

/// Removes a file; it is fine if there is none.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), HostError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(HostError::Io { operation: "remove", path: path.to_owned(), source }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn replaces_the_file_and_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle_and_lends_no_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.json");
        fs::write(temporary_for(&path), b"half").unwrap();
        fs::set_permissions(temporary_for(&path), fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_of_the_machines_keeps_its_mode_and_the_link_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("real"), dir.path().join("link"));
        replace(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        replace(&link, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_failure_names_the_path_and_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.json");
        write(&path, b"old").unwrap();
        fs::create_dir(temporary_for(&path)).unwrap();
        let error = write(&path, b"new").unwrap_err();
        assert!(error.to_string().contains("memory.json.tmp"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}
