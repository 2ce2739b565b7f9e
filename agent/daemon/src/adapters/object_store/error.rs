//! Why the store could not be read.

use std::time::Duration;

use crate::telemetry::chain;

/// What S3 means by refusing a call, by the code in its answer. The status is 403 for all but one, and only one of them is about a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This machine's clock is more than 15 minutes off.
    Clock,
    /// The object is in an archive storage class.
    Archived,
    /// The bucket is in another region.
    Region,
    /// The role's credentials have ended or are not known.
    Credentials,
}

/// The codes (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
const CODES: [(&str, Refusal); 7] = [
    ("RequestTimeTooSkewed", Refusal::Clock),
    ("InvalidObjectState", Refusal::Archived),
    ("PermanentRedirect", Refusal::Region),
    ("AuthorizationHeaderMalformed", Refusal::Region),
    ("IllegalLocationConstraintException", Refusal::Region),
    ("ExpiredToken", Refusal::Credentials),
    ("InvalidAccessKeyId", Refusal::Credentials),
];

impl Refusal {
    /// What can be done about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Clock => "set this machine's clock: S3 refuses a request that is signed more than 15 minutes off",
            Self::Archived => {
                "the object is in an archive storage class: restore it (aws s3api restore-object), and exempt the cluster's prefix from archiving"
            }
            Self::Region => "the bucket is in another region: set it in store.options (aws_region)",
            Self::Credentials => "the role's credentials have ended or are not known: check the instance profile and this machine's clock",
        }
    }

    /// By the code in the answer, as object_store quotes it.
    fn of(source: &object_store::Error) -> Option<Self> {
        let text = chain(source);
        CODES.into_iter().find(|(code, _)| text.contains(&format!("<Code>{code}</Code>"))).map(|(_, refusal)| refusal)
    }
}

/// The end of an error's sentence.
fn and_remedy(source: &object_store::Error) -> String {
    Refusal::of(source).map_or_else(String::new, |refusal| format!("; {}", refusal.remedy()))
}

impl StoreError {
    /// What S3 means by it, where that is no permission.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if let Self::Call { source, .. } = self { Refusal::of(source) } else { None }
    }

    /// Access was denied.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        matches!(self, Self::Call { source, .. } if matches!(**source, PermissionDenied { .. } | Unauthenticated { .. }))
    }
}

/// A store that cannot be opened or read. None of these ever counts as an empty store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A URL that names no store.
    #[error("the store is {url:?}, and {why}: give s3://BUCKET/PREFIX or file:///DIRECTORY")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store's settings do not fit together.
    #[error("the store {url} cannot be opened")]
    Open {
        /// As configured.
        url: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store's directory does not exist.
    #[error("the store {url} does not exist: mount its file system, or, for a new store, create the directory once")]
    Absent {
        /// As configured.
        url: String,
        /// What the file system says.
        #[source]
        source: std::io::Error,
    },
    /// A list or read was refused or failed.
    #[error("cannot {operation} {key} in the store {url}{}", and_remedy(source))]
    Call {
        /// As configured.
        url: String,
        /// What was tried, as an infinitive.
        operation: &'static str,
        /// The key or prefix.
        key: String,
        /// Why not.
        #[source]
        source: Box<object_store::Error>,
    },
    /// No answer in time.
    #[error("the store {url} did not answer within {limit:?}")]
    Timeout {
        /// As configured.
        url: String,
        /// The time limit.
        limit: Duration,
    },
    /// Something that is not an object store answers in its place, or the store contradicts itself.
    #[error("the store {url} lists no objects and yet answers for {key}: something else may be answering in its place; check its endpoint")]
    Impostor {
        /// As configured.
        url: String,
        /// The key that a store without objects cannot have.
        key: String,
    },
    /// A list without end.
    #[error(
        "the store {url} lists more than {limit} objects below {key}: move what is not Quorate's to another place, or check its endpoint"
    )]
    TooMany {
        /// As configured.
        url: String,
        /// The prefix.
        key: String,
        /// How many are read.
        limit: usize,
    },
    /// An object that does not parse.
    #[error("{key} in the store {url} is not a {what}; restore the object from a backup or an older version, and do not delete it")]
    Malformed {
        /// As configured.
        url: String,
        /// Its key.
        key: String,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(body: &str) -> StoreError {
        let source =
            std::io::Error::other(format!("Server returned non-2xx status code: 403 Forbidden: <Error><Code>{body}</Code></Error>"));
        let source = object_store::Error::Generic { store: "S3", source: Box::new(source) };
        StoreError::Call { url: "s3://b/p".to_owned(), operation: "read", key: "k".to_owned(), source: Box::new(source) }
    }

    #[test]
    fn a_refusal_is_taken_for_what_its_code_means() {
        for (code, refusal, word) in [
            ("RequestTimeTooSkewed", Some(Refusal::Clock), "clock"),
            ("InvalidObjectState", Some(Refusal::Archived), "restore-object"),
            ("PermanentRedirect", Some(Refusal::Region), "aws_region"),
            ("ExpiredToken", Some(Refusal::Credentials), "instance profile"),
            ("AccessDenied", None, "cannot read k in the store s3://b/p"),
        ] {
            let error = call(code);
            assert!(error.refusal() == refusal && error.to_string().contains(word), "{error}");
        }
    }
}
