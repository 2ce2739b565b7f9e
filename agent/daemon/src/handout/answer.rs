//! What is asked and answered, as JSON.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use quorate_core::handout::{Gift, Presigned, Refusal};
use serde::{Deserialize, Serialize};

use crate::adapters::pki::PkiError;
use crate::telemetry::chain;

/// Where it is asked, on the agents' port.
pub const PATH: &str = "/v1/credentials";

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What is asked for.
    pub gives: Gift,
    /// A certificate signing request, in PEM. Its key counts, and nothing else in it.
    pub csr: String,
    /// Who asks.
    pub proof: Presigned,
}

/// What is given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Given {
    /// The certificate and its authority's, in PEM.
    pub certificate: String,
    /// The root, in PEM, by which the servers are known.
    pub ca: String,
    /// Where etcd serves clients.
    pub endpoints: Vec<String>,
}

/// Why nothing is given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused {
    /// The reason's name, for programs.
    pub refused: String,
    /// The reason.
    pub why: String,
}

/// Why nothing is given, before it is written down.
#[derive(Debug, thiserror::Error)]
pub(super) enum No {
    /// The question came without TLS.
    #[error("credentials are given over TLS alone")]
    Plain,
    /// It is no question.
    #[error("the question cannot be read: {0}")]
    Unreadable(String),
    /// The certificate signing request is none.
    #[error("{}", chain(.0))]
    Request(PkiError),
    /// Too many questions.
    #[error("there were too many questions: ask again in {} s", .0.as_secs() + 1)]
    Often(Duration),
    /// The core's decision.
    #[error(transparent)]
    Decided(#[from] Refusal),
    /// AWS gives no answer.
    #[error("{call} is away: {words}")]
    Away {
        /// The call.
        call: &'static str,
        /// What is known of it.
        words: String,
    },
    /// This member cannot issue anything now.
    #[error("this member cannot issue certificates now: {0}")]
    Unable(String),
}

impl No {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Plain => "without-tls",
            Self::Unreadable(_) => "unreadable",
            Self::Request(_) => "unfit-csr",
            Self::Often(_) => "rate-limited",
            Self::Decided(refusal) => refusal.name(),
            Self::Away { .. } => "aws-away",
            Self::Unable(_) => "unable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Plain => StatusCode::UPGRADE_REQUIRED,
            Self::Unreadable(_) | Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Often(_) | Self::Decided(Refusal::Crowded) => StatusCode::TOO_MANY_REQUESTS,
            Self::Decided(_) => StatusCode::FORBIDDEN,
            Self::Away { .. } | Self::Unable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let body = Refused { refused: self.name().to_owned(), why: self.to_string() };
        let mut response = (self.status(), Json(body)).into_response();
        if let Self::Often(wait) = self {
            response.headers_mut().insert(RETRY_AFTER, (wait.as_secs() + 1).into());
        }
        response
    }
}
