//! A directory with the bodies of a bucket: one file for each.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::io::AsyncReadExt;

use super::model::content::Blob;

/// The size of one read: a snapshot must not be held in memory.
const CHUNK: usize = 256 << 10;

/// The directory.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    next: AtomicU64,
}

impl Disk {
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self { directory: directory.to_owned(), next: AtomicU64::new(1) })
    }

    /// A name for a body that is to come.
    pub(super) fn fresh(&self) -> (u64, PathBuf) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, self.body(number))
    }

    fn body(&self, number: u64) -> PathBuf {
        self.directory.join(number.to_string())
    }

    /// A reader that has one of them open reads it to its end.
    pub(super) fn remove<'a>(&self, blobs: impl IntoIterator<Item = &'a Blob>) {
        for number in blobs.into_iter().filter_map(number) {
            let _ = fs::remove_file(self.body(number));
        }
    }
}

fn number(blob: &Blob) -> Option<u64> {
    match blob {
        Blob::Memory(_) => None,
        Blob::File { number, .. } => Some(*number),
    }
}

/// A piece of an object, ready to be read.
#[derive(Debug)]
pub(super) enum Piece {
    Memory(Bytes),
    File { file: File, left: u64 },
}

impl Piece {
    pub(super) fn open(disk: Option<&Disk>, blob: &Blob, range: &Range<u64>) -> io::Result<Self> {
        match (blob, disk) {
            (Blob::Memory(bytes), _) => Ok(Self::Memory(bytes.slice(range.start as usize..range.end as usize))),
            (Blob::File { .. }, None) => Err(io::Error::other("a body in a file, and no directory")),
            (Blob::File { number, .. }, Some(disk)) => {
                let mut file = File::open(disk.body(*number))?;
                file.seek(SeekFrom::Start(range.start))?;
                Ok(Self::File { file, left: range.end - range.start })
            }
        }
    }

    /// All of it at once.
    pub(super) fn read(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => Ok(bytes.to_vec()),
            Self::File { file, left } => {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut io::Read::take(file, left), &mut bytes)?;
                Ok(bytes)
            }
        }
    }

    fn stream(self) -> BoxStream<'static, io::Result<Bytes>> {
        match self {
            Self::Memory(bytes) => stream::once(async { Ok(bytes) }).boxed(),
            Self::File { file, left } => stream::try_unfold((tokio::fs::File::from_std(file), left), next_chunk).boxed(),
        }
    }
}

type Reading = (tokio::fs::File, u64);

async fn next_chunk((mut file, left): Reading) -> io::Result<Option<(Bytes, Reading)>> {
    let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
    if chunk.is_empty() {
        return Ok(None);
    }
    let read = file.read(&mut chunk).await?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    chunk.truncate(read);
    Ok(Some((chunk.into(), (file, left - read as u64))))
}

/// The pieces one after the other.
pub(super) fn stream(pieces: Vec<Piece>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::iter(pieces).flat_map(Piece::stream)
}
