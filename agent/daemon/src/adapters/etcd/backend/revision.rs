//! The keys of the bucket `key`.

/// The `main` part of a revision: eight bytes big endian, `_`, eight bytes of `sub`, and for a deletion `t`. `None` if it is not a revision.
///
/// Both parts are Go's `int64` and never negative (`BytesToBucketKey` in etcd's `mvcc/revision.go`).
pub(super) fn main(key: &[u8]) -> Option<u64> {
    let (main, rest) = key.split_first_chunk::<8>()?;
    let (b'_', rest) = rest.split_first()? else { return None };
    let (sub, mark) = rest.split_first_chunk::<8>()?;
    let whole = matches!(mark, [] | [b't']) && i64::from_be_bytes(*sub) >= 0;
    u64::try_from(i64::from_be_bytes(*main)).ok().filter(|_| whole)
}

/// The longest of them.
pub(super) const LONGEST: u64 = 18;
