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
