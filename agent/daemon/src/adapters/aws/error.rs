//! How a call to AWS can fail, sorted by who has to act on it.

use std::error::Error;
use std::fmt;

use aws_sdk_ec2::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use quorate_core::plan::Outcome;
use quorate_core::text::{SENTENCE, printable};

use crate::telemetry::chain;

/// A refusal in the service's own words. Shown without the request's id, so the same failure reads the same every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The error code, such as `ValidationError`. Auto Scaling gives that one for nearly everything, so the message counts too.
    pub code: String,
    /// The message that comes with it.
    pub message: String,
    /// The id by which AWS can trace the call.
    pub request: Option<String>,
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// A call that did not succeed. `call` is the service and the operation, which is also the IAM action.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The account sent too many requests. All of its agents share one budget.
    #[error("{call} was throttled, {words}: it is asked again later; if this continues, find out what else in this account polls this API")]
    Throttled {
        /// The call.
        call: &'static str,
        /// The answer.
        words: Words,
    },
    /// The role lacks a permission.
    #[error("{call} was denied, {words}: allow {call} in the policy of the instance's role")]
    Denied {
        /// The call.
        call: &'static str,
        /// The answer.
        words: Words,
    },
    /// The signature was not accepted.
    #[error("{call} was not authenticated, {words}: make sure that the instance has a role and that its clock is right")]
    Unauthenticated {
        /// The call.
        call: &'static str,
        /// The answer.
        words: Words,
    },
    /// The service refused; nothing changed.
    #[error("{call} was refused, {words}")]
    Refused {
        /// The call.
        call: &'static str,
        /// The answer.
        words: Words,
    },
    /// No such lifecycle action is open: not yet, already completed, or timed out. Auto Scaling has one message for the three.
    #[error("{call} was refused, {words}")]
    NotOpen {
        /// The call.
        call: &'static str,
        /// The answer.
        words: Words,
    },
    /// The service failed; whether something changed is not known.
    #[error("{call} failed on the side of AWS, {words}: it is asked again")]
    Faulty {
        /// The call.
        call: &'static str,
        /// The answer.
        words: Words,
    },
    /// No answer, or none that could be read; whether something changed is not known.
    #[error("{call} got no answer: make sure that this instance can reach the endpoint of that service and has a role")]
    NoAnswer {
        /// The call.
        call: &'static str,
        /// What the SDK says.
        source: BoxError,
    },
    /// The answer lacks something required, so nothing in it is believed.
    #[error("{call} gave an answer {what}")]
    Malformed {
        /// The call.
        call: &'static str,
        /// What is wrong with it, as the end of the sentence.
        what: String,
    },
}

/// Longer than any code or id of AWS.
const ID: usize = 100;

/// As the SDK has them, in a crate that we do not depend on (`aws_runtime::retries::classifiers`).
const THROTTLING: &[&str] = &[
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// How that message of Auto Scaling begins. Its code, `ValidationError`, is used for nearly everything.
const NO_ACTIVE_ACTION: &str = "No active Lifecycle Action found";

const DENIED: &[&str] = &["AccessDenied", "AccessDeniedException", "OptInRequired", "UnauthorizedOperation"];

const UNAUTHENTICATED: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

impl AwsError {
    /// Converts the SDK's error.
    pub(super) fn new<E>(call: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
        // An answer without a code is not from AWS but from something in between, such as a proxy.
        let Some(code) = error.as_service_error().and_then(|_| error.code()).filter(|code| !code.is_empty()) else {
            return Self::NoAnswer { call, source: error.into() };
        };
        let message = printable(error.message().unwrap_or("no message"), SENTENCE);
        let request = error.request_id().map(|id| printable(id, ID));
        tracing::debug!(call, status, code, message, request, "refused");
        Self::sorted(call, status, Words { code: printable(code, ID), message, request })
    }

    /// EC2 throttles with 503 and Auto Scaling with 400, so the code is looked at first.
    fn sorted(call: &'static str, status: u16, words: Words) -> Self {
        let code = words.code.as_str();
        match () {
            () if THROTTLING.contains(&code) => Self::Throttled { call, words },
            () if DENIED.contains(&code) => Self::Denied { call, words },
            () if UNAUTHENTICATED.contains(&code) => Self::Unauthenticated { call, words },
            () if code == "ValidationError" && words.message.starts_with(NO_ACTIVE_ACTION) => Self::NotOpen { call, words },
            () if (400..500).contains(&status) => Self::Refused { call, words },
            () => Self::Faulty { call, words },
        }
    }

    pub(super) fn malformed(call: &'static str, what: impl Into<String>) -> Self {
        Self::Malformed { call, what: printable(&what.into(), SENTENCE) }
    }

    /// The service's own words, if it refused and changed nothing.
    #[must_use]
    pub fn refusal(&self) -> Option<&Words> {
        match self {
            Self::Throttled { words, .. }
            | Self::Denied { words, .. }
            | Self::Unauthenticated { words, .. }
            | Self::Refused { words, .. }
            | Self::NotOpen { words, .. } => Some(words),
            Self::Faulty { .. } | Self::NoAnswer { .. } | Self::Malformed { .. } => None,
        }
    }

    /// Whether the account's request budget was used up.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        matches!(self, Self::Throttled { .. })
    }
}

