//! Forwards a request and returns its answer.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;

use super::upstream::Servers;
use crate::wire::broken::hang_up;

/// Passes this request to the servers. If none of them takes it the caller gets 503, and if one hangs up, so does this.
pub(super) async fn forward(servers: &Servers, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return hang_up() };
    let path = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    match servers.send(parts.method, path, &only_ours(&parts.headers), body).await {
        Ok(answer) => {
            let (status, headers) = (answer.status(), only_ours(answer.headers()));
            let mut response = Response::new(Body::from_stream(answer.bytes_stream().map_err(std::io::Error::other)));
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            response
        }
        Err(error) if format!("{error}").starts_with("no server") => unavailable(&format!("{error:#}")),
        Err(_) => hang_up(),
    }
}

/// The answer of a server that cannot answer for the cluster.
pub(super) fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("apiserver not ready: {why}\n")).into_response()
}

/// Headers that belong to one connection alone are not forwarded.
fn only_ours(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::TE, header::UPGRADE] {
        headers.remove(name);
    }
    headers
}
