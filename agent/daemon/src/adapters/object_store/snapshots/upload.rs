//! An upload in parts, a few of which are sent at a time.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::task::JoinSet;

use crate::adapters::object_store::StoreError;
use crate::adapters::object_store::home::Home;

/// S3 accepts no smaller part except the last (UploadPart, "Amazon S3 multipart upload limits").
const LEAST_PART: u64 = 5 << 20;
/// S3 accepts at most ten thousand parts; some are held in reserve, because a database may grow while it is measured.
const MOST_PARTS: u64 = 9_000;
/// How many parts are sent at a time: with the one being filled they are all that is held in memory.
const AT_ONCE: usize = 3;

/// The size of the parts for this many bytes.
#[must_use]
pub fn part_size(bytes: u64) -> usize {
    let least = bytes.div_ceil(MOST_PARTS).next_multiple_of(1 << 20);
    usize::try_from(least.max(LEAST_PART)).unwrap_or(usize::MAX)
}

/// See the module. Dropped without [`Upload::complete`], it leaves no object.
#[derive(Debug)]
pub struct Upload<'a> {
    home: &'a Home,
    key: Key,
    parts: Box<dyn MultipartUpload>,
    under_way: JoinSet<Result<(), object_store::Error>>,
    part_size: usize,
    filling: BytesMut,
    /// The parts sent last, whose memory is reused once nothing else holds them. Freeing and allocating it again for each part fragments memory: measured with
    /// a database of 1.3 GiB, that took 34 MiB instead of 20.
    lent: VecDeque<Bytes>,
}

impl<'a> Upload<'a> {
    pub(super) async fn begin(home: &'a Home, key: Key, part_size: usize) -> Result<Self, StoreError> {
        let parts = home.place.store.put_multipart(&key).await.map_err(|e| home.failed("begin to write", &key, e))?;
        Ok(Self {
            home,
            key,
            parts,
            under_way: JoinSet::new(),
            part_size,
            filling: BytesMut::with_capacity(part_size),
            lent: VecDeque::new(),
        })
    }

    /// Takes the next bytes; waits while the maximum number of parts is being sent.
    ///
    /// # Errors
    /// A part was refused or lost.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.part_size - self.filling.len()));
            self.filling.extend_from_slice(now);
            bytes = later;
            if self.filling.len() == self.part_size {
                let full = std::mem::take(&mut self.filling);
                self.send(full.freeze()).await?;
                self.filling = self.empty();
            }
        }
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        while self.under_way.len() >= AT_ONCE {
            self.arrival().await?;
        }
        self.lent.push_back(part.clone());
        self.under_way.spawn(self.parts.put_part(PutPayload::from(part)));
        Ok(())
    }

    /// Room for a part, reused from one that has arrived if there is one.
    fn empty(&mut self) -> BytesMut {
        let back = self.lent.iter().position(Bytes::is_unique).and_then(|at| self.lent.remove(at));
        // If a store keeps the buffers that it was given (the one in memory does), they must not be kept here as well.
        self.lent.drain(..self.lent.len().saturating_sub(AT_ONCE));
        let Some(mut room) = back.and_then(|part| part.try_into_mut().ok()) else { return BytesMut::with_capacity(self.part_size) };
        room.clear();
        room
    }

    async fn arrival(&mut self) -> Result<(), StoreError> {
        match self.under_way.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(self.home.failed("write a part of", &self.key, error)),
            Some(Err(error)) => Err(self.home.malformed(&self.key, "part", error.into())),
        }
    }

    /// Sends the rest, and has the store assemble the object.
    ///
    /// # Errors
    /// A part, or the final request, was refused or lost.
    pub async fn complete(mut self) -> Result<(), StoreError> {
        let rest = std::mem::take(&mut self.filling);
        if !rest.is_empty() {
            self.send(rest.freeze()).await?;
        }
        while !self.under_way.is_empty() {
            self.arrival().await?;
        }
        self.parts.complete().await.map(drop).map_err(|e| self.home.failed("put together", &self.key, e))
    }

    /// Has the store discard what was written. Best effort: a bucket's own rule (AbortIncompleteMultipartUpload) cleans up after a node that died.
    pub async fn abort(mut self) {
        self.under_way.shutdown().await;
        if let Err(error) = self.parts.abort().await {
            tracing::debug!("the upload of {} could not be aborted: {error}", self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use quorate_core::ids::SnapshotKey;
    use quorate_core::observation::Me;
    use quorate_core::role::Role;
    use quorate_core::time::Timestamp;

    use super::*;
    use crate::adapters::object_store::SnapshotStore;

    fn me() -> Me {
        Me {
            instance: "i-0a".into(),
            address: [10, 0, 0, 1].into(),
            group: "etcd".into(),
            account: "1".into(),
            region: "eu-central-1".into(),
            cluster: "prod".into(),
            role: Role::Etcd,
            launched: Timestamp(0),
        }
    }

    /// A store that lets go of a part once it is written, and one that keeps every part.
    #[tokio::test]
    async fn parts_are_filled_again_and_nothing_of_them_is_mixed_up() {
        let dir = tempfile::tempdir().unwrap();
        for url in [format!("file://{}", dir.path().display()), "memory://".to_owned()] {
            let store = SnapshotStore::open(&url, &BTreeMap::new(), &me(), Duration::from_secs(5)).unwrap();
            let key = SnapshotKey::new("snapshots/0000000001/1-1-i-0a");
            let mut upload = store.upload(&key, 1000).await.unwrap();
            let bytes: Vec<u8> = (0..25_500_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
            for piece in bytes.chunks(333) {
                upload.write(piece).await.unwrap();
                assert!(upload.lent.len() <= AT_ONCE && upload.filling.capacity() >= 1000, "{url}: {upload:?}");
            }
            upload.complete().await.unwrap();
            assert!(store.pages(&key, 0..30_000).await.unwrap() == bytes, "{url}");
        }
    }

    #[test]
    fn parts_grow_so_that_ten_thousand_are_enough() {
        assert_eq!(part_size(0), 5 << 20);
        assert_eq!(part_size(40 << 30), 5 << 20);
        for bytes in [50 << 30, 1 << 40, 5 << 40_u64] {
            let size = part_size(bytes) as u64;
            assert!(bytes.div_ceil(size) <= MOST_PARTS && size.is_multiple_of(1 << 20), "{bytes}: {size}");
        }
    }
}
