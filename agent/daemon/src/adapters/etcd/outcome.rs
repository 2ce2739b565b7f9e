//! The outcome of a requested change.

use quorate_core::plan::Outcome;

use super::EtcdError;
use crate::telemetry::chain;

/// etcd's words for a failure after the change may have been proposed: it can still be committed.
const UNCLEAR: &[&str] = &["request timed out", "leader changed", "no leader", "server stopped", "leader transfer took too long"];

/// Converts an answer, matching etcd's words: its gRPC codes differ between versions, and some errors have none.
///
/// `done` are the words that say that the goal was reached already; `ambiguous` are those that may come from an earlier call of our own whose answer was lost.
pub(super) fn of<T>(result: Result<T, EtcdError>, done: &[&str], ambiguous: &[&str]) -> Outcome {
    let Err(error) = result else { return Outcome::Done };
    if error.is_before_the_call() {
        return Outcome::Refused(chain(&error));
    }
    let message = |words: &[&str]| error.refusal().is_some_and(|text| words.iter().any(|w| text.contains(w)));
    if message(done) {
        Outcome::Done
    } else if error.refusal().is_none() || message(UNCLEAR) || message(ambiguous) {
        Outcome::Unclear(chain(&error))
    } else {
        Outcome::Refused(error.refusal().unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> Result<(), EtcdError> {
        Err(EtcdError::Refused { url: "u".into(), operation: "MemberRemove", message: message.into() })
    }

    #[test]
    fn words_decide() {
        assert_eq!(of(Ok(()), &[], &[]), Outcome::Done);
        assert_eq!(of(refused("etcdserver: member not found"), &["member not found"], &[]), Outcome::Done);
        for text in [
            "unhealthy cluster",
            "re-configuration failed due to not enough started members",
            "too many learner members in cluster",
            "too many requests",
        ] {
            assert!(matches!(of(refused(&format!("etcdserver: {text}")), &[], &[]), Outcome::Refused(said) if said.ends_with(text)));
        }
        for text in ["request timed out, possibly due to connection lost", "leader changed", "no leader", "server stopped"] {
            assert!(matches!(of(refused(&format!("etcdserver: {text}")), &[], &[]), Outcome::Unclear(_)), "{text}");
        }
    }

    #[test]
    fn no_answer_is_never_a_refusal() {
        let timeout = EtcdError::Timeout { url: "u".into(), operation: "MemberAdd", limit: std::time::Duration::from_secs(5) };
        assert!(matches!(of::<()>(Err(timeout), &["answer"], &[]), Outcome::Unclear(_)));
    }

    #[test]
    fn what_was_never_sent_never_happened() {
        let absent = EtcdError::Credentials { path: "/server-ca.crt".into(), source: std::io::ErrorKind::NotFound.into() };
        assert!(matches!(of::<()>(Err(absent), &[], &[]), Outcome::Refused(text) if text.contains("/server-ca.crt")));
    }
}
