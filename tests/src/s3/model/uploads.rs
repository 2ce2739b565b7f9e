//! Uploads in parts (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>).

use std::collections::BTreeMap;

use quorate_core::time::Timestamp;

use super::content::Blob;
use super::{Object, same};
use crate::s3::{S3Error, digest};

/// Every part but the last has at least this number of bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const SMALLEST_PART: u64 = 5 << 20;

/// Parts are numbered from 1 to this.
const MOST_PARTS: u32 = 10_000;

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its bytes.
    pub blob: Blob,
    /// Without quotes.
    pub etag: String,
}

/// An upload that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Upload {
    /// Of the object that it is to become.
    key: String,
    /// As [`Object::headers`].
    headers: BTreeMap<String, String>,
    /// The parts that have come, by number.
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug, Default)]
pub(super) struct Uploads {
    begun: u64,
    unfinished: BTreeMap<String, Upload>,
    /// The key and the tag of each completed one.
    completed: BTreeMap<String, (String, String)>,
}

impl Uploads {
    pub(super) fn create(&mut self, key: &str, headers: BTreeMap<String, String>) -> String {
        self.begun += 1;
        let id = format!("upload-{:08}", self.begun);
        self.unfinished.insert(id.clone(), Upload { key: key.to_owned(), headers, parts: BTreeMap::new() });
        id
    }

    /// Returns what was there under this number.
    pub(super) fn put_part(&mut self, key: &str, id: &str, number: u32, part: Part) -> Result<Option<Blob>, S3Error> {
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(S3Error::new("InvalidArgument").because(format_args!("part numbers are 1 to {MOST_PARTS}, not {number}")));
        }
        let upload = self.unfinished.get_mut(id).filter(|upload| upload.key == key).ok_or_else(missing)?;
        Ok(upload.parts.insert(number, part).map(|replaced| replaced.blob))
    }

    /// The tag of the object that this upload became.
    pub(super) fn completed(&self, key: &str, id: &str) -> Option<&str> {
        self.completed.get(id).filter(|(of, _)| of == key).map(|(_, etag)| etag.as_str())
    }

    /// The object that these parts make.
    pub(super) fn assemble(&self, key: &str, id: &str, parts: &[(u32, String)], now: Timestamp) -> Result<Object, S3Error> {
        let upload = self.unfinished.get(id).filter(|upload| upload.key == key).ok_or_else(missing)?;
        let chosen = chosen(upload, parts)?;
        let Some((_, all_but_last)) = chosen.split_last() else { return Err(S3Error::new("MalformedXML").because("no parts")) };
        if let Some(small) = all_but_last.iter().find(|part| part.blob.size() < SMALLEST_PART) {
            return Err(S3Error::new("EntityTooSmall").because(format_args!("a part of {} bytes", small.blob.size())));
        }
        Ok(Object {
            content: chosen.iter().map(|part| part.blob.clone()).collect(),
            etag: digest::etag_of_parts(chosen.iter().map(|part| part.etag.as_str())),
            modified: now,
            headers: upload.headers.clone(),
        })
    }

    /// Forgets the upload except for its result; returns the parts that were not used.
    pub(super) fn finish(&mut self, id: &str, etag: &str, used: &[(u32, String)]) -> Vec<Blob> {
        let Some(upload) = self.unfinished.remove(id) else { return Vec::new() };
        self.completed.insert(id.to_owned(), (upload.key, etag.to_owned()));
        let idle = upload.parts.into_iter().filter(|(number, _)| !used.iter().any(|(of, _)| of == number));
        idle.map(|(_, part)| part.blob).collect()
    }

    pub(super) fn abort(&mut self, key: &str, id: &str) -> Result<Vec<Blob>, S3Error> {
        self.unfinished.get(id).filter(|upload| upload.key == key).ok_or_else(missing)?;
        Ok(self.unfinished.remove(id).into_iter().flat_map(parts).collect())
    }

    pub(super) fn expire(&mut self, prefix: &str) -> Vec<Blob> {
        let expired = self.unfinished.extract_if(.., |_, upload| upload.key.starts_with(prefix));
        expired.flat_map(|(_, upload)| parts(upload)).collect()
    }
}

fn chosen<'a>(upload: &'a Upload, parts: &[(u32, String)]) -> Result<Vec<&'a Part>, S3Error> {
    if !parts.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(S3Error::new("InvalidPartOrder"));
    }
    let find = |(number, etag): &(u32, String)| {
        let part = upload.parts.get(number).filter(|part| same(&part.etag, etag));
        part.ok_or_else(|| S3Error::new("InvalidPart").because(format_args!("part {number}")))
    };
    parts.iter().map(find).collect()
}

fn parts(upload: Upload) -> impl Iterator<Item = Blob> {
    upload.parts.into_values().map(|part| part.blob)
}

fn missing() -> S3Error {
    S3Error::new("NoSuchUpload")
}
