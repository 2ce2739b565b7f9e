//! Buckets, and the way down to one entry.

use super::meta::Meta;
use super::order::Order;
use super::page::{Kind, Page};
use super::source::{Ranges, u64_at};
use super::{BackendError, CLUSTER, Compaction, Flaw, KEY, META, revision};

/// A branch of the smallest pages has dozens of entries: even a file of many TiB has at most a dozen levels.
pub(super) const DEPTH: usize = 32;

/// No version is longer.
const LONGEST_VERSION: u64 = 64;

/// An open database.
#[derive(Debug)]
pub(super) struct Database<'a, R> {
    pub(super) source: &'a mut R,
    pub(super) meta: Meta,
}

/// Which way to take at a branch.
#[derive(Clone, Copy)]
enum Way<'k> {
    /// To the last key.
    Last,
    /// To where this key is, or would be.
    To(&'k [u8]),
}

impl<'a, R: Ranges> Database<'a, R> {
    pub(super) async fn open(source: &'a mut R) -> Result<Self, BackendError> {
        let meta = Meta::newest(source).await?;
        Ok(Self { source, meta })
    }

    /// Opens a file of `size` bytes, and refuses one that is shorter than its pages.
    pub(super) async fn whole(source: &'a mut R, size: u64) -> Result<Self, BackendError> {
        let database = Self::open(source).await?;
        let needed = database.meta.pages.saturating_mul(database.meta.page_size);
        if size < needed { Err(BackendError::Truncated { size, needed }) } else { Ok(database) }
    }

    pub(super) async fn page(&mut self, number: u64) -> Result<Page, BackendError> {
        Page::read(self.source, &self.meta, number).await
    }

    /// The root page of a bucket.
    pub(super) async fn bucket(&mut self, name: &'static [u8]) -> Result<Page, BackendError> {
        let root = self.page(self.meta.root).await?;
        let mut leaf = self.descend(root, Way::To(name)).await?;
        let Some(index) = self.find(&mut leaf, name).await? else {
            return Err(BackendError::NoBucket { name: String::from_utf8_lossy(name).into_owned(), page: leaf.number });
        };
        let entry = leaf.entries.get(index).copied().filter(|entry| entry.is_bucket);
        let entry = entry.ok_or(Flaw::Bucket { index }.at(leaf.number))?;
        let value = leaf.value(self.source, &entry, 0).await?;
        match u64_at(&value, 0).ok_or(Flaw::Bucket { index }.at(leaf.number))? {
            // A bucket of a few small entries lies in the value itself.
            0 => leaf.inline(self.source, index).await,
            page => self.page(page).await,
        }
    }

    /// The `main` part of the last key of the bucket `key`; 0 if it is empty.
    pub(super) async fn latest(&mut self) -> Result<u64, BackendError> {
        let root = self.bucket(KEY).await?;
        let mut leaf = self.descend(root, Way::Last).await?;
        let Some(entry) = leaf.entries.last().copied() else { return Ok(0) };
        let index = leaf.entries.len().saturating_sub(1);
        let key = leaf.key(self.source, &entry).await?;
        revision::main(&key).ok_or(Flaw::Revision { index }.at(leaf.number))
    }

    /// What the bucket `meta` says of compactions.
    pub(super) async fn compaction(&mut self) -> Result<Compaction, BackendError> {
        let scheduled = self.noted(b"scheduledCompactRev").await?;
        let finished = self.noted(b"finishedCompactRev").await?;
        Ok(Compaction { scheduled, finished })
    }

    /// What the bucket `cluster` says of its version.
    pub(super) async fn cluster_version(&mut self) -> Result<Option<String>, BackendError> {
        const NAME: &[u8] = b"clusterVersion";
        let root = match self.bucket(CLUSTER).await {
            Err(BackendError::NoBucket { .. }) => return Ok(None),
            root => root?,
        };
        let mut leaf = self.descend(root, Way::To(NAME)).await?;
        let Some(index) = self.find(&mut leaf, NAME).await? else { return Ok(None) };
        let Some(entry) = leaf.entries.get(index).copied().filter(|entry| entry.value_len() <= LONGEST_VERSION) else { return Ok(None) };
        let value = leaf.value(self.source, &entry, 0).await?;
        Ok(Some(String::from_utf8_lossy(&value).into_owned()))
    }

    async fn noted(&mut self, name: &[u8]) -> Result<u64, BackendError> {
        let root = self.bucket(META).await?;
        let mut leaf = self.descend(root, Way::To(name)).await?;
        let Some(index) = self.find(&mut leaf, name).await? else { return Ok(0) };
        let wrong = Flaw::Revision { index }.at(leaf.number);
        let Some(entry) = leaf.entries.get(index).copied() else { return Err(wrong) };
        let value = leaf.value(self.source, &entry, 0).await?;
        revision::main(&value).ok_or(wrong)
    }

    /// The leaf at the end of the way. The tree's order is checked on the way.
    async fn descend(&mut self, root: Page, way: Way<'_>) -> Result<Page, BackendError> {
        let (mut page, mut order) = (root, Order::default());
        for _ in 0..DEPTH {
            if page.kind == Kind::Leaf {
                self.last_follows(&mut page, &mut order, way).await?;
                return Ok(page);
            }
            let index = self.choose(&mut page, way).await?;
            let entry = page.entries.get(index).copied().ok_or(Flaw::Empty.at(page.number))?;
            let key = page.key(self.source, &entry).await?;
            if !order.branch(&key) {
                return Err(Flaw::Order { index }.at(page.number));
            }
            page = self.page(entry.child).await?;
            if page.entries.is_empty() {
                return Err(Flaw::Empty.at(page.number));
            }
        }
        Err(Flaw::Depth { limit: DEPTH }.at(page.number))
    }

    async fn last_follows(&mut self, leaf: &mut Page, order: &mut Order, way: Way<'_>) -> Result<(), BackendError> {
        let (Way::Last, Some(entry)) = (way, leaf.entries.last().copied()) else { return Ok(()) };
        let key = leaf.key(self.source, &entry).await?;
        let index = leaf.entries.len().saturating_sub(1);
        if order.entry(&key) { Ok(()) } else { Err(Flaw::Order { index }.at(leaf.number)) }
    }

    /// The entry through which the way leads: the last whose key is not greater.
    async fn choose(&mut self, branch: &mut Page, way: Way<'_>) -> Result<usize, BackendError> {
        let last = branch.entries.len().saturating_sub(1);
        let Way::To(name) = way else { return Ok(last) };
        for index in (1..=last).rev() {
            let Some(entry) = branch.entries.get(index).copied() else { break };
            if branch.key(self.source, &entry).await?.as_ref() <= name {
                return Ok(index);
            }
        }
        Ok(0)
    }

    async fn find(&mut self, leaf: &mut Page, name: &[u8]) -> Result<Option<usize>, BackendError> {
        for index in 0..leaf.entries.len() {
            let Some(entry) = leaf.entries.get(index).copied() else { break };
            if entry.key_len() == name.len() as u64 && leaf.key(self.source, &entry).await?.as_ref() == name {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}
