//! Signature Version 4, as a service of AWS checks it: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
//!
//! Nothing here is shared with a client that signs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use quorate_core::time::Timestamp;
use sha2::{Digest, Sha256};

use super::ApiError;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const ENDS: &str = "aws4_request";
const SIGNATURE: &str = "X-Amz-Signature";

/// For how long a signature is good, and by how much it may be from the future. STS asks nothing else: it ignores `X-Amz-Expires`
/// (<https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go>).
const GOOD: Duration = Duration::from_secs(15 * 60);

/// A request as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The path, as it was written.
    pub path: &'a str,
    /// The query, as it was written.
    pub query: &'a str,
    /// Names in lower case, in the order in which they came.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// What a signature says of itself.
#[derive(Debug)]
pub struct Signature {
    access_key: String,
    scope: [String; 3],
    signed: Vec<String>,
    moment: String,
    token: Option<String>,
    signature: String,
    in_query: bool,
}

impl Signature {
    /// Reads it from the header `Authorization` or from the query.
    ///
    /// # Errors
    /// There is none, or it is incomplete.
    pub fn of(request: &SignedRequest<'_>) -> Result<Self, ApiError> {
        let query = parameters(request.query);
        let asked = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let header = |name: &str| request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        match (asked(SIGNATURE), header("authorization")) {
            (Some(_), Some(_)) => Err(incomplete("a signature in the query and in the header Authorization")),
            (None, None) => Err(ApiError::new("MissingAuthenticationToken", "Request is missing Authentication Token")),
            (Some(signature), None) => Self::new(
                [asked("X-Amz-Algorithm"), asked("X-Amz-Credential"), asked("X-Amz-SignedHeaders"), asked("X-Amz-Date"), Some(signature)],
                asked("X-Amz-Security-Token"),
                true,
            ),
            (None, Some(text)) => {
                let (algorithm, parts) = text.split_once(' ').ok_or_else(|| incomplete(&text))?;
                let parts: BTreeMap<&str, &str> = parts.split(',').filter_map(|part| part.trim().split_once('=')).collect();
                let part = |name: &str| parts.get(name).map(|part| (*part).to_owned());
                Self::new(
                    [Some(algorithm.to_owned()), part("Credential"), part("SignedHeaders"), header("x-amz-date"), part("Signature")],
                    header("x-amz-security-token"),
                    false,
                )
            }
        }
    }

    fn new(parts: [Option<String>; 5], token: Option<String>, in_query: bool) -> Result<Self, ApiError> {
        let [Some(algorithm), Some(credential), Some(signed), Some(moment), Some(signature)] = parts else {
            return Err(incomplete("algorithm, credential, signed headers, date and signature are all required"));
        };
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, ENDS] = parts[..] else {
            return Err(incomplete("Credential must have exactly 5 slash-delimited elements and end with aws4_request"));
        };
        if algorithm != ALGORITHM {
            return Err(incomplete(&format!("{algorithm} is not supported")));
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            scope: [date, region, service].map(str::to_owned),
            signed: signed.split(';').map(str::to_owned).collect(),
            moment,
            token,
            signature,
            in_query,
        })
    }

    /// The key with which the request claims to be signed.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The session token, without which a key that is not for ever is worth nothing.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether the request was signed with this secret, for this service in this region, not long before now.
    ///
    /// # Errors
    /// In the words of AWS, whatever does not hold.
    pub fn check(&self, request: &SignedRequest<'_>, secret: &str, of: (&str, &str), now: Timestamp) -> Result<(), ApiError> {
        self.check_scope(of)?;
        self.check_time(now)?;
        self.check_signed(request)?;
        if self.expected(request, secret) == self.signature {
            return Ok(());
        }
        Err(mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. \
             Consult the service documentation for details.",
        ))
    }

    fn check_scope(&self, (region, service): (&str, &str)) -> Result<(), ApiError> {
        let [date, of_region, of_service] = &self.scope;
        match () {
            () if of_region != region => Err(mismatch(format!("Credential should be scoped to a valid region, not '{of_region}'. "))),
            () if of_service != service => Err(mismatch(format!("Credential should be scoped to correct service: '{service}'. "))),
            () if self.moment.get(..8) != Some(date) => {
                Err(mismatch(format!("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date}'")))
            }
            () => Ok(()),
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), ApiError> {
        let at = moment(&self.moment).ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format'"))?;
        let (then, here) = (&self.moment, basic(now));
        match () {
            () if now.since(at) > GOOD => {
                Err(mismatch(format!("Signature expired: {then} is now earlier than {} ({here} - 15 min.)", basic(now - GOOD))))
            }
            () if at.since(now) > GOOD => {
                Err(mismatch(format!("Signature not yet current: {then} is still later than {} ({here} + 15 min.)", basic(now + GOOD))))
            }
            () => Ok(()),
        }
    }

    /// The host is signed, and each header of AWS' own that the request has; what is named as signed is there.
    fn check_signed(&self, request: &SignedRequest<'_>) -> Result<(), ApiError> {
        let has = |name: &str| request.headers.iter().any(|(known, _)| known == name);
        let theirs = request.headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("x-amz-"));
        let required = theirs.chain(["host"]).find(|name| !self.signed.iter().any(|signed| signed == name));
        if let Some(name) = required {
            return Err(mismatch(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
        }
        match self.signed.iter().find(|name| !has(name)) {
            Some(name) => Err(mismatch(format!("The header '{name}' is signed and was not sent."))),
            None => Ok(()),
        }
    }

    fn expected(&self, request: &SignedRequest<'_>, secret: &str) -> String {
        let [date, region, service] = &self.scope;
        let canonical = hex(&Sha256::digest(self.canonical(request)));
        let text = format!("{ALGORITHM}\n{}\n{date}/{region}/{service}/{ENDS}\n{canonical}", self.moment);
        let key = [date.as_str(), region, service, ENDS]
            .into_iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| keyed(&key, part.as_bytes()));
        hex(&keyed(&key, text.as_bytes()))
    }

    fn canonical(&self, request: &SignedRequest<'_>) -> String {
        let mut query: Vec<(String, String)> = parameters(request.query)
            .into_iter()
            .filter(|(name, _)| !self.in_query || name != SIGNATURE)
            .map(|(name, value)| (encoded(&name), encoded(&value)))
            .collect();
        query.sort();
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = self.signed.iter().fold(String::new(), |mut all, name| {
            let values = request.headers.iter().filter(|(known, _)| known == name);
            let values: Vec<String> = values.map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            let _ = writeln!(all, "{name}:{}", values.join(","));
            all
        });
        let path = if request.path.is_empty() { "/" } else { request.path };
        let body = hex(&Sha256::digest(request.body));
        format!("{}\n{path}\n{}\n{headers}\n{}\n{body}", request.method, query.join("&"), self.signed.join(";"))
    }
}

