//! The order of a tree's keys. Checking it makes a walk over a damaged tree end.

/// What the next key has to be greater than.
///
/// A branch's key is at most the first key below it, and greater than all keys before it: bbolt's own check requires the same (`recursivelyCheckPageKeyOrder`
/// in `tx_check.go`), and a search relies on it.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Vec<u8>,
    /// Whether `last` was an entry's and not a branch's.
    entry: bool,
}

impl Order {
    /// Whether a branch's key may come next.
    pub(super) fn branch(&mut self, key: &[u8]) -> bool {
        self.follows(key, false)
    }

    /// Whether an entry's key may come next.
    pub(super) fn entry(&mut self, key: &[u8]) -> bool {
        self.follows(key, true)
    }

    fn follows(&mut self, key: &[u8], entry: bool) -> bool {
        let follows = if self.entry { key > self.last.as_slice() } else { key >= self.last.as_slice() };
        self.last.clear();
        self.last.extend_from_slice(key);
        self.entry = entry;
        follows
    }
}
