//! The meta pages: page size, number of pages, and where the root bucket is.

use super::BackendError;
use super::source::{Ranges, read, u32_at, u64_at};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

/// Bytes of a page's header, before what the page holds.
pub(super) const HEADER: usize = 16;

/// Bytes of a meta before its checksum.
const SUMMED: usize = 56;

/// Both meta pages of a database with pages of 4 KiB, which nearly all are.
const HEAD: u64 = 8192;

/// bbolt's pages are as large as those of the machine that made the file: 4 KiB on x86, up to 64 KiB on arm64. bbolt looks for none below 1 KiB.
const SIZES: std::ops::RangeInclusive<u64> = 1024..=65536;

/// What the valid meta page with the higher transaction says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    /// Bytes of a page.
    pub(super) page_size: u64,
    /// Number of pages, these two included.
    pub(super) pages: u64,
    /// The root bucket's page.
    pub(super) root: u64,
    transaction: u64,
}

impl Meta {
    /// The newest valid one. A crash while one of the two is written leaves the other intact, which bbolt then uses too.
    pub(super) async fn newest(source: &mut impl Ranges) -> Result<Self, BackendError> {
        let head = read(source, 0, HEAD).await?;
        let newest = match Self::parse(&head) {
            Ok(first) => match Self::second(source, &head, first.page_size).await? {
                Some(second) if second.transaction > first.transaction => second,
                _ => first,
            },
            Err(what) => Self::search(source, &head).await?.ok_or(BackendError::NoDatabase { what })?,
        };
        newest.checked()
    }

    async fn second(source: &mut impl Ranges, head: &[u8], page_size: u64) -> Result<Option<Self>, BackendError> {
        let at = usize::try_from(page_size).unwrap_or(usize::MAX);
        let within = head.get(at..).filter(|rest| rest.len() >= HEADER + SUMMED + 8);
        let found = match within {
            Some(rest) => Self::parse(rest),
            None if (head.len() as u64) < HEAD => return Ok(None),
            None => Self::parse(&read(source, page_size, HEAD).await?),
        };
        Ok(found.ok().filter(|meta| meta.page_size == page_size))
    }

    /// Looks for the second meta page. Without the first the page size is not known: the second lies where it itself says.
    async fn search(source: &mut impl Ranges, head: &[u8]) -> Result<Option<Self>, BackendError> {
        let mut size = *SIZES.start();
        while SIZES.contains(&size) {
            if let Some(meta) = Self::second(source, head, size).await? {
                return Ok(Some(meta));
            }
            size = size.saturating_mul(2);
        }
        Ok(None)
    }

    fn parse(page: &[u8]) -> Result<Self, &'static str> {
        let meta = page.get(HEADER..HEADER + SUMMED + 8).ok_or("it is too short for a meta page")?;
        if u32_at(meta, 0) != Some(MAGIC) {
            return Err("it does not begin with bbolt's magic number 0xED0CDAED");
        }
        if u32_at(meta, 4) != Some(VERSION) {
            return Err("its version of bbolt's format is not 2");
        }
        if u64_at(meta, SUMMED) != meta.get(..SUMMED).map(fnv1a) {
            return Err("the checksum of its meta page is wrong");
        }
        let number = |at| u64_at(meta, at).ok_or("it is too short for a meta page");
        let page_size = u32_at(meta, 8).map(u64::from).ok_or("it is too short for a meta page")?;
        Ok(Self { page_size, root: number(16)?, pages: number(40)?, transaction: number(48)? })
    }

    /// Makes sure that no offset of a page or in it overflows, and that there is a tree at all.
    fn checked(self) -> Result<Self, BackendError> {
        let Self { page_size, pages, .. } = self;
        let known = page_size.is_power_of_two() && SIZES.contains(&page_size);
        let possible = pages.checked_mul(page_size).is_some_and(|size| i64::try_from(size).is_ok());
        if known && possible && pages >= 4 { Ok(self) } else { Err(BackendError::Geometry { page_size, pages }) }
    }
}

/// FNV-1a of 64 bits, as Go's `hash/fnv`.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
