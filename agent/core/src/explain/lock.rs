//! Waiting for the cluster-wide lock.

use crate::ids::InstanceId;
use crate::text::Foreign;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn was_refused(doing: &Message) -> Wait {
    wait(WaitReason::Lock, format!("{doing}; the lock was refused a moment ago"))
}

pub(crate) fn is_held(doing: &Message, holder: &InstanceId, purpose: &Foreign) -> Wait {
    wait(WaitReason::Lock, format!("{doing}; waits for the lock, which {holder} holds to {purpose}"))
}

pub(crate) fn was_not_read(doing: &Message) -> Wait {
    wait(WaitReason::Lock, format!("{doing}; waits for the lock, which could not be read"))
}
