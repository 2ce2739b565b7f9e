//! Why a call to etcd failed. Matched by etcd's message, not by gRPC's code: the codes differ between versions.

use std::path::PathBuf;
use std::time::Duration;

use quorate_core::text::{SENTENCE, printable};

/// A call that gave no answer, or a refusal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdError {
    /// No answer in time: a frozen member, a lost packet, a member without quorum.
    #[error("etcd at {url} did not answer {operation} within {limit:?}")]
    Timeout {
        /// The endpoint.
        url: String,
        /// The call.
        operation: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// etcd answered with an error of its own.
    #[error("etcd at {url} refused {operation}: {message}")]
    Refused {
        /// The endpoint.
        url: String,
        /// The call.
        operation: &'static str,
        /// etcd's words, which begin with `etcdserver: `.
        message: String,
    },
    /// The connection failed.
    #[error("{operation} through etcd at {url} failed")]
    Transport {
        /// The endpoint.
        url: String,
        /// The call.
        operation: &'static str,
        /// How.
        #[source]
        source: Box<etcd_client::Error>,
    },
    /// The distribution has not yet made the files with which its etcd is reached.
    #[error("its etcd cannot be reached without {}, which its server makes when it starts", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// etcd answered, but not as its protocol says.
    #[error("etcd at {url} answered {operation} without {missing}")]
    Incomplete {
        /// The endpoint.
        url: String,
        /// The call.
        operation: &'static str,
        /// What is missing.
        missing: &'static str,
    },
}

impl EtcdError {
    pub(super) fn from_client(url: &str, operation: &'static str, source: etcd_client::Error) -> Self {
        match &source {
            etcd_client::Error::GRpcStatus(status) if is_etcds(status.message()) => {
                Self::Refused { url: url.to_owned(), operation, message: printable(status.message(), SENTENCE) }
            }
            _ => Self::Transport { url: url.to_owned(), operation, source: Box::new(source) },
        }
    }

    pub(super) fn incomplete(url: &str, operation: &'static str, missing: &'static str) -> Self {
        Self::Incomplete { url: url.to_owned(), operation, missing }
    }

    /// Nothing was sent.
    pub(super) fn is_before_the_call(&self) -> bool {
        matches!(self, Self::Credentials { .. })
    }

    /// etcd's own words, if it refuses this agent whatever happens next, as it does once its authentication is switched on.
    pub(crate) fn refuses_for_good(&self) -> Option<&str> {
        let passing = |words: &&str| PASSING.iter().any(|passing| words.contains(passing));
        self.refusal().filter(|words| !passing(words))
    }

    /// etcd's own words, if it has too much to do for this call now.
    pub(crate) fn refuses_for_now(&self) -> Option<&str> {
        self.refusal().filter(|words| words.contains(TOO_MUCH))
    }

    /// etcd's own words, if it refused.
    pub(super) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused { message, .. } => Some(message),
            Self::Timeout { .. } | Self::Transport { .. } | Self::Credentials { .. } | Self::Incomplete { .. } => None,
        }
    }
}

/// What etcd says when it could not do something now: a member without a leader, an election, too much to do.
const PASSING: &[&str] =
    &["no leader", "leader changed", "request timed out", TOO_MUCH, "server stopped", "not leader", "unhealthy cluster", "not capable"];

/// It has committed far more than it has applied, so it takes nothing new (etcd `ErrTooManyRequests`).
const TOO_MUCH: &str = "too many requests";

/// Transport errors come as gRPC statuses too; etcd's own have a prefix, except `raft: stopped` and the like.
fn is_etcds(message: &str) -> bool {
    message.starts_with("etcdserver: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> EtcdError {
        assert!(is_etcds(message));
        EtcdError::Refused { url: "http://10.0.0.1:2379".into(), operation: "Range", message: message.into() }
    }

    #[test]
    fn too_much_to_do_is_a_refusal_in_etcds_words_that_passes() {
        let busy = refused("etcdserver: too many requests");
        assert_eq!(busy.to_string(), "etcd at http://10.0.0.1:2379 refused Range: etcdserver: too many requests");
        assert_eq!((busy.refuses_for_now(), busy.refuses_for_good()), (Some("etcdserver: too many requests"), None));
    }

    #[test]
    fn authentication_is_a_refusal_that_does_not_pass_and_silence_is_none() {
        let auth = refused("etcdserver: user name is empty");
        assert_eq!((auth.refuses_for_now(), auth.refuses_for_good()), (None, Some("etcdserver: user name is empty")));
        let silent = EtcdError::Timeout { url: "http://10.0.0.1:2379".into(), operation: "Range", limit: Duration::from_secs(1) };
        assert_eq!((silent.refuses_for_now(), silent.refuses_for_good()), (None, None));
    }
}
