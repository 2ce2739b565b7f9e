//! The write load: one client that puts numbered keys, one after the other, and remembers exactly what was acknowledged.
//!
//! It behaves as a good client should: one write at a time, every try with a timeout, the next endpoint after a failure and beside one that is
//! slow, the list of endpoints refreshed from the cluster itself. So a gap is a time in which no member of the cluster acknowledged
//! anything. A write that failed is tried again under the same number, so a number that is missing
//! at the end was acknowledged and lost, or is the one that was in flight when the load stopped.

mod check;
mod endpoints;
mod gaps;
mod load;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use gaps::{Gap, Label};

use super::etcd::Credentials;
use endpoints::Endpoints;
use gaps::Gaps;

/// A running write load. It ends when this is dropped.
#[derive(Debug)]
pub struct Writer {
    prefix: String,
    credentials: Option<Credentials>,
    book: Arc<Mutex<Book>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the load did.
#[derive(Debug)]
pub struct Written {
    prefix: String,
    credentials: Option<Credentials>,
    book: Book,
}

/// What is known of the writes so far.
#[derive(Debug)]
struct Book {
    /// The revisions of the acknowledged writes, by number.
    acked: BTreeMap<u64, i64>,
    failed: u64,
    /// Tries at another endpoint beside one that had not answered yet.
    hedged: u64,
    last_failure: Option<String>,
    gaps: Gaps,
}

impl Book {
    fn new() -> Self {
        Self { acked: BTreeMap::new(), failed: 0, hedged: 0, last_failure: None, gaps: Gaps::from(Instant::now()) }
    }
}

impl Writer {
    /// Starts writing under this prefix, at first through these addresses.
    #[must_use]
    pub fn start(addresses: Vec<IpAddr>, prefix: &str) -> Self {
        Self::start_as(addresses, prefix, None)
    }

    /// The same for a cluster that speaks TLS: the credentials of one member are good for all.
    #[must_use]
    pub fn start_as(addresses: Vec<IpAddr>, prefix: &str, credentials: Option<Credentials>) -> Self {
        let book = Arc::new(Mutex::new(Book::new()));
        let (stop, stopped) = watch::channel(false);
        let endpoints = Endpoints::new(addresses, credentials.clone());
        let tasks = vec![
            tokio::spawn(load::write(prefix.to_owned(), endpoints.clone(), book.clone(), stopped.clone())),
            tokio::spawn(endpoints::refresh(endpoints, stopped)),
        ];
        Self { prefix: prefix.to_owned(), credentials, book, stop, tasks }
    }

    /// What is happening to the cluster from now on.
    pub fn label(&self, label: Label) {
        lock(&self.book).gaps.label(label);
    }

    /// Forgets the gaps so far; an open one continues.
    pub fn forget_gaps(&self) {
        lock(&self.book).gaps.forget();
    }

    /// How many writes were acknowledged so far.
    #[must_use]
    pub fn acked(&self) -> usize {
        lock(&self.book).acked.len()
    }

    /// The error of the last failed try.
    #[must_use]
    pub fn last_failure(&self) -> Option<String> {
        lock(&self.book).last_failure.clone()
    }

    /// The longest gap so far under this label.
    #[must_use]
    pub fn longest(&self, label: Label) -> Option<Gap> {
        lock(&self.book).gaps.longest(label, Instant::now())
    }

    /// Ends the load after the write that is in flight.
    pub async fn stop(mut self) -> Written {
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
        let book = std::mem::replace(&mut *lock(&self.book), Book::new());
        Written { prefix: std::mem::take(&mut self.prefix), credentials: self.credentials.take(), book }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Written {
    /// How many writes were acknowledged.
    #[must_use]
    pub fn acked(&self) -> usize {
        self.book.acked.len()
    }

    /// The numbers of the writes that were acknowledged at a later revision than this one.
    #[must_use]
    pub fn after(&self, revision: u64) -> Vec<u64> {
        let later = |at: i64| u64::try_from(at).is_ok_and(|at| at > revision);
        self.book.acked.iter().filter(|(_, at)| later(**at)).map(|(number, _)| *number).collect()
    }

    /// How many tries failed; each was made again until it was acknowledged.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.book.failed
    }

    /// How many tries were made beside one that was slow.
    #[must_use]
    pub fn hedged(&self) -> u64 {
        self.book.hedged
    }

    /// The longest time between two acknowledgements under this label.
    #[must_use]
    pub fn longest(&self, label: Label) -> Option<Gap> {
        self.book.gaps.longest_closed(label)
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
