//! The last value of one thing, its age, and the last failure to read it.

use std::time::Duration;

use quorate_core::reading::Reading;
use quorate_core::sources::Failure;
use quorate_core::time::Timestamp;

/// See the module.
pub(super) struct Last<T> {
    value: Option<(T, Timestamp)>,
    trouble: Option<String>,
    tried: Option<Timestamp>,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self { value: None, trouble: None, tried: None }
    }
}

impl<T: Clone> Last<T> {
    pub(super) fn is_due(&self, now: Timestamp, pause: Duration) -> bool {
        self.tried.is_none_or(|at| now.since(at) >= pause)
    }

    /// Makes the next look read it.
    pub(super) fn expire(&mut self) {
        self.tried = None;
    }

    pub(super) fn take(&mut self, result: Result<T, String>, now: Timestamp) {
        self.tried = Some(now);
        match result {
            Ok(value) => (self.value, self.trouble) = (Some((value, now)), None),
            Err(why) => self.trouble = Some(why),
        }
    }

    /// The result of the read just now, if there was one.
    pub(super) fn tried(&self, now: Timestamp) -> Option<Result<(), Failure>> {
        (self.tried == Some(now)).then(|| self.trouble.as_deref().map_or(Ok(()), |why| Err(Failure::of(why))))
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref().map(|(value, _)| value)
    }

    pub(super) fn reading(&self, now: Timestamp, limit: Duration, never: &'static str) -> Reading<T> {
        match (&self.value, &self.trouble) {
            (Some((value, at)), _) => Reading::aged(value.clone(), *at, now, limit),
            (None, Some(why)) => Reading::unknown(why.clone()),
            (None, None) => Reading::unknown(never),
        }
    }
}
