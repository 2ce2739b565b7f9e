//! The bytes of objects, which the model refers to: in memory, or in numbered files.

use std::ops::Range;

use axum::body::Bytes;

/// The bytes of an object, or of a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// In memory, for as long as the process lives.
    Memory(Bytes),
    /// In the file with this number.
    File {
        /// The file's name.
        number: u64,
        /// In bytes.
        size: u64,
    },
}

impl Blob {
    /// In bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
        }
    }
}

/// The blobs that hold a range of an object, each with the range of its own.
pub(in crate::s3) fn covering(content: &[Blob], range: &Range<u64>) -> Vec<(Blob, Range<u64>)> {
    let mut start = 0;
    let mut found = Vec::new();
    for blob in content {
        let end = start + blob.size();
        let own = range.start.max(start)..range.end.min(end);
        if own.start < own.end {
            found.push((blob.clone(), own.start - start..own.end - start));
        }
        start = end;
    }
    found
}
