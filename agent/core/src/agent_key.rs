//! The key with which an instance's agent signs its answers. It is kept on the disk, where no other user of the machine can read it, so it survives the
//! agent's restart. A process that takes the agent's port meanwhile can only show another key.

use std::fmt;
use std::str::FromStr;

/// A public key of Ed25519. Nothing here signs or verifies: the core receives keys whose signature was verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentKey([u8; 32]);

impl AgentKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 hexadecimal digits")]
pub struct NotAKey;

impl FromStr for AgentKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        hex(text).map(Self).ok_or(NotAKey)
    }
}

/// The bytes of lower-case hexadecimal digits, the form in which keys, signatures and hashes are written here; none for any other length.
#[must_use]
pub fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let value = |digit: u8| (digit as char).to_digit(16).filter(|_| !digit.is_ascii_uppercase()).and_then(|v| u8::try_from(v).ok());
    let mut bytes = [0; N];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_it_is_read() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<AgentKey>().unwrap().to_string(), text);
        for wrong in ["", "0", "zz", "00FF", "é"] {
            assert_eq!(wrong.repeat(16).parse::<AgentKey>(), Err(NotAKey), "{wrong}");
        }
    }
}
