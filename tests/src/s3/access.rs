//! What nobody may do.

use std::sync::{Arc, Mutex, PoisonError};

/// A permission that no caller has without a header, as a statement with `Deny` and the condition `Null` on that header's key says it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    permission: String,
    prefix: String,
    without: String,
}

impl Denial {
    /// Of a permission by IAM's name, for keys that begin with `prefix`, in a request that lacks the header `without`.
    #[must_use]
    pub fn new(permission: &str, prefix: &str, without: &str) -> Self {
        Self { permission: permission.to_owned(), prefix: prefix.to_owned(), without: without.to_owned() }
    }
}

/// What is denied to every caller; clones share it. All the rest is allowed.
#[derive(Clone, Debug, Default)]
pub struct Access(Arc<Mutex<Vec<Denial>>>);

impl Access {
    /// From now on every caller is denied this.
    pub fn deny(&self, denial: Denial) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(denial);
    }

    /// Whether a request for this key is denied, given whether it has a header.
    pub(super) fn denies(&self, permission: &str, key: &str, bears: impl Fn(&str) -> bool) -> bool {
        let denied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        denied.iter().any(|one| one.permission == permission && key.starts_with(&one.prefix) && !bears(&one.without))
    }
}
