//! What can be wrong with a backend file.

use std::io;
use std::path::PathBuf;

/// Why a file could not be read as etcd's backend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The file could not be opened.
    #[error("cannot open the etcd database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A read failed: nothing is known of the content.
    #[error("cannot read {len} bytes at offset {offset} of the etcd database")]
    Read {
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        len: u64,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Neither meta page is valid.
    #[error("this is not an etcd database: {what} (page 0), and there is no valid second meta page")]
    NoDatabase {
        /// What is wrong with the first.
        what: &'static str,
    },
    /// The meta page is valid, but has values that etcd never writes.
    #[error("this is not a readable etcd database: its pages have {page_size} bytes and it has {pages} of them")]
    Geometry {
        /// Bytes of a page: a power of two from 1024 to 65536.
        page_size: u64,
        /// Number of pages: at least 4.
        pages: u64,
    },
    /// The file is shorter than its pages.
    #[error("the etcd database is cut short: {size} bytes of {needed}")]
    Truncated {
        /// Its size in bytes.
        size: u64,
        /// The size of its pages in bytes.
        needed: u64,
    },
    /// It is a bbolt database, but not etcd's.
    #[error("the database has no bucket `{name}`, which every etcd database has (root page {page})")]
    NoBucket {
        /// The bucket.
        name: String,
        /// The page of the root bucket's leaf where it should be.
        page: u64,
    },
    /// A page is not as bbolt and etcd write it.
    #[error("page {page} of the etcd database is damaged: {flaw}")]
    Page {
        /// Its number.
        page: u64,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A file's read waited, which it cannot.
    #[error("reading the etcd database was interrupted: read it again")]
    Waiting,
}

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Something refers to a page that cannot exist.
    #[error("something refers to it, but only pages 2 to {last} exist")]
    Outside {
        /// The last page.
        last: u64,
    },
    /// Its overflow would lie behind the last page.
    #[error("it claims {overflow} more pages, but page {last} is the last")]
    Overflow {
        /// How many pages are said to follow it.
        overflow: u64,
        /// The last page.
        last: u64,
    },
    /// The file ends before the page does.
    #[error("the file ends within it")]
    CutShort,
    /// The page's header has another number.
    #[error("it says that it is page {claims}")]
    Misplaced {
        /// The number that it has.
        claims: u64,
    },
    /// The page is not part of a tree.
    #[error("its flags are {flags:#06x}, which is neither a branch (0x0001) nor a leaf (0x0002)")]
    Kind {
        /// Its flags.
        flags: u16,
    },
    /// A page without entries that is not a bucket's only one.
    #[error("it has no entries")]
    Empty,
    /// An entry's key or value is not where one can be.
    #[error("its entry {index} lies outside the page or over another")]
    Entry {
        /// Which, from 0.
        index: usize,
    },
    /// A key is not greater than what comes before it.
    #[error("the key of its entry {index} is not greater than the one before it")]
    Order {
        /// Which, from 0.
        index: usize,
    },
    /// A tree deeper than any real one, such as one that leads back to itself.
    #[error("it is more than {limit} levels below its root")]
    Depth {
        /// How deep a tree may be.
        limit: usize,
    },
    /// More pages are referred to than there are.
    #[error("with it there are references to more than the {pages} pages that exist")]
    Again {
        /// How many there are.
        pages: u64,
    },
    /// What should be a bucket is not one.
    #[error("its entry {index} is not a bucket")]
    Bucket {
        /// Which, from 0.
        index: usize,
    },
    /// A key that etcd would not have written.
    #[error("the key of its entry {index} is not a revision")]
    Revision {
        /// Which, from 0.
        index: usize,
    },
}

impl Flaw {
    pub(super) fn at(self, page: u64) -> BackendError {
        BackendError::Page { page, flaw: self }
    }
}
