//! A host name that the alias may have.

use std::fmt;

use super::HostsError;

/// A host name by RFC 1123, section 2.1: labels of letters, digits and inner hyphens, 253 characters at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// Parses a name.
    ///
    /// # Errors
    /// It is not a host name, or one that the machine itself needs.
    pub fn parse(text: &str) -> Result<Self, HostsError> {
        let refused = |remedy| Err(HostsError::Name { name: text.chars().take(300).collect(), remedy });
        if text.len() > 253 || !text.split('.').all(is_label) {
            return refused("give a host name of letters, digits, hyphens and dots, such as api.prod.internal");
        }
        // Otherwise 10.0.0.1 would be a name: only an address has a last label of digits alone (RFC 3696, section 2).
        if text.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
            return refused("its last label must not be a number");
        }
        if text.split('.').any(|label| label.eq_ignore_ascii_case("localhost")) {
            return refused("every program takes localhost for this machine; choose another name");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
