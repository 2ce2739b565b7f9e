//! Spoilt answers.

use std::future::ready;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};

/// Long enough for what comes before to be sent.
const SENDING: Duration = Duration::from_millis(50);

/// The headers promise all of it, and the connection breaks after half of it.
pub(super) fn truncate(whole: Response) -> Response {
    let size = size(&whole);
    let (mut parts, body) = whole.into_parts();
    parts.headers.insert(header::CONTENT_LENGTH, size.into());
    let end = stream::once(async {
        tokio::time::sleep(SENDING).await;
        Err(axum::Error::new(io::Error::new(io::ErrorKind::ConnectionReset, "a fault rule broke the connection")))
    });
    Response::from_parts(parts, Body::from_stream(first(body, size / 2).chain(end)))
}

/// The byte in the middle is another one.
pub(super) fn corrupt(whole: Response) -> Response {
    let size = size(&whole);
    let (mut parts, body) = whole.into_parts();
    parts.headers.insert(header::CONTENT_LENGTH, size.into());
    let flip = move |seen: &mut u64, piece: Result<Bytes, axum::Error>| {
        let start = *seen;
        *seen += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        ready(Some(piece.map(|piece| flipped(piece, (size / 2).checked_sub(start)))))
    };
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().scan(0, flip)))
}

/// A page of a captive portal.
pub(super) fn impostor() -> Response {
    Html("<html><body>Welcome to the airport</body></html>").into_response()
}

fn flipped(piece: Bytes, at: Option<u64>) -> Bytes {
    let mut bytes = piece.to_vec();
    match at.and_then(|at| bytes.get_mut(usize::try_from(at).ok()?)) {
        Some(byte) => *byte ^= 0xff,
        None => return piece,
    }
    bytes.into()
}

fn size(response: &Response) -> u64 {
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
