//! Which agents' answers do not count where data can be lost: an agent is known by the key that it signs with, and by its certificate where the agents have TLS.

use crate::explain::consent;
use crate::ids::InstanceId;
use crate::memory::Order;
use crate::situation::{Situation, Word};

/// Why its answer does not count where data can be lost, and what an operator can do.
pub(in crate::planner) fn why(s: &Situation<'_>, id: &InstanceId) -> Option<String> {
    match s.word_of(id)? {
        Word::UnderAnotherKey => Some(consent::answers_under_another_key()),
        // Over an untrusted network no answer counts anyway. Nothing can be lost before anything was established.
        Word::Unsigned if s.trusts(id) && s.last_record().is_some_and(|r| r.ever_established.is_some()) => Some(consent::does_not_sign()),
        Word::Unsigned | Word::Signed => None,
    }
}

/// An operator's order takes answers as they are.
pub(in crate::planner) fn is_covered_by_order(s: &Situation<'_>) -> bool {
    match s.order() {
        Some(Order::RecoverFresh | Order::RecoverSnapshot { .. }) => true,
        Some(Order::Bootstrap) => s.last_record().is_none_or(|r| r.ever_established.is_none()),
        Some(Order::RecoverSurvivor { .. } | Order::RecoverReattachedVolume | Order::Leave | Order::RotateAuthority) | None => false,
    }
}
