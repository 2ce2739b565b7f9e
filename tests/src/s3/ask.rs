//! What a request asks, read from its method, address and headers.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use percent_encoding::percent_decode_str;

use super::model::{Condition, Listing};
use super::{Operation, S3Error};

/// The most that S3 lists at a time.
const LARGEST_PAGE: usize = 1000;

/// Parameters that do not change what is asked, or are looked at where it is answered.
const KNOWN: &[&str] =
    &["continuation-token", "delete", "list-type", "max-keys", "partNumber", "prefix", "start-after", "uploadId", "uploads"];

/// Headers that stay with an object.
const KEPT: &[&str] = &["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];
const KEPT_PREFIXES: &[&str] = &["x-amz-meta-", "x-amz-server-side-encryption", "x-amz-storage-class"];

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) operation: Operation,
    /// The key, or the prefix that is to be listed.
    pub(super) key: String,
    pub(super) bucket: String,
    pub(super) caller: String,
    pub(super) part: Option<u32>,
    /// Further keys, which only the body names.
    pub(super) further: Vec<String>,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
}

impl Ask {
    /// # Errors
    /// The request is not known here, or is not signed.
    pub(super) fn read(parts: &Parts) -> Result<Self, S3Error> {
        let path = parts.uri.path();
        let path = percent_decode_str(path.strip_prefix('/').unwrap_or(path)).decode_utf8_lossy().into_owned();
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let query: BTreeMap<_, _> = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let headers = parts.headers.clone();
        let caller = caller(&headers).ok_or_else(|| S3Error::new("AccessDenied").because("the request is not signed"))?;
        let operation = operation(&parts.method, key, &query, &headers)?;
        let key = if operation == Operation::List { query.get("prefix").cloned().unwrap_or_default() } else { key.to_owned() };
        let part = query.get("partNumber").map(|number| number.parse()).transpose();
        let part = part.map_err(|_| S3Error::new("InvalidArgument").because("partNumber"))?;
        Ok(Self { operation, key, bucket: bucket.to_owned(), caller, part, further: Vec::new(), query, headers })
    }

    /// Every key that the request is about.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let own = Some(&self.key).filter(|_| self.operation != Operation::DeleteMany);
        own.into_iter().chain(&self.further).map(String::as_str)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(super) fn upload_id(&self) -> &str {
        self.text("uploadId").unwrap_or_default()
    }

    pub(super) fn condition(&self) -> Condition {
        let text = |name| self.header(name).map(str::to_owned);
        Condition { if_match: text("if-match"), if_none_match: text("if-none-match") }
    }

    /// The headers that stay with an object.
    pub(super) fn kept(&self) -> BTreeMap<String, String> {
        let kept = |name: &str| KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let all = self.headers.iter().map(|(name, value)| (name.as_str(), value));
        all.filter(|(name, _)| kept(name)).filter_map(|(name, value)| Some((name.to_owned(), value.to_str().ok()?.to_owned()))).collect()
    }

    /// What is to be listed, in pages no larger than this.
    pub(super) fn listing(&self, page: usize) -> Result<Listing, S3Error> {
        let after = match self.text("continuation-token") {
            Some(token) => from_token(token).ok_or_else(|| S3Error::new("InvalidArgument").because("continuation-token"))?,
            None => self.text("start-after").unwrap_or_default().to_owned(),
        };
        let page = page.min(self.limit()?);
        Ok(Listing { prefix: self.key.clone(), after, page })
    }

    /// How many the caller asks for.
    fn limit(&self) -> Result<usize, S3Error> {
        let Some(text) = self.text("max-keys") else { return Ok(LARGEST_PAGE) };
        let number = text.parse::<usize>().map_err(|_| S3Error::new("InvalidArgument").because("max-keys"))?;
        Ok(number.min(LARGEST_PAGE))
    }
}

/// A token that no client can mistake for a key.
pub(super) fn token(after: &str) -> String {
    format!("1{}", super::digest::hex(after.as_bytes()))
}

fn from_token(token: &str) -> Option<String> {
    let digits = token.strip_prefix('1')?.as_bytes();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(pairs.collect::<Option<Vec<_>>>()?).ok()
}

fn operation(method: &Method, key: &str, query: &BTreeMap<String, String>, headers: &HeaderMap) -> Result<Operation, S3Error> {
    let unknown = query.keys().map(String::as_str).find(|name| !KNOWN.contains(name) && !name.starts_with("X-Amz-"));
    let unknown = unknown.or_else(|| headers.contains_key("x-amz-copy-source").then_some("x-amz-copy-source"));
    if let Some(name) = unknown {
        return Err(S3Error::new("NotImplemented").because(name));
    }
    let has = |name: &str| query.contains_key(name);
    Ok(match (method.as_str(), key.is_empty()) {
        ("PUT", false) if has("uploadId") && has("partNumber") => Operation::UploadPart,
        ("PUT", false) => Operation::Put,
        ("GET", false) if !has("uploadId") => Operation::Get,
        ("HEAD", false) => Operation::Head,
        ("DELETE", false) if has("uploadId") => Operation::Abort,
        ("DELETE", false) => Operation::Delete,
        ("POST", false) if has("uploads") => Operation::CreateUpload,
        ("POST", false) if has("uploadId") => Operation::Complete,
        ("POST", true) if has("delete") => Operation::DeleteMany,
        ("GET", true) if query.get("list-type").is_some_and(|version| version == "2") => Operation::List,
        (method, _) => return Err(S3Error::new("NotImplemented").because(method)),
    })
}

/// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/s3/aws4_request, ...`
fn caller(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256")?;
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split(['/', ',', ' ']).next().filter(|key| !key.is_empty()).map(str::to_owned)
}
