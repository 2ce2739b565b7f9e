//! What can go wrong with a call to AWS, to a metadata service or to a Kubernetes API server.

use std::time::Duration;

use quorate_core::ids::InstanceId;

use crate::faults;
use crate::region::{ApiError, Caller, Service};

/// A fault, and the calls that meet it.
pub type Rule = faults::Rule<Scope, Fault>;

/// The rules in force.
pub type Faults = faults::Faults<Scope, Fault>;

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

impl faults::Fault for Fault {
    fn delay(&self) -> Option<Duration> {
        if let Self::Delay(delay) = self { Some(*delay) } else { None }
    }
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

/// A call that a rule may be about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    Api { service: Service, action: &'a str, caller: &'a Caller },
    Imds { path: &'a str, instance: &'a InstanceId },
    Kubernetes { method: &'a str, path: &'a str },
}

impl Scope {
    pub(crate) fn matches(&self, subject: Subject<'_>) -> bool {
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
