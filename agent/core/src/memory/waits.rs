//! What this node has been waiting for, and since when.

use std::collections::BTreeMap;

use crate::time::Timestamp;
use crate::wait::WaitReason;

/// The waits that have not ended.
pub type Waits = BTreeMap<WaitReason, Waited>;

/// How long one wait has lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// When the wait began, or when what it waits for last made progress.
    pub since: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How far what it waits for has come, if that can be measured.
    pub progress: Option<u64>,
}
