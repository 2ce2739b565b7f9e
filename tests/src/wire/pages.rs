//! Answers page by page.

use crate::region::ApiError;

const PREFIX: &str = "page-from-";

/// One page of a list, and the token for the next.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// Returns the page of a list that the token names.
///
/// The list may change between two pages, as in the real service. As there, a page may be empty and have a next one (`empty_first`).
///
/// # Errors
///
/// `InvalidNextToken` for a token that was never given.
pub(super) fn page<T>(items: Vec<T>, size: usize, token: Option<&str>, empty_first: bool) -> Result<Page<T>, ApiError> {
    let start = match token {
        None | Some("") if empty_first => return Ok(Page { items: Vec::new(), next: Some(format!("{PREFIX}0")) }),
        None | Some("") => 0,
        Some(token) => token.strip_prefix(PREFIX).and_then(|from| from.parse().ok()).ok_or_else(invalid)?,
    };
    let end = start + size;
    let next = (items.len() > end).then(|| format!("{PREFIX}{end}"));
    Ok(Page { items: items.into_iter().skip(start).take(size).collect(), next })
}

fn invalid() -> ApiError {
    ApiError::new("InvalidNextToken", "The NextToken value is not valid.")
}
