//! Answers that do not arrive whole.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};

/// Long enough for the first half to be sent before the connection breaks.
const SENDING: Duration = Duration::from_millis(50);

/// The connection closes without a byte: hyper drops it when the body fails before the headers were flushed.
pub(crate) fn hang_up() -> Response {
    Body::from_stream(stream::once(async { Err::<Bytes, _>(broken()) })).into_response()
}

/// Headers that promise the whole body, and half of it.
pub(crate) async fn truncate(whole: Response) -> Response {
    let (mut parts, body) = whole.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
    let half = stream::once({
        let half = bytes.slice(..bytes.len() / 2);
        async { Ok::<_, io::Error>(half) }
    });
    let end = stream::once(async {
        tokio::time::sleep(SENDING).await;
        Err(broken())
    });
    Response::from_parts(parts, Body::from_stream(half.chain(end)))
}

/// An answer that ends regularly where a list has its first entry: the announced length is true.
pub(crate) async fn shorten(whole: Response) -> Response {
    let (mut parts, body) = whole.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let entry = ["</member>", "</item>"].iter().filter_map(|end| text.find(end).map(|at| at + end.len())).min();
    let end = entry.unwrap_or(bytes.len() / 2);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes.slice(..end)))
}

/// A status and a short text; what is no status is a 500.
pub(crate) fn status(code: u16) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, status.canonical_reason().unwrap_or_default()).into_response()
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "a fault rule broke the connection")
}
