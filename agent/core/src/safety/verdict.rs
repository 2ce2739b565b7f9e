//! What a rule of the gate says about a step.

use super::refusal::Violation;

/// The step may be taken, or else the invariant that it would break.
pub(super) type Verdict<T = ()> = Result<T, Violation>;

/// Permits the step only if this holds.
pub(super) fn require(holds: bool, why: impl Into<Violation>) -> Verdict {
    if holds { Ok(()) } else { Err(why.into()) }
}

/// Permits the step only if nothing of that kind was found.
pub(super) fn forbid<T, V: Into<Violation>>(found: Option<T>, why: impl FnOnce(T) -> V) -> Verdict {
    found.map_or(Ok(()), |found| Err(why(found).into()))
}
