//! Answers that do not arrive whole.

use std::future::ready;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};

/// Long enough for the first half to be sent before the connection breaks.
const SENDING: Duration = Duration::from_millis(50);

/// The connection closes without a byte: hyper drops it when the body fails before the headers were flushed.
pub(crate) fn hang_up() -> Response {
    Body::from_stream(stream::once(async { Err::<Bytes, _>(broken()) })).into_response()
}

/// The headers promise all of it, and the connection breaks after half of it.
pub(crate) fn truncate(whole: Response) -> Response {
    let size = size(&whole);
    let (mut parts, body) = whole.into_parts();
    parts.headers.insert(header::CONTENT_LENGTH, size.into());
    let end = stream::once(async {
        tokio::time::sleep(SENDING).await;
        Err(axum::Error::new(broken()))
    });
    Response::from_parts(parts, Body::from_stream(first(body, size / 2).chain(end)))
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

/// What it says of the size of its body, which may be a stream.
pub(crate) fn size(response: &Response) -> u64 {
    let told = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    told.or(response.body().size_hint().exact()).unwrap_or_default()
}

fn first(body: Body, size: u64) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    body.into_data_stream().scan(size, |left, piece| {
        if *left == 0 {
            return ready(None);
        }
        ready(Some(piece.map(|mut piece| {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
            piece
        })))
    })
}
