//! etcd's backend file, read without etcd: the revision of a snapshot, and what shows that two files hold the same keys.
//!
//! `member/snap/db` is a bbolt database, and so is a snapshot, which has a SHA-256 of itself behind it. It is a row of pages: two meta pages (the valid one
//! with the higher transaction counts), then B+ trees of buckets. The layout has been the same in every bbolt that etcd 3 has used
//! (`internal/common/{meta,page,bucket,inode}.go`; in 3.4 `db.go`, `page.go`, `bucket.go`, `node.go`). The revisions are the keys of the bucket `key` (etcd's
//! `mvcc/revision.go`). Numbers are little endian, those of revisions big endian.
//!
//! Nothing in the file is believed before it is checked: a damaged file is refused, and the error names the page. Pages are read one at a time and large values
//! in pieces, so memory does not grow with the file: 2.3 MiB for a whole process that read 1.5 GB.

mod error;
mod meta;
mod order;
mod page;
mod revision;
mod source;
mod tally;
mod tree;

#[cfg(test)]
mod tests;

use std::path::Path;

use futures::FutureExt as _;

pub use error::{BackendError, Flaw};
pub use source::Ranges;
pub use tally::Summary;

use source::OnDisk;
use tree::Database;

/// The bucket of all revisions of all keys.
const KEY: &[u8] = b"key";

/// The bucket of what etcd notes about its cluster.
const CLUSTER: &[u8] = b"cluster";

/// The bucket of what etcd notes about itself.
const META: &[u8] = b"meta";

/// The `main` part of the last key of the bucket `key`; 0 if it is empty. It is what `etcdctl snapshot status` calls the revision.
///
/// It takes a handful of reads, of one page or a few each: the meta pages, the root, and one page for each level of the bucket.
///
/// It is less than the revision at which etcd stood if the newest revisions were deletions and have been compacted away: see
/// [`current_revision`].
///
/// # Errors
/// A read that failed, or the page that is wrong.
pub async fn latest_revision(source: &mut impl Ranges) -> Result<u64, BackendError> {
    Database::open(source).await?.latest().await
}

/// The revision at which etcd stood, and from which it continues: [`latest_revision`], or that of the newest compaction if it is higher, and at least 1.
///
/// Compaction removes a deletion's own entry too (before 3.4.34 and 3.5.16 at once, since then with the next compaction if it is the very revision that is
/// compacted to), so the bucket `key` may end below it or be empty. etcd's `restore` in `mvcc/kvstore.go` takes the higher of the two, and begins at 1. This
/// takes two or three reads more than [`latest_revision`].
///
/// # Errors
/// A read that failed, or the page that is wrong.
pub async fn current_revision(source: &mut impl Ranges) -> Result<u64, BackendError> {
    let mut database = Database::open(source).await?;
    let compaction = database.compaction().await?;
    Ok(database.latest().await?.max(compaction.scheduled).max(compaction.finished).max(1))
}

/// Up to which revisions a file has been compacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// The last that began; 0 if none did.
    pub scheduled: u64,
    /// The last that finished; 0 if none did.
    pub finished: u64,
}

impl Compaction {
    /// Whether one had begun but not finished when the file was written. 3.4's `etcdctl snapshot restore` continues it while it restores (it opens the store,
    /// `clientv3/snapshot/v3_snapshot.go`), so the restored file holds fewer entries up to `scheduled` than the snapshot, and the same ones after it.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.scheduled > self.finished
    }
}

/// The compactions recorded in the file at `path`: a snapshot, or a stopped member's `member/snap/db`.
///
/// # Errors
/// The file that cannot be read or is shorter than it says, or the page that is wrong.
pub fn compaction(path: &Path) -> Result<Compaction, BackendError> {
    let (mut file, size) = OnDisk::open(path)?;
    at_once(async { Database::whole(&mut file, size).await?.compaction().await })
}

/// The cluster's version as the member applied it last, such as `3.5.0`: every etcd 3 keeps it in its own file (`clusterVersion` in the bucket `cluster`;
/// etcd's `membership/store.go`, from 3.6 on `schema/membership.go`). `None` if none was decided yet. It takes a handful of reads.
///
/// # Errors
/// The file that cannot be read, or the page that is wrong.
pub fn cluster_version(path: &Path) -> Result<Option<String>, BackendError> {
    let (mut file, size) = OnDisk::open(path)?;
    at_once(async { Database::whole(&mut file, size).await?.cluster_version().await })
}

/// Reads the whole bucket `key` of the file at `path`: a snapshot, or a stopped member's `member/snap/db`. It blocks while it reads.
///
/// # Errors
/// The file that cannot be read or is shorter than it says, or the page that is wrong.
pub fn summary(path: &Path) -> Result<Summary, BackendError> {
    summary_after(path, 0)
}

/// As [`summary`], but of the revisions after `revision` only; all pages are still read and checked. A compaction changes nothing after its revision: see
/// [`Compaction::is_unfinished`].
///
/// # Errors
/// As [`summary`].
pub fn summary_after(path: &Path, revision: u64) -> Result<Summary, BackendError> {
    let (mut file, size) = OnDisk::open(path)?;
    at_once(summarised(&mut file, size, revision))
}

async fn summarised(source: &mut impl Ranges, size: u64, after: u64) -> Result<Summary, BackendError> {
    tally::of(&mut Database::whole(source, size).await?, after).await
}

/// Polls once: a file's reads never wait.
fn at_once<T>(reading: impl Future<Output = Result<T, BackendError>>) -> Result<T, BackendError> {
    reading.now_or_never().unwrap_or(Err(BackendError::Waiting))
}