fn incomplete(what: &str) -> ApiError {
    ApiError::new("IncompleteSignature", what)
}

fn mismatch(what: impl Into<String>) -> ApiError {
    ApiError::new("SignatureDoesNotMatch", what)
}

/// What stands in a query, decoded. A plus sign is a plus sign here, other than in a form.
fn parameters(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// Everything but the unreserved characters of RFC 3986, with capital digits.
fn encoded(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => all.push(char::from(byte)),
            other => _ = write!(all, "%{other:02X}"),
        }
    }
    all
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    })
}

/// `20150830T123600Z`
fn moment(text: &str) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(at.timestamp().as_millisecond()).ok().map(Timestamp)
}

fn basic(at: Timestamp) -> String {
    let at = i64::try_from(at.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    at.unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const OF: (&str, &str) = ("us-east-1", "service");

    /// 30 August 2015, 12:36, of the vectors that AWS publishes.
    const THEN: Timestamp = Timestamp(1_440_938_160_000);

    fn headers(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn check(request: &SignedRequest<'_>, secret: &str, now: Timestamp) -> Result<(), ApiError> {
        Signature::of(request)?.check(request, secret, OF, now)
    }

    /// `get-vanilla-query-order-encoded` and `get-vanilla` of AWS' own suite.
    #[test]
    fn what_aws_publishes_as_signed_is_accepted() {
        let header = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
                      Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        let sent = headers(&[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", header)]);
        let request = SignedRequest { method: "GET", path: "/", query: "", headers: &sent, body: b"" };
        assert_eq!(check(&request, SECRET, THEN), Ok(()));
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&\
                     X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&\
                     X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d";
        let sent = headers(&[("host", "example.amazonaws.com")]);
        let request = SignedRequest { query, headers: &sent, ..request };
        assert_eq!(check(&request, SECRET, THEN), Ok(()));
        for (what, other) in [
            ("another method", SignedRequest { method: "POST", ..request }),
            ("another path", SignedRequest { path: "/a", ..request }),
            ("a body", SignedRequest { body: b"Action=Other", ..request }),
            ("another parameter", SignedRequest { query: &format!("{query}&Action=Other"), ..request }),
            ("another host", SignedRequest { headers: &headers(&[("host", "example.com")]), ..request }),
        ] {
            let refused = check(&other, SECRET, THEN).unwrap_err();
            assert!(refused.message.starts_with("The request signature we calculated"), "{what}: {refused}");
        }
        assert_eq!(check(&request, "another", THEN).unwrap_err().code, "SignatureDoesNotMatch");
    }

    #[test]
    fn a_signature_is_good_for_a_quarter_of_an_hour_in_its_scope() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&\
                     X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&\
                     X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d";
        let sent = headers(&[("host", "example.amazonaws.com")]);
        let request = SignedRequest { method: "GET", path: "/", query, headers: &sent, body: b"" };
        let second = Duration::from_secs(1);
        assert_eq!((check(&request, SECRET, THEN + GOOD), check(&request, SECRET, THEN - GOOD)), (Ok(()), Ok(())));
        let words = |now| check(&request, SECRET, now).unwrap_err().message;
        assert!(words(THEN + GOOD + second).starts_with("Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z"));
        assert!(words(THEN - GOOD - second).starts_with("Signature not yet current"));
        let signature = Signature::of(&request).unwrap();
        for (of, wanted) in [(("us-east-2", "service"), "valid region"), (("us-east-1", "sts"), "correct service")] {
            assert!(signature.check(&request, SECRET, of, THEN).unwrap_err().message.contains(wanted), "{of:?}");
        }
    }

    #[test]
    fn a_request_lacks_nothing_that_it_calls_signed_and_signs_every_header_of_aws() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&\
                     X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host%3Bx-mine&X-Amz-Signature=00";
        let sent = headers(&[("host", "example.amazonaws.com"), ("x-amz-more", "1")]);
        let request = SignedRequest { method: "GET", path: "/", query, headers: &sent, body: b"" };
        assert!(check(&request, SECRET, THEN).unwrap_err().message.starts_with("'x-amz-more' must be"));
        let request = SignedRequest { headers: &sent[..1], ..request };
        assert!(check(&request, SECRET, THEN).unwrap_err().message.contains("'x-mine' is signed and was not sent"));
        let request = SignedRequest { query: "", headers: &[], ..request };
        assert_eq!(Signature::of(&request).unwrap_err().code, "MissingAuthenticationToken");
        let request = SignedRequest { query: "X-Amz-Signature=00", ..request };
        assert_eq!(Signature::of(&request).unwrap_err().code, "IncompleteSignature");
    }
}
