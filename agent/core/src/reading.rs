//! What is known of one thing in the world: a value with its age, or the reason why there is none.

use std::borrow::Cow;
use std::time::Duration;

use crate::time::Timestamp;

/// One thing observed. Unknown never means "absent", and a stale value never permits a destructive step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<T> {
    /// Read recently enough to act on.
    Fresh(T, Timestamp),
    /// Read once, but too long ago to act on; good enough for explaining and for reaching others.
    Stale(T, Timestamp),
    /// Never read, or the last attempt failed and nothing older is kept.
    Unknown(Cow<'static, str>),
}

impl<T> Reading<T> {
    /// An unknown reading with its reason, which ends a sentence, such as "the store did not answer within 5 s".
    pub fn unknown(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unknown(reason.into())
    }

    /// A value read at `at`, fresh if that is at most `limit` before `now`.
    pub fn aged(value: T, at: Timestamp, now: Timestamp, limit: Duration) -> Self {
        if now.since(at) <= limit { Self::Fresh(value, at) } else { Self::Stale(value, at) }
    }

    /// The value, only if it is fresh.
    pub fn fresh(&self) -> Option<&T> {
        match self {
            Self::Fresh(value, _) => Some(value),
            Self::Stale(..) | Self::Unknown(_) => None,
        }
    }

    /// The value, fresh or stale.
    pub fn last(&self) -> Option<&T> {
        match self {
            Self::Fresh(value, _) | Self::Stale(value, _) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// When the value was read.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Fresh(_, at) | Self::Stale(_, at) => Some(*at),
            Self::Unknown(_) => None,
        }
    }

    /// Why there is no fresh value.
    pub fn why_not_fresh(&self) -> Cow<'static, str> {
        match self {
            Self::Fresh(..) => Cow::Borrowed("it is fresh"),
            Self::Stale(..) => Cow::Borrowed("the last reading is too old"),
            Self::Unknown(reason) => reason.clone(),
        }
    }
}
