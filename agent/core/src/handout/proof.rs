//! A request for STS that was signed in advance, taken apart: only `GetCallerIdentity`, and only with the headers that bind it to one purpose.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::agent_key::hex;
use crate::ids::{ClusterName, RegionName};
use crate::text::printable;
use crate::time::Timestamp;

/// The signed header with the cluster for which the proof is.
pub const CLUSTER_HEADER: &str = "x-quorate-cluster";

/// The signed header with the SHA-256 of the certificate signing request, in hexadecimal digits.
pub const CSR_HEADER: &str = "x-quorate-csr-sha256";

/// What is signed besides method, path, query and body. `host` is the member's to say: it sends the request to the endpoint of its own region.
pub const SIGNED_HEADERS: &str = "host;x-quorate-cluster;x-quorate-csr-sha256";

/// The parameters of such a request. A token comes with every key but a user's.
const PARAMETERS: [&str; 8] =
    ["Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];
const TOKEN: &str = "X-Amz-Security-Token";

/// The parameters that can have one value only.
const FIXED: [(&str, &str); 4] = [
    ("Action", "GetCallerIdentity"),
    ("Version", "2011-06-15"),
    ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
    ("X-Amz-SignedHeaders", SIGNED_HEADERS),
];

/// At most this many characters of a name are shown.
const NAME: usize = 60;

/// The request as the asker gives it: as data, without a host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presigned {
    /// `GET`.
    pub method: String,
    /// The parameters of the query, decoded.
    pub query: BTreeMap<String, String>,
    /// The signed headers besides `host`.
    pub headers: BTreeMap<String, String>,
}

/// It contains what may be used as long as it is fresh.
impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a request with {} parameters and {} headers", self.query.len(), self.headers.len())
    }
}

/// Why a request is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not a GET.
    #[error("its method is {0}, and only a GET is sent")]
    Method(String),
    /// It has a parameter that such a request does not have.
    #[error("it has the parameter {0}, which does not belong to GetCallerIdentity or its signature")]
    Parameter(String),
    /// It has a header that is not signed.
    #[error("its header {0} is not signed")]
    UnsignedHeader(String),
    /// It lacks one that is.
    #[error("it lacks {0}")]
    Lacks(&'static str),
    /// A value is another than the only possible one, or has the wrong form.
    #[error("its {0} is not what it must be")]
    Value(&'static str),
}

/// A request that may be sent. There is no other way to make one than [`Proof::parse`].
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    signed: Presigned,
    /// For which cluster it was signed.
    pub cluster: ClusterName,
    /// For which certificate signing request: its SHA-256.
    pub csr: [u8; 32],
    /// In which region the signature holds.
    pub region: RegionName,
    /// When it was signed, by the asker's clock.
    pub at: Timestamp,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a proof for {} of {}", self.cluster, self.at.utc())
    }
}

impl Proof {
    /// Takes a request apart.
    ///
    /// # Errors
    /// It is not exactly of the form that is sent.
    pub fn parse(signed: Presigned) -> Result<Self, Unfit> {
        if signed.method != "GET" {
            return Err(Unfit::Method(printable(&signed.method, NAME)));
        }
        if let Some(name) = signed.query.keys().find(|name| !PARAMETERS.contains(&name.as_str()) && *name != TOKEN) {
            return Err(Unfit::Parameter(printable(name, NAME)));
        }
        if let Some(name) = signed.headers.keys().find(|name| ![CLUSTER_HEADER, CSR_HEADER].contains(&name.as_str())) {
            return Err(Unfit::UnsignedHeader(printable(name, NAME)));
        }
        let parameter = |name: &'static str| signed.query.get(name).map(String::as_str).ok_or(Unfit::Lacks(name));
        let header = |name: &'static str| signed.headers.get(name).map(String::as_str).ok_or(Unfit::Lacks(name));
        PARAMETERS.iter().try_for_each(|name| parameter(name).map(drop))?;
        for (name, value) in FIXED {
            if parameter(name)? != value {
                return Err(Unfit::Value(name));
            }
        }
        let cluster = ClusterName::parse(header(CLUSTER_HEADER)?).map_err(|_| Unfit::Value(CLUSTER_HEADER))?;
        let csr = hex(header(CSR_HEADER)?).ok_or(Unfit::Value(CSR_HEADER))?;
        let region = region(parameter("X-Amz-Credential")?).ok_or(Unfit::Value("X-Amz-Credential"))?;
        let at = Timestamp::parse_basic(parameter("X-Amz-Date")?).ok_or(Unfit::Value("X-Amz-Date"))?;
        hex::<32>(parameter("X-Amz-Signature")?).ok_or(Unfit::Value("X-Amz-Signature"))?;
        Ok(Self { cluster, csr, region, at, signed })
    }

    /// The query, encoded as it was signed.
    #[must_use]
    pub fn query(&self) -> String {
        let pairs = self.signed.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The headers that are signed besides `host`.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What no other proof has.
    #[must_use]
    pub(super) fn nonce(&self) -> [u8; 32] {
        let signature = self.signed.query.get("X-Amz-Signature").map(String::as_bytes).unwrap_or_default();
        Sha256::digest(signature).into()
    }
}

/// The region of `KEY/DATE/REGION/sts/aws4_request`.
fn region(credential: &str) -> Option<RegionName> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [_, _, region, "sts", "aws4_request"] = parts[..] else { return None };
    RegionName::parse(region).ok()
}

/// As signatures want it: everything but the unreserved characters of RFC 3986, with capital digits.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut all, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => all.push(char::from(byte)),
            other => all.push_str(&format!("%{other:02X}")),
        }
        all
    })
}
