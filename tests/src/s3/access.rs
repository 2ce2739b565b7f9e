//! What each caller may do; callers are told apart by the access key id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A permission that a caller has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    permission: String,
    prefix: String,
}

impl Grant {
    /// A permission by IAM's name, such as `s3:GetObject`, for keys that begin so. For lists it is the listed prefix that has to begin so.
    #[must_use]
    pub fn new(permission: &str, prefix: &str) -> Self {
        Self { permission: permission.to_owned(), prefix: prefix.to_owned() }
    }
}

/// A permission that no caller has without a header, as a statement with `Deny` and the condition `Null` on that header's key says it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html>). It holds against every grant.
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

/// What the callers may do; clones share it. A caller that was never restricted may do everything that is not denied to all.
#[derive(Clone, Debug, Default)]
pub struct Access {
    granted: Arc<Mutex<BTreeMap<String, Vec<Grant>>>>,
    denied: Arc<Mutex<Vec<Denial>>>,
}

impl Access {
    /// From now on every caller is denied this.
    pub fn deny(&self, denial: Denial) {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).push(denial);
    }

    /// From now on a caller that signs with this access key id may do this and nothing else.
    pub fn restrict(&self, caller: &str, grants: impl IntoIterator<Item = Grant>) {
        self.lock().insert(caller.to_owned(), grants.into_iter().collect());
    }

    /// From now on this caller may do everything again.
    pub fn release(&self, caller: &str) {
        self.lock().remove(caller);
    }

    pub(super) fn allows(&self, caller: &str, permission: &str, key: &str) -> bool {
        let restricted = self.lock();
        let admits = |grant: &Grant| grant.permission == permission && key.starts_with(&grant.prefix);
        restricted.get(caller).is_none_or(|grants| grants.iter().any(admits))
    }

    /// Whether a request for this key is denied to every caller, given whether it has a header.
    pub(super) fn denies(&self, permission: &str, key: &str, bears: impl Fn(&str) -> bool) -> bool {
        let denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        denied.iter().any(|one| one.permission == permission && key.starts_with(&one.prefix) && !bears(&one.without))
    }

    /// Whether this caller learns that an object is missing: one that may not list gets access denied instead
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, "Permissions"). A grant that holds for listing one prefix
    /// alone does not count, as a request for an object lists none.
    pub(super) fn shows_missing(&self, caller: &str) -> bool {
        self.allows(caller, "s3:ListBucket", "")
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Grant>>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
