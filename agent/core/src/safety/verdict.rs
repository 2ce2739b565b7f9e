//! What a rule of the gate says of a step.

/// It may be taken; or the invariant that it would break.
pub(super) type Verdict = Result<(), &'static str>;

/// It may be taken only if this holds.
pub(super) fn require(holds: bool, why: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(why) }
}
