//! The requests to the store, their callers, and the results.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Operation;
use super::ask::Ask;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was asked.
    pub operation: Operation,
    /// The key that it was about, or the prefix that was to be listed.
    pub key: String,
    /// The number of the part that came with it.
    pub part: Option<u32>,
    /// The access key id that it was signed with.
    pub caller: String,
    /// The status that it was answered with, if it was.
    pub status: Option<u16>,
}

/// The requests in the order in which their bodies had come; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<Line>,
    forgotten: usize,
}

impl Log {
    /// Every request, refused ones too.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lock().lines.clone()
    }

    /// What was asked, in order.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.lock().lines.iter().map(|line| line.operation).collect()
    }

    /// The requests of one kind.
    #[must_use]
    pub fn of(&self, operation: Operation) -> Vec<Line> {
        self.lock().lines.iter().filter(|line| line.operation == operation).cloned().collect()
    }

    /// Each permission that was made use of, or was to be, with the key or the prefix.
    #[must_use]
    pub fn permissions(&self) -> BTreeSet<(&'static str, String)> {
        self.lock().lines.iter().map(|line| (line.operation.permission(), line.key.clone())).collect()
    }

    /// Forgets every request until now.
    pub fn forget(&self) {
        let mut log = self.lock();
        log.forgotten += log.lines.len();
        log.lines.clear();
    }

    /// Notes a request, which is not answered yet.
    pub(super) fn begin(&self, ask: &Ask) -> usize {
        let Ask { operation, key, part, caller, .. } = ask.clone();
        let mut log = self.lock();
        log.lines.push(Line { operation, key, part, caller, status: None });
        log.forgotten + log.lines.len() - 1
    }

    pub(super) fn end(&self, line: usize, status: u16) {
        let mut log = self.lock();
        let index = line.checked_sub(log.forgotten);
        if let Some(line) = index.and_then(|index| log.lines.get_mut(index)) {
            line.status = Some(status);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
