//! Spoilt answers.

use std::future::ready;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use futures::stream::StreamExt;

use crate::wire::broken::size;

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
