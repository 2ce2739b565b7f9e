//! Lists, page by page (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Object;

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Keys with this prefix.
    pub prefix: String,
    /// Keys above this one.
    pub after: String,
    /// At most this number of keys.
    pub page: usize,
}

/// A part of a list.
#[derive(Debug, Default)]
pub struct Page<'a> {
    /// Objects by key.
    pub objects: Vec<(&'a str, &'a Object)>,
    /// What to continue after, if there is more.
    pub next: Option<&'a str>,
}

pub(super) fn page<'a>(objects: &'a BTreeMap<String, Object>, listing: &Listing) -> Page<'a> {
    let mut page = Page::default();
    let from = (Bound::Excluded(listing.after.as_str()), Bound::Unbounded);
    for (key, object) in objects.range::<str, _>(from).filter(|(key, _)| key.starts_with(&listing.prefix)) {
        if page.objects.len() == listing.page {
            page.next = page.objects.last().map(|(last, _)| *last);
            return page;
        }
        page.objects.push((key, object));
    }
    page
}
