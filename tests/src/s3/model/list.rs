//! Lists, page by page (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Object;

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Keys with this prefix.
    pub prefix: String,
    /// Keys that have this after the prefix are listed as one common prefix.
    pub delimiter: Option<String>,
    /// Keys and common prefixes above this one.
    pub after: String,
    /// At most this number of keys and common prefixes.
    pub page: usize,
}

/// A part of a list.
#[derive(Debug, Default)]
pub struct Page<'a> {
    /// Objects by key.
    pub objects: Vec<(&'a str, &'a Object)>,
    /// Common prefixes.
    pub prefixes: Vec<&'a str>,
    /// What to continue after, if there is more.
    pub next: Option<&'a str>,
}

pub(super) fn page<'a>(objects: &'a BTreeMap<String, Object>, listing: &Listing) -> Page<'a> {
    let mut page = Page::default();
    let mut last = None;
    let from = (Bound::Excluded(listing.after.as_str()), Bound::Unbounded);
    for (key, object) in objects.range::<str, _>(from).filter(|(key, _)| key.starts_with(&listing.prefix)) {
        let common = common_prefix(key, listing);
        let entry = common.unwrap_or(key);
        // Listed already, on this page or on an earlier one.
        if common.is_some() && (page.prefixes.last() == Some(&entry) || entry <= listing.after.as_str()) {
            continue;
        }
        if page.objects.len() + page.prefixes.len() == listing.page {
            page.next = last;
            return page;
        }
        last = Some(entry);
        match common {
            Some(prefix) => page.prefixes.push(prefix),
            None => page.objects.push((key, object)),
        }
    }
    page
}

fn common_prefix<'a>(key: &'a str, listing: &Listing) -> Option<&'a str> {
    let delimiter = listing.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(listing.prefix.as_str())?;
    let end = listing.prefix.len() + rest.find(delimiter)? + delimiter.len();
    key.get(..end)
}
