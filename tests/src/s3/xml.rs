//! The documents that clients send.

use serde::Deserialize;

use super::S3Error;

/// At a time (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
const MOST_DELETED: usize = 1000;

#[derive(Debug, Deserialize)]
struct CompleteMultipartUpload {
    #[serde(rename = "Part", default)]
    parts: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedPart {
    part_number: u32,
    #[serde(rename = "ETag")]
    etag: String,
}

/// What to delete.
#[derive(Debug, Deserialize)]
pub(super) struct Delete {
    #[serde(rename = "Object", default)]
    objects: Vec<Named>,
    /// Only failures are reported.
    #[serde(rename = "Quiet", default)]
    pub(super) quiet: bool,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(rename = "Key")]
    key: String,
}

impl Delete {
    pub(super) fn keys(self) -> Vec<String> {
        self.objects.into_iter().map(|object| object.key).collect()
    }
}

/// The numbers and tags of the parts that make an object.
pub(super) fn completed_parts(document: &[u8]) -> Result<Vec<(u32, String)>, S3Error> {
    let parts = parse::<CompleteMultipartUpload>(document)?.parts;
    Ok(parts.into_iter().map(|part| (part.part_number, part.etag)).collect())
}

pub(super) fn delete(document: &[u8]) -> Result<Delete, S3Error> {
    let delete: Delete = parse(document)?;
    if (1..=MOST_DELETED).contains(&delete.objects.len()) { Ok(delete) } else { Err(S3Error::new("MalformedXML")) }
}

fn parse<'de, T: Deserialize<'de>>(document: &'de [u8]) -> Result<T, S3Error> {
    let text = std::str::from_utf8(document).map_err(|error| S3Error::new("MalformedXML").because(error))?;
    quick_xml::de::from_str(text).map_err(|error| S3Error::new("MalformedXML").because(error))
}