/// The outcome of a step that is one call.
pub(super) fn outcome<T>(result: Result<T, AwsError>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(AwsError::NotOpen { words, .. }) => Outcome::NotOpen(words.to_string()),
        Err(error) => match error.refusal() {
            Some(words) => Outcome::Refused(words.to_string()),
            None => Outcome::Unclear(chain(&error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "autoscaling:CompleteLifecycleAction";

    fn sorted(status: u16, code: &str, message: &str) -> AwsError {
        AwsError::sorted(CALL, status, Words { code: code.to_owned(), message: message.to_owned(), request: None })
    }

    #[test]
    fn throttling_is_told_apart_whatever_its_status() {
        for (status, code) in [(400, "Throttling"), (503, "RequestLimitExceeded"), (429, "TooManyRequestsException")] {
            let error = sorted(status, code, "Rate exceeded");
            assert!(error.is_throttling(), "{error}");
            assert!(error.to_string().contains("Rate exceeded"), "{error}");
        }
    }

    #[test]
    fn a_missing_permission_names_the_action_to_allow() {
        let error = sorted(403, "AccessDenied", "not authorized");
        assert!(error.to_string().ends_with("allow autoscaling:CompleteLifecycleAction in the policy of the instance's role"), "{error}");
    }

    #[test]
    fn a_wrong_clock_or_role_is_not_a_missing_permission() {
        assert!(matches!(sorted(403, "ExpiredToken", ""), AwsError::Unauthenticated { .. }));
        assert!(matches!(sorted(400, "RequestExpired", ""), AwsError::Unauthenticated { .. }));
    }

    #[test]
    fn a_refusal_changed_nothing_and_keeps_the_services_words() {
        let words = "AutoScalingGroup name not found";
        let Outcome::Refused(text) = outcome::<()>(Err(sorted(400, "ValidationError", words))) else { panic!("not refused") };
        assert_eq!(text, format!("ValidationError: {words}"));
    }

    #[test]
    fn an_action_that_is_not_open_is_told_apart_from_every_other_refusal() {
        let words = "No active Lifecycle Action found with instance ID i-1";
        let Outcome::NotOpen(text) = outcome::<()>(Err(sorted(400, "ValidationError", words))) else { panic!("not distinguished") };
        assert_eq!(text, format!("ValidationError: {words}"));
        assert!(sorted(400, "ValidationError", words).refusal().is_some(), "nothing changed");
        assert!(matches!(outcome::<()>(Err(sorted(400, "ValidationError", "No Lifecycle Hook found"))), Outcome::Refused(_)));
    }

    #[test]
    fn a_failure_of_the_service_may_have_changed_something() {
        assert!(matches!(outcome::<()>(Err(sorted(500, "InternalFailure", "oops"))), Outcome::Unclear(text) if text.contains("oops")));
        assert!(matches!(outcome::<()>(Err(sorted(503, "ServiceUnavailable", ""))), Outcome::Unclear(_)));
    }

    #[test]
    fn a_lost_answer_keeps_every_cause() {
        let source = BoxError::from(std::io::Error::other("connection reset"));
        let error = AwsError::NoAnswer { call: CALL, source };
        assert!(!error.to_string().contains("connection reset"), "the message repeats its source");
        assert!(matches!(outcome::<()>(Err(error)), Outcome::Unclear(text) if text.ends_with(": connection reset")));
    }
}
