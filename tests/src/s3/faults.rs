//! Faults by rule: which fault, for which requests, how often or until when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::time::Timestamp;

use super::Operation;
use super::ask::Ask;

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
    /// The answer has half of its body, and the headers promise no more.
    Shorten,
    /// The byte in the middle of the answer's body is another one.
    Corrupt,
    /// Something else answers in the store's place: a captive portal's page with status 200.
    Impostor,
}

/// Which requests a rule is about. What is not named matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    operations: Vec<Operation>,
    prefix: Option<String>,
    suffix: Option<String>,
    part: Option<u32>,
    caller: Option<String>,
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

    /// The same, for callers that sign with this access key id.
    #[must_use]
    pub fn caller(self, caller: &str) -> Self {
        Self { caller: Some(caller.to_owned()), ..self }
    }

    fn matches(&self, ask: &Ask) -> bool {
        let keys = |admits: &dyn Fn(&str) -> bool| ask.keys().any(admits);
        (self.operations.is_empty() || self.operations.contains(&ask.operation))
            && self.prefix.as_deref().is_none_or(|prefix| keys(&|key| key.starts_with(prefix)))
            && self.suffix.as_deref().is_none_or(|suffix| keys(&|key| key.ends_with(suffix)))
            && self.part.is_none_or(|part| ask.part == Some(part))
            && self.caller.as_deref().is_none_or(|caller| caller == ask.caller)
    }
}

impl From<Operation> for Scope {
    fn from(operation: Operation) -> Self {
        Self::of([operation])
    }
}

/// A fault and the requests that it affects.
#[derive(Clone, Debug)]
pub struct Rule {
    scope: Scope,
    fault: Fault,
    times: Option<u32>,
    until: Option<Timestamp>,
}

impl Rule {
    /// A fault in force until it is removed.
    #[must_use]
    pub fn new(scope: impl Into<Scope>, fault: Fault) -> Self {
        Self { scope: scope.into(), fault, times: None, until: None }
    }

    /// The same, at most this number of times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same, until then, by [`S3Server::now`](super::S3Server::now).
    #[must_use]
    pub fn until(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }
}

/// Names a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(usize);

/// The rules in force; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug)]
struct Entry {
    rule: Rule,
    struck: u32,
    removed: bool,
}

/// The faults of one request.
#[derive(Debug, Default)]
pub(super) struct Strike {
    pub(super) delay: Duration,
    pub(super) fault: Option<Fault>,
}

impl Faults {
    /// Puts a rule in force. Among several that match, the oldest applies; delays add up.
    pub fn add(&self, rule: Rule) -> RuleId {
        let mut rules = self.lock();
        rules.push(Entry { rule, struck: 0, removed: false });
        RuleId(rules.len() - 1)
    }

    /// Takes a rule out of force.
    pub fn remove(&self, id: RuleId) {
        if let Some(entry) = self.lock().get_mut(id.0) {
            entry.removed = true;
        }
    }

    /// Takes every rule out of force.
    pub fn clear(&self) {
        self.lock().iter_mut().for_each(|entry| entry.removed = true);
    }

    /// The number of times that a rule was applied.
    #[must_use]
    pub fn struck(&self, id: RuleId) -> u32 {
        self.lock().get(id.0).map_or(0, |entry| entry.struck)
    }

    pub(super) fn strike(&self, ask: &Ask, now: Timestamp) -> Strike {
        let mut strike = Strike::default();
        for entry in self.lock().iter_mut().filter(|entry| entry.in_force(now) && entry.rule.scope.matches(ask)) {
            match &entry.rule.fault {
                Fault::Delay(delay) => strike.delay += *delay,
                _ if strike.fault.is_some() => continue,
                fault => strike.fault = Some(fault.clone()),
            }
            entry.struck += 1;
        }
        strike
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn in_force(&self, now: Timestamp) -> bool {
        let spent = self.rule.times.is_some_and(|times| self.struck >= times);
        let past = self.rule.until.is_some_and(|until| now >= until);
        !self.removed && !spent && !past
    }
}
