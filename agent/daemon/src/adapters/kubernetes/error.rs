//! What can go wrong between this node and the Kubernetes API.

use std::path::PathBuf;
use std::time::Duration;

use quorate_core::plan::Outcome;

use crate::telemetry::chain;

/// Why the Kubernetes API did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// The credentials cannot be used.
    #[error("the kubeconfig {} cannot be used: does it exist, is it readable, and is it this cluster's?", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<kube::config::KubeconfigError>,
    },
    /// No client can be made for this server.
    #[error("no connection can be made to the API server {url}")]
    Client {
        /// The server.
        url: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The URL of a further server is not valid.
    #[error("{url:?} is not the URL of an API server: give one such as https://10.0.0.1:6443")]
    Url {
        /// What was given.
        url: String,
    },
    /// No client can be made to ask without credentials.
    #[error("no HTTP client can be made to ask a server whether it answers")]
    Probe(#[source] reqwest::Error),
    /// The API server refused.
    #[error("the API server refused to {operation}: {code} {reason}: {message}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The HTTP status.
        code: u16,
        /// The machine-readable reason, such as `TooManyRequests`.
        reason: String,
        /// The server's own words.
        message: String,
    },
    /// No API server answered.
    #[error("no API server answered when asked to {operation}")]
    Away {
        /// What was asked.
        operation: &'static str,
        /// The error of the last one's connection.
        source: Box<kube::Error>,
    },
    /// An API server took too long.
    #[error("no API server answered within {limit:?} when asked to {operation}")]
    Slow {
        /// What was asked.
        operation: &'static str,
        /// The limit.
        limit: Duration,
    },
}

impl KubernetesError {
    pub(super) fn of(operation: &'static str, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused { operation, code: status.code, reason: status.reason, message: status.message },
            other => Self::Away { operation, source: Box::new(other) },
        }
    }

    /// The outcome of a call that failed with this error. A server that failed in the middle (500 and above) may have done it anyway.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Refused { code, .. } if *code < 500 => Outcome::Refused(chain(self)),
            Self::Kubeconfig { .. } | Self::Client { .. } | Self::Url { .. } | Self::Probe(_) => Outcome::Refused(chain(self)),
            Self::Refused { .. } | Self::Away { .. } | Self::Slow { .. } => Outcome::Unclear(chain(self)),
        }
    }

    /// Whether the fault is the server's: another one may answer.
    pub(super) fn is_the_servers(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Slow { .. } => true,
            // 502 to 504 come from a load balancer, or from a server that is shutting down.
            Self::Refused { code, .. } => matches!(code, 502..=504),
            Self::Kubeconfig { .. } | Self::Client { .. } | Self::Url { .. } | Self::Probe(_) => false,
        }
    }
}
