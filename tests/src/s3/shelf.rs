//! The bucket in real time: the model behind its lock, the directory with its bodies, and the clock.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quorate_core::time::Timestamp;

use super::S3Error;
use super::disk::{Disk, Piece};
use super::model::content::{self, Blob};
use super::model::{Model, Object};
use crate::wire::Clock;

#[derive(Debug)]
pub(super) struct Shelf {
    model: Mutex<Model>,
    pub(super) disk: Option<Disk>,
    pub(super) clock: Clock,
}

impl Shelf {
    /// An empty bucket, whose bodies are in memory or in this directory.
    pub(super) fn new(directory: Option<&Path>) -> io::Result<Self> {
        Ok(Self { model: Mutex::default(), disk: directory.map(Disk::new).transpose()?, clock: Clock::new() })
    }

    /// Looks at the bucket. Never to be held across an await: every request needs it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Model> {
        // The model changes in one step or not at all.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the bucket, and removes the bodies that nothing refers to any longer.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut Model, Timestamp) -> T) -> T {
        let mut model = self.lock();
        let done = act(&mut model, self.clock.now());
        let garbage = model.take_garbage();
        if let Some(disk) = &self.disk {
            disk.remove(&garbage);
        }
        done
    }

    /// A range of an object of this model, ready to be read although the object may be replaced meanwhile.
    pub(super) fn pieces(&self, object: &Object, range: &Range<u64>) -> Result<Vec<Piece>, S3Error> {
        let covering = content::covering(&object.content, range);
        let open = |(blob, range): &(Blob, Range<u64>)| Piece::open(self.disk.as_ref(), blob, range);
        covering.iter().map(open).collect::<io::Result<_>>().map_err(|error| failed(&error))
    }

    /// Removes a body that was not used after all.
    pub(super) fn discard(&self, blob: &Blob) {
        if let Some(disk) = &self.disk {
            disk.remove([blob]);
        }
    }
}

/// The lab's own disk failed.
pub(super) fn failed(error: &io::Error) -> S3Error {
    S3Error::new("InternalError").because(error)
}
