//! What a rule of the gate says of a step.

use super::refusal::Violation;

/// It may be taken; or the invariant that it would break.
pub(super) type Verdict<T = ()> = Result<T, Violation>;

/// It may be taken only if this holds.
pub(super) fn require(holds: bool, why: impl Into<Violation>) -> Verdict {
    if holds { Ok(()) } else { Err(why.into()) }
}

/// It may be taken only if nothing of that kind was found.
pub(super) fn forbid<T, V: Into<Violation>>(found: Option<T>, why: impl FnOnce(T) -> V) -> Verdict {
    found.map_or(Ok(()), |found| Err(why(found).into()))
}
