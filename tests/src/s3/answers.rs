//! Answers, as S3 words them.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::ask::{Ask, token};
use super::model::{Listing, Object, Page};
use super::{Operation, S3Error};
use crate::wire::when;
use crate::wire::xml::Xml;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

pub(super) fn refuse(error: &S3Error, operation: Option<Operation>) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if operation == Some(Operation::Head) {
        return status.into_response();
    }
    xml(status, refusal(error))
}

/// Status 200, and a refusal in the body.
pub(super) fn refuse_inside(error: &S3Error) -> Response {
    xml(StatusCode::OK, refusal(error))
}

fn refusal(error: &S3Error) -> String {
    Xml::plain("Error", |xml| {
        xml.leaf("Code", error.code).leaf("Message", &error.message).leaf("RequestId", "0000000000000000");
    })
}

fn xml(status: StatusCode, document: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/xml")], document).into_response()
}

fn document(root: &str, fill: impl FnOnce(&mut Xml)) -> Response {
    xml(StatusCode::OK, Xml::document(root, NAMESPACE, fill))
}

/// An object or a part was taken.
pub(super) fn stored(etag: &str, kept: &BTreeMap<String, String>, sha256: Option<String>) -> Response {
    let encryption = kept.iter().filter(|(name, _)| name.starts_with("x-amz-server-side-encryption"));
    let mut headers = named(encryption);
    headers.insert(header::ETAG, value(&quoted(etag)));
    if let Some(sha256) = sha256 {
        headers.insert("x-amz-checksum-sha256", value(&sha256));
    }
    (headers, ()).into_response()
}

/// An object, or a part of one, with the body that is read from it.
pub(super) fn object(object: &Object, part: Option<&std::ops::Range<u64>>, body: Body) -> Response {
    let whole = object.size();
    let mut headers = named(object.headers.iter());
    headers.insert(header::ETAG, value(&quoted(&object.etag)));
    headers.insert(header::LAST_MODIFIED, value(&when::http(object.modified)));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, part.map_or(whole, |range| range.end - range.start).into());
    let Some(range) = part else { return (headers, body).into_response() };
    headers.insert(header::CONTENT_RANGE, value(&format!("bytes {}-{}/{whole}", range.start, range.end - 1)));
    (StatusCode::PARTIAL_CONTENT, headers, body).into_response()
}

/// There is no such range of an object of this size.
pub(super) fn out_of_range(size: u64, operation: Operation) -> Response {
    let mut response = refuse(&S3Error::new("InvalidRange"), Some(operation));
    response.headers_mut().insert(header::CONTENT_RANGE, value(&format!("bytes */{size}")));
    response
}

pub(super) fn list(ask: &Ask, listing: &Listing, page: &Page<'_>) -> Response {
    document("ListBucketResult", |xml| {
        xml.leaf("Name", &ask.bucket).leaf("Prefix", &listing.prefix).leaf("MaxKeys", listing.page);
        xml.leaf("KeyCount", page.objects.len()).leaf("IsTruncated", page.next.is_some());
        xml.maybe("ContinuationToken", ask.text("continuation-token")).maybe("NextContinuationToken", page.next.map(token));
        xml.maybe("StartAfter", ask.text("start-after"));
        for (key, object) in &page.objects {
            xml.node("Contents", |xml| {
                xml.leaf("Key", key).leaf("LastModified", when::millis(object.modified)).leaf("ETag", quoted(&object.etag));
                xml.leaf("Size", object.size()).leaf("StorageClass", "STANDARD");
            });
        }
    })
}

pub(super) fn begun(ask: &Ask, id: &str) -> Response {
    document("InitiateMultipartUploadResult", |xml| {
        xml.leaf("Bucket", &ask.bucket).leaf("Key", &ask.key).leaf("UploadId", id);
    })
}

pub(super) fn completed(ask: &Ask, etag: &str) -> Response {
    document("CompleteMultipartUploadResult", |xml| {
        xml.leaf("Bucket", &ask.bucket).leaf("Key", &ask.key).leaf("ETag", quoted(etag));
    })
}

/// The keys that were deleted.
pub(super) fn deleted(keys: &[String]) -> Response {
    document("DeleteResult", |xml| {
        for key in keys {
            xml.node("Deleted", |xml| {
                xml.leaf("Key", key);
            });
        }
    })
}

fn named<'a>(headers: impl Iterator<Item = (&'a String, &'a String)>) -> HeaderMap {
    headers.filter_map(|(name, text)| Some((HeaderName::try_from(name).ok()?, value(text)))).collect()
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// Everything that gets here came from a header or was made by this module.
fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
