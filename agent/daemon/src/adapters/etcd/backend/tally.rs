//! The whole bucket `key`, counted and hashed.

use sha2::{Digest as _, Sha256};

use super::order::Order;
use super::page::{Entry, Kind, Page};
use super::source::Ranges;
use super::tree::{DEPTH, Database};
use super::{BackendError, Flaw, KEY, revision};

/// What tells whether two files hold the same keys with the same history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The `main` part of the last key that counts, as [`super::latest_revision`]; 0 if there is none.
    pub revision: u64,
    /// Number of entries of the bucket `key`: one for each revision of each key that is not compacted, deletions included.
    pub keys: u64,
    /// SHA-256 over the entries in order: the length of the key in eight bytes big endian, the key, the length of the value likewise,
    /// the value.
    pub digest: [u8; 32],
}

/// A page of the way down, and which of its entries comes next.
struct Level {
    page: Page,
    next: usize,
}

#[derive(Default)]
struct Tally {
    revision: u64,
    keys: u64,
    digest: Sha256,
    order: Order,
    /// Pages that were read, overflow included.
    pages: u64,
    /// Only what comes after this revision counts.
    after: u64,
}

/// Reads the pages of the bucket `key`, depth first.
pub(super) async fn of(database: &mut Database<'_, impl Ranges>, after: u64) -> Result<Summary, BackendError> {
    let mut tally = Tally { after, ..Tally::default() };
    let root = database.bucket(KEY).await?;
    let mut way = vec![Level { page: root, next: 0 }];
    while let Some(level) = way.last_mut() {
        match level.page.kind {
            Kind::Leaf => {
                tally.leaf(database, &mut level.page).await?;
                way.pop();
            }
            Kind::Branch => match tally.child(database, level).await? {
                Some(page) if way.len() >= DEPTH => return Err(Flaw::Depth { limit: DEPTH }.at(page.number)),
                Some(page) => way.push(Level { page, next: 0 }),
                None => drop(way.pop()),
            },
        }
    }
    Ok(Summary { revision: tally.revision, keys: tally.keys, digest: tally.digest.finalize().into() })
}

impl Tally {
    /// The next page below a branch.
    async fn child(&mut self, database: &mut Database<'_, impl Ranges>, level: &mut Level) -> Result<Option<Page>, BackendError> {
        let (index, number) = (level.next, level.page.number);
        let Some(entry) = level.page.entries.get(index).copied() else {
            return if index == 0 { Err(Flaw::Empty.at(number)) } else { Ok(None) };
        };
        level.next = index.saturating_add(1);
        let key = level.page.key(database.source, &entry).await?;
        if !self.order.branch(&key) {
            return Err(Flaw::Order { index }.at(number));
        }
        let page = database.page(entry.child).await?;
        self.pages = self.pages.saturating_add(page.pages(&database.meta));
        if self.pages > database.meta.pages {
            return Err(Flaw::Again { pages: database.meta.pages }.at(page.number));
        }
        if page.entries.is_empty() { Err(Flaw::Empty.at(page.number)) } else { Ok(Some(page)) }
    }

    async fn leaf(&mut self, database: &mut Database<'_, impl Ranges>, page: &mut Page) -> Result<(), BackendError> {
        for index in 0..page.entries.len() {
            let Some(entry) = page.entries.get(index).copied() else { break };
            self.entry(database, page, index, entry).await?;
        }
        Ok(())
    }

    async fn entry(
        &mut self,
        database: &mut Database<'_, impl Ranges>,
        page: &mut Page,
        index: usize,
        entry: Entry,
    ) -> Result<(), BackendError> {
        let no_revision = Flaw::Revision { index }.at(page.number);
        if entry.is_bucket || entry.key_len() > revision::LONGEST {
            return Err(no_revision);
        }
        let key = page.key(database.source, &entry).await?;
        let Some(main) = revision::main(&key) else { return Err(no_revision) };
        if !self.order.entry(&key) {
            return Err(Flaw::Order { index }.at(page.number));
        }
        if main <= self.after {
            return Ok(());
        }
        self.digest.update(entry.key_len().to_be_bytes());
        self.digest.update(&key);
        self.digest.update(entry.value_len().to_be_bytes());
        self.value(database, page, &entry).await?;
        (self.revision, self.keys) = (main, self.keys.saturating_add(1));
        Ok(())
    }

    async fn value(&mut self, database: &mut Database<'_, impl Ranges>, page: &mut Page, entry: &Entry) -> Result<(), BackendError> {
        let mut from = 0_u64;
        while from < entry.value_len() {
            let piece = page.value(database.source, entry, from).await?;
            self.digest.update(&piece);
            from = from.saturating_add(piece.len() as u64);
        }
        Ok(())
    }
}
