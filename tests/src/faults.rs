//! Faults by rule: which fault, for which requests, and how many times or until when. Each server defines its own faults and requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::time::Timestamp;

/// What can go wrong with one request.
pub trait Fault: Clone {
    /// How long it delays the answer, if that is all it does: other rules then still apply.
    fn delay(&self) -> Option<Duration>;
}

/// A fault, and the requests that meet it.
#[derive(Clone, Debug)]
pub struct Rule<S, F> {
    scope: S,
    fault: F,
    times: Option<u32>,
    until: Option<Timestamp>,
}

impl<S, F> Rule<S, F> {
    /// A fault that is in force until it is removed.
    #[must_use]
    pub fn new(scope: impl Into<S>, fault: F) -> Self {
        Self { scope: scope.into(), fault, times: None, until: None }
    }

    /// The same, for at most this many requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same, until then, by the server's clock.
    #[must_use]
    pub fn until(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }
}

/// Identifies a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(usize);

/// The rules in force; clones share them.
#[derive(Clone, Debug)]
pub struct Faults<S, F>(Arc<Mutex<Vec<Entry<S, F>>>>);

#[derive(Debug)]
struct Entry<S, F> {
    rule: Rule<S, F>,
    struck: u32,
    removed: bool,
}

/// The faults of one request.
#[derive(Debug)]
pub(crate) struct Strike<F> {
    pub(crate) delay: Duration,
    pub(crate) fault: Option<F>,
}

impl<S, F> Default for Faults<S, F> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S, F: Fault> Faults<S, F> {
    /// Puts a rule in force. Among several that match, the oldest applies; delays add up.
    pub fn add(&self, rule: Rule<S, F>) -> RuleId {
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

    /// The faults of the request that these scopes match.
    pub(crate) fn strike(&self, now: Timestamp, matches: impl Fn(&S) -> bool) -> Strike<F> {
        let mut strike = Strike { delay: Duration::ZERO, fault: None };
        for entry in self.lock().iter_mut().filter(|entry| entry.in_force(now) && matches(&entry.rule.scope)) {
            match entry.rule.fault.delay() {
                Some(delay) => strike.delay += delay,
                None if strike.fault.is_some() => continue,
                None => strike.fault = Some(entry.rule.fault.clone()),
            }
            entry.struck += 1;
        }
        strike
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry<S, F>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S, F> Entry<S, F> {
    fn in_force(&self, now: Timestamp) -> bool {
        let spent = self.rule.times.is_some_and(|times| self.struck >= times);
        let past = self.rule.until.is_some_and(|until| now >= until);
        !self.removed && !spent && !past
    }
}
