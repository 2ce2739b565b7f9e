//! Which lifecycle hooks are ours: a name with `*` in it.

use std::fmt;

/// A pattern for hook names; `*` stands for any text, even none. A pattern never matches everything: foreign hooks must not be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookPattern(String);

impl HookPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '-' | '_' | '/');
        if !text.chars().all(allowed) {
            return Err("use the letters, digits, `-`, `_` and `/` of a hook's name, and `*` for any text");
        }
        if text.chars().all(|c| c == '*') {
            return Err("name at least a part of the hooks' name, such as quorate-*: hooks of others must not be completed");
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether the hook with this name is ours.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        let middle = parts.try_fold(rest, |rest, part| rest.find(part).map(|at| &rest[at + part.len()..]));
        middle.is_some_and(|rest| rest.ends_with(last))
    }
}

impl Default for HookPattern {
    fn default() -> Self {
        Self("quorate-*".to_owned())
    }
}

impl fmt::Display for HookPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        HookPattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("quorate-*", "quorate-launch"));
        assert!(matches("quorate-*", "quorate-"));
        assert!(!matches("quorate-*", "my-quorate-launch"));
        assert!(!matches("quorate-*", "Quorate-launch"));
        assert!(matches("*-etcd-*", "prod-etcd-launch"));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-c-b"));
    }

    #[test]
    fn a_pattern_without_a_star_is_one_name() {
        assert!(matches("launch", "launch"));
        assert!(!matches("launch", "launch2"));
    }

    #[test]
    fn one_character_is_not_matched_twice() {
        assert!(!matches("ab*ba", "aba"));
        assert!(matches("ab*ba", "abba"));
    }

    #[test]
    fn a_pattern_for_everything_is_refused() {
        for text in ["", "*", "**"] {
            assert!(HookPattern::parse(text).is_err_and(|remedy| remedy.contains("hooks of others")), "{text:?}");
        }
    }

    #[test]
    fn characters_that_no_hook_has_are_refused() {
        for text in ["quorate-?", "quorate launch", "[a]"] {
            assert!(HookPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
