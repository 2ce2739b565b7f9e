//! Writing the hosts file.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::{HostsError, Wish, foreign, with_alias};
use crate::adapters::host::{HostError, atomic};

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The file was different before.
    pub changed: bool,
    /// The lines, from 1, in which somebody else names the alias: an operator has to remove them.
    pub foreign: Vec<usize>,
}

/// Makes the file at `path` match the wish, and leaves it untouched if it already does.
///
/// # Errors
/// It cannot be read or written, or is too large.
pub fn apply(path: &Path, wish: &Wish) -> Result<Applied, HostsError> {
    let before = read(path)?;
    let after = with_alias(&before, &wish.alias, wish.address)?;
    let applied = Applied { changed: after != before, foreign: foreign(&after, &wish.alias) };
    if applied.changed {
        replace(path, &after)?;
    }
    Ok(applied)
}

/// The file's bytes; empty on a machine without one.
///
/// # Errors
/// It exists but cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, HostsError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => Ok(read.map_err(HostError::io("read", path))?),
    }
}

/// Replaces the file, by rename where that is possible. Container engines mount a container's hosts file on its own, and nothing can be renamed over a mount
/// point: EBUSY (rename(2)). Such a file, and one in a directory that is mounted read-only, is written in place.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match atomic::replace(&path, bytes) {
        Err(error) if is_mounted_by_itself(&error) => {
            // In a directory that is mounted read-only there is nothing to remove, so the error is ignored.
            let _ = atomic::remove_if_there(&atomic::temporary_for(&path));
            write_in_place(&path, bytes)
        }
        result => result,
    }
}

fn is_mounted_by_itself(error: &HostError) -> bool {
    match error {
        HostError::CrossDevice { .. } => true,
        HostError::Io { source, .. } => source.kind() == ErrorKind::ReadOnlyFilesystem,
        _ => false,
    }
}

/// Writes the file in place and shortens it last: a crash in between leaves too much in the file, and never an empty one.
fn write_in_place(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let mut file = OpenOptions::new().write(true).open(path).map_err(HostError::io("open", path))?;
    file.write_all(bytes).map_err(HostError::io("write", path))?;
    file.set_len(bytes.len() as u64).map_err(HostError::io("shorten", path))?;
    file.sync_all().map_err(HostError::io("sync", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_place_a_longer_and_a_shorter_text_are_both_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        fs::write(&path, "127.0.0.1 localhost\n").unwrap();
        for text in ["127.0.0.1 localhost\n10.0.0.1 api # quorate\n", "::1 x\n"] {
            write_in_place(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn what_a_mount_answers_is_told_from_other_failures() {
        let io = |kind: ErrorKind| HostError::Io { operation: "create", path: "/etc/hosts.tmp".into(), source: kind.into() };
        assert!(is_mounted_by_itself(&io(ErrorKind::ReadOnlyFilesystem)));
        assert!(!is_mounted_by_itself(&io(ErrorKind::PermissionDenied)));
        assert!(!is_mounted_by_itself(&io(ErrorKind::StorageFull)));
        assert!(is_mounted_by_itself(&HostError::CrossDevice { from: "/etc/hosts.tmp".into(), to: "/etc/hosts".into() }));
    }
}
