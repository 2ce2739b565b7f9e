//! As much of S3 as a charter needs: PUT with If-None-Match, GET, ListObjectsV2 in pages; and its troubles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Refused with this status, without effect.
    Status(u16),
    /// Done, and answered with this status.
    AfterTheEffect(u16),
    /// Done, and never answered.
    HangAfterTheEffect,
    /// Neither done nor answered.
    Hang,
    /// Answered with a body that ends too soon.
    Truncated,
    /// Answered with a page of a captive portal.
    Garbage,
}

#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, Vec<u8>>,
    requests: Vec<&'static str>,
    /// Each kind of request with the key that it was about, or the prefix that it listed.
    about: BTreeSet<(&'static str, String)>,
    always: BTreeMap<&'static str, Fault>,
    next: BTreeMap<&'static str, Fault>,
}

/// A server with one bucket, `bucket`.
pub(crate) struct MiniS3 {
    shelf: Arc<Mutex<Shelf>>,
    endpoint: String,
}

/// Small, so that every longer list is paged.
const PAGE: usize = 7;

impl MiniS3 {
    pub(crate) async fn start(address: &str) -> Self {
        let shelf = Arc::<Mutex<Shelf>>::default();
        let listener = tokio::net::TcpListener::bind((address, 9000)).await.unwrap();
        let router = Router::new().fallback(answer).with_state(shelf.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shelf, endpoint: format!("http://{address}:9000") }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.shelf.lock().unwrap().objects.keys().cloned().collect()
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        self.shelf.lock().unwrap().objects.insert(key.to_owned(), bytes.to_vec());
    }

    pub(crate) fn requests(&self) -> Vec<&'static str> {
        self.shelf.lock().unwrap().requests.clone()
    }

    /// Every kind of request that was ever made, with its key or its prefix.
    pub(crate) fn about(&self) -> BTreeSet<(&'static str, String)> {
        self.shelf.lock().unwrap().about.clone()
    }

    pub(crate) fn forget_requests(&self) {
        self.shelf.lock().unwrap().requests.clear();
    }

    pub(crate) fn fail_next(&self, kind: &'static str, fault: Fault) {
        self.shelf.lock().unwrap().next.insert(kind, fault);
    }

    pub(crate) fn fail_always(&self, kind: &'static str, fault: Fault) {
        self.shelf.lock().unwrap().always.insert(kind, fault);
    }

    pub(crate) fn heal(&self, kind: &'static str) {
        self.shelf.lock().unwrap().always.remove(kind);
    }
}

type Parameters = Query<BTreeMap<String, String>>;

async fn answer(
    State(shelf): State<Arc<Mutex<Shelf>>>,
    method: Method,
    uri: Uri,
    Query(query): Parameters,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().strip_prefix("/bucket").unwrap_or_default().trim_start_matches('/').to_owned();
    assert!(headers.get("authorization").is_some_and(|a| a.to_str().unwrap().starts_with("AWS4-HMAC-SHA256")), "unsigned: {uri}");
    let kind = match method {
        Method::PUT => "PUT",
        Method::GET if query.contains_key("list-type") => "LIST",
        Method::GET | Method::HEAD => "GET",
        _ => "OTHER",
    };
    let about = if kind == "LIST" { query.get("prefix").cloned().unwrap_or_default() } else { path.clone() };
    let fault = note(&shelf, kind, about);
    match fault {
        Some(Fault::Status(code)) => return error(code),
        Some(Fault::Hang) => return std::future::pending().await,
        _ => {}
    }
    let done = act(&shelf, kind, &path, &query, &headers, &body);
    match fault {
        Some(Fault::AfterTheEffect(code)) => error(code),
        Some(Fault::HangAfterTheEffect) => std::future::pending().await,
        Some(Fault::Truncated) => cut_off(done),
        Some(Fault::Garbage) => (StatusCode::OK, last_modified(), "<html><body>Welcome to the airport</body></html>").into_response(),
        _ => done.into_response(),
    }
}

fn note(shelf: &Mutex<Shelf>, kind: &'static str, about: String) -> Option<Fault> {
    let mut shelf = shelf.lock().unwrap();
    shelf.requests.push(kind);
    shelf.about.insert((kind, about));
    shelf.next.remove(kind).or_else(|| shelf.always.get(kind).copied())
}

type Done = (StatusCode, [(&'static str, String); 2], Vec<u8>);

fn act(shelf: &Mutex<Shelf>, kind: &str, path: &str, query: &BTreeMap<String, String>, headers: &HeaderMap, body: &[u8]) -> Done {
    let mut shelf = shelf.lock().unwrap();
    let head = last_modified();
    match (kind, shelf.objects.get(path)) {
        ("OTHER", _) => (StatusCode::METHOD_NOT_ALLOWED, head, Vec::new()),
        ("LIST", _) => (StatusCode::OK, head, list(&shelf.objects, query).into_bytes()),
        ("PUT", Some(_)) if headers.get("if-none-match").is_some_and(|v| v == "*") => (StatusCode::PRECONDITION_FAILED, head, Vec::new()),
        ("PUT", _) => {
            shelf.objects.insert(path.to_owned(), body.to_vec());
            (StatusCode::OK, head, Vec::new())
        }
        (_, Some(bytes)) => (StatusCode::OK, head, bytes.clone()),
        (_, None) => (StatusCode::NOT_FOUND, head, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
    }
}

fn list(objects: &BTreeMap<String, Vec<u8>>, query: &BTreeMap<String, String>) -> String {
    let text = |name: &str| query.get(name).cloned().unwrap_or_default();
    let (prefix, after) = (text("prefix"), text("continuation-token").max(text("start-after")));
    let mut found: Vec<_> = objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after).collect();
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let entry = |(key, bytes): &(&String, &Vec<u8>)| {
        let size = bytes.len();
        format!(
            "<Contents><Key>{key}</Key><LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>\"{size}\"</ETag><Size>{size}</Size></Contents>"
        )
    };
    let contents: String = found.iter().map(entry).collect();
    let token = found.last().filter(|_| more).map(|(key, _)| format!("<NextContinuationToken>{key}</NextContinuationToken>"));
    let token = token.unwrap_or_default();
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>bucket</Name><IsTruncated>{more}</IsTruncated>{contents}{token}</ListBucketResult>"
    )
}

fn last_modified() -> [(&'static str, String); 2] {
    [("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT".to_owned()), ("etag", "\"x\"".to_owned())]
}

/// The whole length is announced, and half of it sent.
fn cut_off((status, head, body): Done) -> Response {
    let half = Bytes::from(body[..body.len() / 2].to_vec());
    let parts = [Ok(half), Err(std::io::Error::other("the connection was lost"))];
    let mut response = (status, head, Body::from_stream(futures::stream::iter(parts))).into_response();
    response.headers_mut().insert("content-length", body.len().into());
    response
}

fn error(code: u16) -> Response {
    let status = StatusCode::from_u16(code).unwrap();
    (status, format!("<Error><Code>Fault{code}</Code></Error>")).into_response()
}
