//! Whether a file that somebody else writes has changed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What distinguishes one state of a file from another: a rewritten file has another inode, time or length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
    length: u64,
}

impl Stamp {
    /// The state of the file as it is now.
    ///
    /// # Errors
    /// It does not exist, or cannot be examined.
    pub fn of(path: &Path) -> io::Result<Self> {
        let data = fs::metadata(path)?;
        Ok(Self { device: data.dev(), inode: data.ino(), seconds: data.mtime(), nanoseconds: data.mtime_nsec(), length: data.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_or_grows_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (path, new) = (dir.path().join("a"), dir.path().join("b"));
        assert!(Stamp::of(&path).is_err());
        fs::write(&path, "one").unwrap();
        let first = Stamp::of(&path).unwrap();
        assert_eq!(Stamp::of(&path).unwrap(), first);
        fs::write(&path, "longer").unwrap();
        let second = Stamp::of(&path).unwrap();
        assert_ne!(second, first);
        fs::write(&new, "longer").unwrap();
        fs::rename(&new, &path).unwrap();
        assert_ne!(Stamp::of(&path).unwrap(), second);
    }
}
