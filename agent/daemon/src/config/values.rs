//! What a name and a store may look like, wherever they come from: a group's tags or the configuration file.
//!
//! Each parser's error is the remedy: what to write instead.

use quorate_core::ids::ClusterName;

const CLUSTER_NAME: &str = "use 1 to 64 letters, digits, dots, underscores or hyphens, the first one a letter or a digit";
const STORE_URL: &str = "use s3://BUCKET/PREFIX or file:///DIRECTORY";
const STORE_BUCKET: &str = "a bucket's name has 3 to 63 lower-case letters, digits, dots or hyphens: use s3://BUCKET/PREFIX";
const STORE_PATH: &str = "leave out empty parts, `.`, `..`, spaces, `?` and `#` from the path: use s3://BUCKET/PREFIX or file:///DIRECTORY";

/// Parses a cluster's name. It becomes part of the store's paths, so it may contain nothing that is special in a path.
///
/// # Errors
/// What to write instead.
pub fn cluster_name(text: &str) -> Result<ClusterName, &'static str> {
    ClusterName::parse(text).map_err(|_| CLUSTER_NAME)
}

/// Checks a store's URL and removes one slash from its end, so each store has one spelling.
///
/// # Errors
/// What to write instead.
pub fn store_url(text: &str) -> Result<String, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or(STORE_URL)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    match scheme {
        "s3" => s3(rest)?,
        "file" => path(rest.strip_prefix('/').ok_or(STORE_URL)?)?,
        _ => return Err(STORE_URL),
    }
    Ok(format!("{scheme}://{rest}"))
}

fn s3(rest: &str) -> Result<(), &'static str> {
    let (bucket, prefix) = rest.split_once('/').map_or((rest, None), |(bucket, prefix)| (bucket, Some(prefix)));
    let plain = bucket.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-'));
    if !plain || !(3..=63).contains(&bucket.len()) {
        return Err(STORE_BUCKET);
    }
    prefix.map_or(Ok(()), path)
}

/// Checks the path. A `..` would leave the prefix, and an S3 key with an empty part is not the same as the one without it.
fn path(path: &str) -> Result<(), &'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(odd);
    if path.split('/').all(plain) { Ok(()) } else { Err(STORE_PATH) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_cluster_names_are_taken() {
        for text in ["a", "prod", "prod.eu-1_b", "9", &"x".repeat(64)] {
            assert_eq!(cluster_name(text).as_ref().map(ClusterName::as_str), Ok(text));
        }
    }

    #[test]
    fn names_that_a_path_could_trip_over_are_refused() {
        for text in ["", " ", ".", "..", "../x", "a/b", "a b", "ä", "-a", "_a", ".hidden", "a\n", &"x".repeat(65)] {
            assert_eq!(cluster_name(text), Err(CLUSTER_NAME), "{text:?}");
        }
    }

    #[test]
    fn stores_on_s3_and_on_disk_are_taken_and_spelt_in_one_way() {
        for (text, spelt) in [
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("s3://my.bucket-1/quorate/prod/", "s3://my.bucket-1/quorate/prod"),
            ("file:///var/lib/store", "file:///var/lib/store"),
            ("file:///srv/", "file:///srv"),
        ] {
            assert_eq!(store_url(text).as_deref(), Ok(spelt));
        }
    }

    #[test]
    fn malformed_stores_are_refused() {
        for text in [
            "",
            "bucket",
            "s3://",
            "s3:///prefix",
            "s3://ab",
            "s3://Bucket/x",
            "s3://bucket//x",
            "s3://bucket/a/../b",
            "s3://bucket/a b",
            "s3://bucket/x?y",
            "s3://bucket/x//",
            "S3://bucket",
            "file://relative/x",
            "file:///",
            "file:///a/./b",
            "https://bucket.s3.amazonaws.com/x",
            "memory:///x",
        ] {
            assert!(store_url(text).is_err(), "{text:?} was taken as {:?}", store_url(text));
        }
    }
}
