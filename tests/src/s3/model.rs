//! A pure model of one bucket: objects, conditions, lists and uploads. The time is passed in, and bytes are only referred to.

pub(super) mod content;
mod list;
mod uploads;

use std::collections::BTreeMap;

use quorate_core::time::Timestamp;

pub use list::{Listing, Page};
pub use uploads::Part;

use super::S3Error;
use content::Blob;
use uploads::Uploads;

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes, piece after piece.
    pub content: Vec<Blob>,
    /// Without the quotes that it travels in.
    pub etag: String,
    /// When it was written.
    pub modified: Timestamp,
    /// The headers that it was written with: `content-type`, `x-amz-server-side-encryption`, `x-amz-meta-*` and the like.
    pub headers: BTreeMap<String, String>,
}

impl Object {
    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.iter().map(Blob::size).sum()
    }
}

/// The conditions of a request, by the headers with these names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `If-Match`
    pub if_match: Option<String>,
    /// `If-None-Match`
    pub if_none_match: Option<String>,
}

/// A bucket.
#[derive(Debug, Default)]
pub struct Model {
    objects: BTreeMap<String, Object>,
    uploads: Uploads,
    /// Bytes that nothing refers to any longer.
    garbage: Vec<Blob>,
}

impl Model {
    /// Writes an object, in place of one that has the same key.
    ///
    /// # Errors
    /// The condition does not hold.
    pub fn put(&mut self, key: &str, object: Object, condition: &Condition) -> Result<(), S3Error> {
        condition.permits_write(self.objects.get(key))?;
        self.replace(key, object);
        Ok(())
    }

    /// An object.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, key: &str) -> Result<&Object, S3Error> {
        self.objects.get(key).ok_or_else(|| S3Error::new("NoSuchKey").because(key))
    }

    /// Deletes an object; S3 does not say whether there was one.
    pub fn delete(&mut self, key: &str) {
        if let Some(object) = self.objects.remove(key) {
            self.garbage.extend(object.content);
        }
    }

    /// Deletes every object and every unfinished upload below a prefix, as lifecycle rules would.
    pub fn expire(&mut self, prefix: &str) {
        let expired: Vec<String> = self.keys().filter(|key| key.starts_with(prefix)).map(str::to_owned).collect();
        expired.iter().for_each(|key| self.delete(key));
        self.garbage.extend(self.uploads.expire(prefix));
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// A page of the objects.
    #[must_use]
    pub fn list(&self, listing: &Listing) -> Page<'_> {
        list::page(&self.objects, listing)
    }

    /// Begins an upload in parts and names it.
    pub fn create_upload(&mut self, key: &str, headers: BTreeMap<String, String>) -> String {
        self.uploads.create(key, headers)
    }

    /// Takes a part, in place of one of the same number.
    ///
    /// # Errors
    /// There is no such upload, or no such number is possible.
    pub fn upload_part(&mut self, key: &str, id: &str, number: u32, part: Part) -> Result<(), S3Error> {
        let replaced = self.uploads.put_part(key, id, number, part)?;
        self.garbage.extend(replaced);
        Ok(())
    }

    /// Makes an object of the parts with these numbers and tags; returns its tag. Done once more, it answers the same again, as AWS does.
    ///
    /// # Errors
    /// There is no such upload, the condition does not hold, or the parts are not as they must be.
    pub fn complete(
        &mut self,
        key: &str,
        id: &str,
        parts: &[(u32, String)],
        condition: &Condition,
        now: Timestamp,
    ) -> Result<String, S3Error> {
        let current = self.objects.get(key);
        if let Some(etag) = self.uploads.completed(key, id).filter(|etag| current.is_some_and(|object| object.etag == *etag)) {
            return Ok(etag.to_owned());
        }
        let object = self.uploads.assemble(key, id, parts, now)?;
        condition.permits_write(current)?;
        self.garbage.extend(self.uploads.finish(id, &object.etag, parts));
        let etag = object.etag.clone();
        self.replace(key, object);
        Ok(etag)
    }

    /// Aborts an upload.
    ///
    /// # Errors
    /// There is no such upload.
    pub fn abort(&mut self, key: &str, id: &str) -> Result<(), S3Error> {
        let dropped = self.uploads.abort(key, id)?;
        self.garbage.extend(dropped);
        Ok(())
    }

    /// The bytes that nothing refers to any longer; each is returned once.
    pub fn take_garbage(&mut self) -> Vec<Blob> {
        std::mem::take(&mut self.garbage)
    }

    fn replace(&mut self, key: &str, object: Object) {
        if let Some(replaced) = self.objects.insert(key.to_owned(), object) {
            self.garbage.extend(replaced.content);
        }
    }
}

impl Condition {
    /// For conditional writes S3 knows `If-None-Match: *`, and `If-Match`, which no agent asks
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
    fn permits_write(&self, current: Option<&Object>) -> Result<(), S3Error> {
        match (&self.if_none_match, &self.if_match) {
            (_, Some(_)) => Err(S3Error::new("NotImplemented").because("If-Match")),
            (Some(tag), _) if tag != "*" => Err(S3Error::new("NotImplemented").because("If-None-Match of a write is * alone")),
            (Some(_), _) if current.is_some() => Err(S3Error::new("PreconditionFailed").because("If-None-Match")),
            _ => Ok(()),
        }
    }
}

/// Tags with and without their quotes.
fn same(one: &str, other: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_matches('"').to_owned();
    bare(one) == bare(other)
}
