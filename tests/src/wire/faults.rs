//! Faults by rule: which fault, for which calls, how often or until when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;

use crate::region::{ApiError, Caller, Service};

/// The fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service's own way of saying "too often". Each retry of a client meets the rule again.
    Throttle,
    /// The service's own way of saying "something broke".
    ServerError,
    /// Any refusal at all, such as `UnauthorizedOperation`.
    Refuse(ApiError),
    /// This status, with a short text.
    Status(u16),
    /// The answer takes this much longer. Other rules still apply.
    Delay(Duration),
    /// The connection closes without a byte, and nothing happened.
    HangUp,
    /// The connection closes without a byte, but what was asked for happened.
    LoseAnswer,
    /// Status 200 and no body; nothing happened.
    EmptyBody,
    /// What was asked for happened, but the answer breaks off in the middle.
    TruncatedBody,
    /// The same, with no sign that there should be more: the answer ends regularly, after a closed element.
    ShortBody,
}

/// Which calls a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Calls of the AWS API. What is `None` matches everything.
    Api {
        /// Which service.
        service: Option<Service>,
        /// Which action, such as `DescribeInstances`.
        action: Option<String>,
        /// The caller.
        caller: Option<Caller>,
    },
    /// Requests to metadata services. What is `None` matches everything.
    Imds {
        /// Requests for paths with this beginning, without the version: `meta-data/autoscaling`, `api/token`.
        path: Option<String>,
        /// Of which instance.
        instance: Option<InstanceId>,
    },
    /// Requests to a Kubernetes API server. What is `None` matches everything.
    Kubernetes {
        /// `GET`, `POST`, `PATCH` or `DELETE`.
        method: Option<String>,
        /// Requests for paths with this ending, without the query: `/pods`, `/eviction`.
        path: Option<String>,
    },
}

impl Scope {
    /// Every call of one action.
    #[must_use]
    pub fn action(action: &str) -> Self {
        Self::Api { service: None, action: Some(action.to_owned()), caller: None }
    }

    /// Every call of one service.
    #[must_use]
    pub fn service(service: Service) -> Self {
        Self::Api { service: Some(service), action: None, caller: None }
    }

    /// Every request of one method to a Kubernetes API server for paths with this ending.
    #[must_use]
    pub fn kubernetes(method: &str, path: &str) -> Self {
        Self::Kubernetes { method: Some(method.to_owned()), path: Some(path.to_owned()) }
    }

    /// Every metadata request for paths with this beginning.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self::Imds { path: Some(path.to_owned()), instance: None }
    }
}

/// A fault and the calls that it affects.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which calls.
    pub scope: Scope,
    /// The fault.
    pub fault: Fault,
    /// How often at most.
    pub times: Option<u32>,
    /// Until when.
    pub until: Option<Timestamp>,
}

impl Rule {
    /// A fault in force until it is removed.
    #[must_use]
    pub fn new(scope: Scope, fault: Fault) -> Self {
        Self { scope, fault, times: None, until: None }
    }

    /// The same, at most this number of times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same, until then.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }
}

/// Names a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(usize);

/// The rules in force; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    rule: Rule,
    struck: u32,
    removed: bool,
}

/// A call that a rule may be about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    Api { service: Service, action: &'a str, caller: &'a Caller },
    Imds { path: &'a str, instance: &'a InstanceId },
    Kubernetes { method: &'a str, path: &'a str },
}

/// The faults of one call.
#[derive(Debug, Default)]
pub(crate) struct Strike {
    pub(crate) delay: Duration,
    pub(crate) fault: Option<Fault>,
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

    pub(crate) fn strike(&self, subject: Subject<'_>, now: Timestamp) -> Strike {
        let mut strike = Strike::default();
        for entry in self.lock().iter_mut().filter(|entry| entry.in_force(now) && entry.rule.scope.matches(subject)) {
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
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn in_force(&self, now: Timestamp) -> bool {
        let spent = self.rule.times.is_some_and(|times| self.struck >= times);
        let past = self.rule.until.is_some_and(|until| now >= until);
        !self.removed && !spent && !past
    }
}

impl Scope {
    fn matches(&self, subject: Subject<'_>) -> bool {
        match (self, subject) {
            (Self::Api { service, action, caller }, Subject::Api { service: of, action: named, caller: by }) => {
                admits(service.as_ref(), &of) && action.as_deref().is_none_or(|action| action == named) && admits(caller.as_ref(), by)
            }
            (Self::Imds { path, instance }, Subject::Imds { path: asked, instance: of }) => {
                path.as_deref().is_none_or(|path| asked.starts_with(path)) && admits(instance.as_ref(), of)
            }
            (Self::Kubernetes { method, path }, Subject::Kubernetes { method: of, path: asked }) => {
                method.as_deref().is_none_or(|method| method == of) && path.as_deref().is_none_or(|path| asked.ends_with(path))
            }
            _ => false,
        }
    }
}

fn admits<T: PartialEq>(wanted: Option<&T>, actual: &T) -> bool {
    wanted.is_none_or(|wanted| wanted == actual)
}
