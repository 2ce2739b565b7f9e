//! Where the bytes come from.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;

use super::BackendError;

/// Something of which a range of bytes can be read: a file, or an object in a store.
pub trait Ranges {
    /// The `len` bytes at `offset`, or fewer if it ends before that, as `pread` does. `len` is never 0.
    ///
    /// # Errors
    /// Anything but the end. A store that refuses a range beginning behind the end may answer with an error, or with no bytes.
    fn read(&mut self, offset: u64, len: u64) -> impl Future<Output = io::Result<Bytes>> + Send;
}

/// Reads as much of the range as exists, and never more than was asked for.
pub(super) async fn read(source: &mut impl Ranges, offset: u64, len: u64) -> Result<Bytes, BackendError> {
    let bytes = source.read(offset, len).await.map_err(|source| BackendError::Read { offset, len, source })?;
    let wanted = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
    Ok(bytes.slice(..wanted))
}

/// A file, read with `pread`.
#[derive(Debug)]
pub(super) struct OnDisk(File);

impl OnDisk {
    /// The file at `path`, and its size in bytes.
    pub(super) fn open(path: &Path) -> Result<(Self, u64), BackendError> {
        let opened = File::open(path).and_then(|file| file.metadata().map(|known| (Self(file), known.len())));
        opened.map_err(|source| BackendError::Open { path: path.to_owned(), source })
    }
}

impl Ranges for OnDisk {
    async fn read(&mut self, offset: u64, len: u64) -> io::Result<Bytes> {
        let len = usize::try_from(len).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(more) => filled = filled.saturating_add(more),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes.into())
    }
}

/// The little-endian number of two bytes at `at`; `None` behind the end.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

/// The little-endian number of four bytes at `at`; `None` behind the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

/// The little-endian number of eight bytes at `at`; `None` behind the end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}
