//! Ranges of an object (RFC 9110, 14.1.2).

use std::ops::Range;

/// The result of a request for a range.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// No range, or one that is not understood and is to be ignored, as S3 does with several ranges.
    Whole,
    /// This much of it.
    Part(Range<u64>),
    /// Nothing that exists.
    Unsatisfiable,
}

impl Wanted {
    /// What the header `Range` asks of an object of this size.
    pub(super) fn of(header: Option<&str>, size: u64) -> Self {
        let spec = header.and_then(|header| header.trim().strip_prefix("bytes="));
        let Some((from, to)) = spec.and_then(|spec| spec.split_once('-')) else { return Self::Whole };
        match (from.parse::<u64>(), to.parse::<u64>()) {
            (Err(_), Ok(last)) if from.is_empty() => Self::satisfiable(size.saturating_sub(last)..size),
            (Ok(from), Err(_)) if to.is_empty() => Self::satisfiable(from..size),
            (Ok(from), Ok(to)) if from <= to => Self::satisfiable(from..size.min(to.saturating_add(1))),
            _ => Self::Whole,
        }
    }

    fn satisfiable(range: Range<u64>) -> Self {
        if range.is_empty() { Self::Unsatisfiable } else { Self::Part(range) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_object() {
        let part = |header| Wanted::of(Some(header), 10);
        assert_eq!(part("bytes=2-4"), Wanted::Part(2..5));
        assert_eq!(part("bytes=0-0"), Wanted::Part(0..1));
        assert_eq!(part("bytes=7-"), Wanted::Part(7..10));
        assert_eq!(part("bytes=7-99"), Wanted::Part(7..10));
        assert_eq!(part("bytes=-3"), Wanted::Part(7..10));
        assert_eq!(part("bytes=-30"), Wanted::Part(0..10));
    }

    #[test]
    fn what_lies_beyond_is_refused_and_what_is_not_understood_ignored() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(Wanted::of(Some(header), 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(Wanted::of(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        for header in ["bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=a-b"] {
            assert_eq!(Wanted::of(Some(header), 10), Wanted::Whole, "{header}");
        }
        assert_eq!(Wanted::of(None, 10), Wanted::Whole);
    }
}
