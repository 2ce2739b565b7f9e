//! Tokens: `K10<sha256 of the server CA's PEM>::<user>:<password>`, or the password alone.

use std::fmt::Write as _;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::disk::hex;

/// A token as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The hash of the authority that the giver meant; the short form has none and trusts any server that answers.
    pub(super) hash: Option<String>,
    /// `server` or `node`.
    pub(super) user: String,
    pub(super) password: String,
}

impl Token {
    /// Parses a token; the short form gets this user.
    pub(super) fn parse(text: &str, user: &str) -> anyhow::Result<Self> {
        let Some(rest) = text.strip_prefix("K10") else {
            return Ok(Self { hash: None, user: user.to_owned(), password: text.to_owned() });
        };
        let parts = rest.split_once("::").and_then(|(hash, rest)| Some((hash, rest.split_once(':')?)));
        let (hash, (user, password)) = parts.context("invalid token format: must be K10<CA-HASH>::<USERNAME>:<PASSWORD>")?;
        Ok(Self { hash: Some(hash.to_owned()), user: user.to_owned(), password: password.to_owned() })
    }

    /// Whether this is the authority that the giver meant.
    ///
    /// # Errors
    /// k3s' words for another one.
    pub(super) fn check(&self, authority: &str) -> anyhow::Result<()> {
        let is = hash(authority);
        match &self.hash {
            Some(wanted) if *wanted != is => bail!("token CA hash does not match the Cluster CA certificate hash: {wanted} != {is}"),
            _ => Ok(()),
        }
    }

    /// As the header `Authorization` has it.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }

    /// From the header `Authorization`.
    pub(super) fn of_header(text: &str) -> Option<Self> {
        let decoded = STANDARD.decode(text.strip_prefix("Basic ")?).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Self { hash: None, user: user.to_owned(), password: password.to_owned() })
    }

    /// The full form.
    pub(super) fn full(&self, authority: &str) -> String {
        let mut text = format!("K10{}", hash(authority));
        let _ = write!(text, "::{}:{}", self.user, self.password);
        text
    }
}

/// The token of the first server, for which there is no authority yet that it could name.
pub(super) fn of_founder(text: &str) -> anyhow::Result<Token> {
    let token = Token::parse(text, "server")?;
    ensure!(token.hash.is_none(), "failed to normalize server token: the first server of a cluster accepts only the short form");
    Ok(token)
}

fn hash(authority: &str) -> String {
    hex(&Sha256::digest(authority.as_bytes()))
}
