//! A fail point for tests: the agent dies at once before or after its first step of one kind.

use quorate_core::plan::Step;

const VARIABLE: &str = "QUORATE_CRASH_AT";

/// Where to die: `before:KIND` or `after:KIND` in the environment, `KIND` as [`Step::kind`] names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashPoint {
    before: bool,
    kind: String,
}

impl CrashPoint {
    /// The point that the environment names, if it names one.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        Self::parse(&std::env::var(VARIABLE).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (when, kind) = text.split_once(':')?;
        let before = match when {
            "before" => true,
            "after" => false,
            _ => return None,
        };
        Some(Self { before, kind: kind.to_owned() })
    }

    /// Dies if this is the point before `step`.
    pub fn before(&self, step: &Step) {
        if self.before && self.kind == step.kind() {
            std::process::abort();
        }
    }

    /// Dies if this is the point after `step`.
    pub fn after(&self, step: &Step) {
        if !self.before && self.kind == step.kind() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_before_or_after_a_kind() {
        assert_eq!(CrashPoint::parse("before:promote"), Some(CrashPoint { before: true, kind: "promote".into() }));
        assert_eq!(CrashPoint::parse("after:add-learner"), Some(CrashPoint { before: false, kind: "add-learner".into() }));
        assert_eq!(CrashPoint::parse("promote"), None);
        assert_eq!(CrashPoint::parse("during:promote"), None);
    }
}
