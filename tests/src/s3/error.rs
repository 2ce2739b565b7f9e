//! Refusals, as S3 words them.

/// A refusal of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({status}): {message}")]
pub struct S3Error {
    /// The HTTP status.
    pub status: u16,
    /// S3's code for it.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// Of one status the first is what a fault rule's bare status stands for
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
const CODES: &[(&str, u16, &str)] = &[
    ("InvalidArgument", 400, "Invalid Argument"),
    ("BadDigest", 400, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    ("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed object size."),
    ("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    ("InvalidPart", 400, "One or more of the specified parts could not be found, or the part's entity tag does not match."),
    ("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number."),
    ("InvalidRequest", 400, "Content-MD5 OR x-amz-checksum- HTTP header is required for Put requests with Object Lock parameters"),
    ("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema."),
    ("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
    ("AccessDenied", 403, "Access Denied"),
    ("NoSuchKey", 404, "The specified key does not exist."),
    ("NoSuchBucket", 404, "The specified bucket does not exist."),
    (
        "NoSuchUpload",
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    ),
    ("MethodNotAllowed", 405, "The specified method is not allowed against this resource."),
    ("ConditionalRequestConflict", 409, "The conditional request cannot succeed due to a conflicting operation against this resource."),
    ("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold."),
    ("InvalidRange", 416, "The requested range is not satisfiable."),
    ("InternalError", 500, "We encountered an internal error. Please try again."),
    ("NotImplemented", 501, "A header or parameter you provided implies functionality that is not implemented."),
    ("SlowDown", 503, "Please reduce your request rate."),
    // AWS is never full; other stores that speak S3 are.
    ("XMinioStorageFull", 507, "Storage backend has reached its minimum free drive threshold."),
];

impl S3Error {
    /// The refusal with this code; a code that is not known is an `InternalError`.
    #[must_use]
    pub fn new(code: &str) -> Self {
        CODES.iter().find(|(known, ..)| *known == code).map_or_else(|| Self::of_status(500), Self::entry)
    }

    /// What S3 would most likely mean by this status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        let known = CODES.iter().find(|(_, of, _)| *of == status);
        known.map_or_else(|| Self { status, code: "Fault", message: "a fault rule struck".to_owned() }, Self::entry)
    }

    /// The same with more text.
    #[must_use]
    pub fn because(mut self, why: impl std::fmt::Display) -> Self {
        self.message = format!("{} ({why})", self.message);
        self
    }

    fn entry((code, status, message): &(&'static str, u16, &'static str)) -> Self {
        Self { status: *status, code, message: (*message).to_owned() }
    }
}
