//! One page with its overflow pages: a table of entries, then their keys and values.

use bytes::Bytes;

use super::meta::{HEADER, Meta};
use super::source::{Ranges, read, u16_at, u32_at, u64_at};
use super::{BackendError, Flaw};

/// Bytes read at once behind a page's beginning: large values are read in pieces of this size.
pub(super) const AHEAD: u64 = 64 * 1024;

/// Bytes of an entry in the table, of a branch and of a leaf alike.
const ENTRY: usize = 16;

/// The longest key that bbolt takes (`MaxKeySize`).
const LONGEST_KEY: u64 = 32768;

/// What a page is in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its entries are pages.
    Branch,
    /// Its entries are keys with values.
    Leaf,
}

/// Where an entry's parts are, in bytes from the page's beginning; all of it lies within the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    key_at: u64,
    key_len: u64,
    value_len: u64,
    /// A branch's page; 0 in a leaf.
    pub(super) child: u64,
    /// Whether the value is a bucket.
    pub(super) is_bucket: bool,
}

impl Entry {
    pub(super) fn key_len(&self) -> u64 {
        self.key_len
    }

    pub(super) fn value_len(&self) -> u64 {
        self.value_len
    }

    fn value_at(&self) -> u64 {
        self.key_at.saturating_add(self.key_len)
    }

    fn end(&self) -> u64 {
        self.value_at().saturating_add(self.value_len)
    }
}

/// A page of a tree, with its overflow. An inline bucket's page lies in a value of another, and has that one's number.
#[derive(Debug)]
pub(super) struct Page {
    /// Its number.
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) entries: Vec<Entry>,
    start: u64,
    len: u64,
    /// The bytes read last.
    window: Bytes,
    window_at: u64,
}

impl Page {
    /// Reads page `number` of the file.
    pub(super) async fn read(source: &mut impl Ranges, meta: &Meta, number: u64) -> Result<Self, BackendError> {
        let last = meta.pages.saturating_sub(1);
        if !(2..=last).contains(&number) {
            return Err(Flaw::Outside { last }.at(number));
        }
        let start = number.saturating_mul(meta.page_size);
        let window = read(source, start, meta.page_size).await?;
        let header = Header::of(&window).ok_or(Flaw::CutShort.at(number))?;
        if header.number != number {
            return Err(Flaw::Misplaced { claims: header.number }.at(number));
        }
        if header.overflow > last.saturating_sub(number) {
            return Err(Flaw::Overflow { overflow: header.overflow, last }.at(number));
        }
        let pages = header.overflow.saturating_add(1);
        Self::parse(source, number, header, (start, pages.saturating_mul(meta.page_size)), window).await
    }

    /// Reads the page of an inline bucket, which lies behind the first 16 bytes of the value of `self`'s entry `index`.
    pub(super) async fn inline(mut self, source: &mut impl Ranges, index: usize) -> Result<Self, BackendError> {
        let no_bucket = Flaw::Bucket { index }.at(self.number);
        let Some(entry) = self.entries.get(index).copied() else { return Err(no_bucket) };
        let Some(len) = entry.value_len.checked_sub(HEADER as u64) else { return Err(no_bucket) };
        let at = entry.value_at().saturating_add(HEADER as u64);
        let window = self.bytes(source, at, len.min(AHEAD)).await?;
        // Its own number is ignored: bbolt leaves 0 there.
        let header = Header::of(&window).filter(|header| header.overflow == 0 && header.flags == 2);
        let Some(header) = header else { return Err(no_bucket) };
        Self::parse(source, self.number, header, (self.start.saturating_add(at), len), window).await
    }

    async fn parse(
        source: &mut impl Ranges,
        number: u64,
        header: Header,
        (start, len): (u64, u64),
        window: Bytes,
    ) -> Result<Self, BackendError> {
        let kind = match header.flags {
            1 => Kind::Branch,
            2 => Kind::Leaf,
            flags => return Err(Flaw::Kind { flags }.at(number)),
        };
        let mut page = Self { number, kind, entries: Vec::new(), start, len, window, window_at: 0 };
        page.entries = page.table(source, header.count).await?;
        Ok(page)
    }

    async fn table(&mut self, source: &mut impl Ranges, count: u16) -> Result<Vec<Entry>, BackendError> {
        let table = usize::from(count).saturating_mul(ENTRY);
        let bytes = self.bytes(source, HEADER as u64, table as u64).await?;
        let mut entries = Vec::with_capacity(usize::from(count));
        let mut free = HEADER.saturating_add(table) as u64;
        for (index, raw) in bytes.chunks_exact(ENTRY).enumerate() {
            let at = HEADER.saturating_add(index.saturating_mul(ENTRY)) as u64;
            let entry = Entry::parse(raw, at, self.kind).filter(|entry| entry.key_at >= free && entry.end() <= self.len);
            let entry = entry.filter(|entry| (1..=LONGEST_KEY).contains(&entry.key_len)).ok_or(Flaw::Entry { index }.at(self.number))?;
            free = entry.end();
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The page's size with its overflow, in pages.
    pub(super) fn pages(&self, meta: &Meta) -> u64 {
        self.len.div_ceil(meta.page_size)
    }

    /// The key of an entry of this page.
    pub(super) async fn key(&mut self, source: &mut impl Ranges, entry: &Entry) -> Result<Bytes, BackendError> {
        self.bytes(source, entry.key_at, entry.key_len).await
    }

    /// At most [`AHEAD`] bytes of an entry's value, from byte `from` of it; none behind its end.
    pub(super) async fn value(&mut self, source: &mut impl Ranges, entry: &Entry, from: u64) -> Result<Bytes, BackendError> {
        let len = entry.value_len.saturating_sub(from).min(AHEAD);
        self.bytes(source, entry.value_at().saturating_add(from), len).await
    }

    /// The `len` bytes at `at`. If they must be read, some more behind them are read too.
    async fn bytes(&mut self, source: &mut impl Ranges, at: u64, len: u64) -> Result<Bytes, BackendError> {
        if let Some(bytes) = self.at_hand(at, len) {
            return Ok(bytes);
        }
        let rest = self.len.saturating_sub(at);
        if len > rest {
            return Err(Flaw::CutShort.at(self.number));
        }
        self.window = read(source, self.start.saturating_add(at), len.max(AHEAD).min(rest)).await?;
        self.window_at = at;
        self.at_hand(at, len).ok_or(Flaw::CutShort.at(self.number))
    }

    fn at_hand(&self, at: u64, len: u64) -> Option<Bytes> {
        let from = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?;
        (to <= self.window.len()).then(|| self.window.slice(from..to))
    }
}

struct Header {
    number: u64,
    flags: u16,
    count: u16,
    overflow: u64,
}

impl Header {
    fn of(page: &[u8]) -> Option<Self> {
        let overflow = u64::from(u32_at(page, 12)?);
        Some(Self { number: u64_at(page, 0)?, flags: u16_at(page, 8)?, count: u16_at(page, 10)?, overflow })
    }
}

impl Entry {
    /// `at` is where the entry itself is, from which its key's place is counted.
    fn parse(raw: &[u8], at: u64, kind: Kind) -> Option<Self> {
        let number = |at| u32_at(raw, at).map(u64::from);
        let (position, key_len, value_len, child, flags) = match kind {
            Kind::Branch => (number(0)?, number(4)?, 0, u64_at(raw, 8)?, 0),
            Kind::Leaf => (number(4)?, number(8)?, number(12)?, 0, number(0)?),
        };
        Some(Self { key_at: at.saturating_add(position), key_len, value_len, child, is_bucket: flags & 1 == 1 })
    }
}
