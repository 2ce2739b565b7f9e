//! What can go wrong with a request to the store.

use std::time::Duration;

use super::Operation;
use super::ask::Ask;
use crate::faults;

/// A fault, and the requests that meet it.
pub type Rule = faults::Rule<Scope, Fault>;

/// The rules in force.
pub type Faults = faults::Faults<Scope, Fault>;

/// The fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused with this status, without effect, in S3's own words: 500 is `InternalError`, 503 `SlowDown`, 403 `AccessDenied`,
    /// 409 `ConditionalRequestConflict`, 507 a full disk.
    Status(u16),
    /// Done, and answered with this status.
    StatusAfterwards(u16),
    /// Not done, and answered with 200 and a refusal in the body, as S3 does when it fails after it began to answer
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).
    RefusalInside(u16),
    /// All that follows comes this much later, even if the client gives up meanwhile. Other rules still apply.
    Delay(Duration),
    /// The connection closes without a byte, and nothing happened.
    HangUp,
    /// The connection closes without a byte, but what was asked for happened.
    LoseAnswer,
    /// Neither done nor answered.
    Hang,
    /// Done, and never answered.
    HangAfterwards,
    /// The answer breaks off in the middle of its body, although the headers promise more.
    Truncate,
    /// The byte in the middle of the answer's body is another one.
    Corrupt,
    /// Something else answers in the store's place: a captive portal's page with status 200.
    Impostor,
}

impl faults::Fault for Fault {
    fn delay(&self) -> Option<Duration> {
        if let Self::Delay(delay) = self { Some(*delay) } else { None }
    }
}

/// Which requests a rule is about. What is not named matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    operations: Vec<Operation>,
    prefix: Option<String>,
    suffix: Option<String>,
    part: Option<u32>,
}

impl Scope {
    /// Every request.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Requests of these kinds.
    #[must_use]
    pub fn of(operations: impl IntoIterator<Item = Operation>) -> Self {
        Self { operations: operations.into_iter().collect(), ..Self::default() }
    }

    /// The same, for keys (or listed prefixes) with this beginning.
    #[must_use]
    pub fn prefix(self, prefix: &str) -> Self {
        Self { prefix: Some(prefix.to_owned()), ..self }
    }

    /// The same, for keys (or listed prefixes) with this ending.
    #[must_use]
    pub fn suffix(self, suffix: &str) -> Self {
        Self { suffix: Some(suffix.to_owned()), ..self }
    }

    /// The same, for parts of this number.
    #[must_use]
    pub fn part(self, number: u32) -> Self {
        Self { part: Some(number), ..self }
    }

    pub(super) fn matches(&self, ask: &Ask) -> bool {
        let keys = |admits: &dyn Fn(&str) -> bool| ask.keys().any(admits);
        (self.operations.is_empty() || self.operations.contains(&ask.operation))
            && self.prefix.as_deref().is_none_or(|prefix| keys(&|key| key.starts_with(prefix)))
            && self.suffix.as_deref().is_none_or(|suffix| keys(&|key| key.ends_with(suffix)))
            && self.part.is_none_or(|part| ask.part == Some(part))
    }
}

impl From<Operation> for Scope {
    fn from(operation: Operation) -> Self {
        Self::of([operation])
    }
}
