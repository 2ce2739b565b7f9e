//! Our line in the hosts file, `ADDRESS ALIAS # quorate`: it is replaced and never added twice, and every other line stays as it was (hosts(5)).

mod apply;
mod name;
mod wish;

use std::net::IpAddr;

pub use apply::{Applied, apply, read};
pub use name::HostName;
pub use wish::Wish;

use super::HostError;

/// Its usual path.
pub const FILE: &str = "/etc/hosts";

/// The comment that marks our line.
const MARK: &[u8] = b"# quorate";

/// No machine's hosts file is larger. A larger one is not for us to rewrite.
const LARGEST: usize = 1 << 20;

/// Why the hosts file, or its intended content, is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostsError {
    /// The name cannot be an alias.
    #[error("{name:?} cannot be the alias of the API: {remedy}")]
    Name {
        /// What was given.
        name: String,
        /// What to give instead.
        remedy: &'static str,
    },
    /// The wish does not have our form.
    #[error("the wanted alias cannot be read: {what}; the agent rewrites it every few seconds, so find out what else writes there")]
    Wish {
        /// What is wrong with it.
        what: String,
    },
    /// The file is too large.
    #[error("the hosts file has {size} bytes, and one larger than {LARGEST} is not rewritten: put its entries into a name server")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// The file cannot be read or written.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// The file with our line pointing `alias` at `address`: in place of our first line, or at the end if there is none. Further lines of ours are removed; all
/// others keep every byte, except that a last line without a line end gets one if ours comes after it.
///
/// # Errors
/// The file is too large to be rewritten.
pub fn with_alias(hosts: &[u8], alias: &HostName, address: IpAddr) -> Result<Vec<u8>, HostsError> {
    if hosts.len() > LARGEST {
        return Err(HostsError::TooLarge { size: hosts.len() });
    }
    let mut ours = Some(format!("{address} {alias} # quorate\n").into_bytes());
    let mut text = Vec::with_capacity(hosts.len() + 128);
    for line in hosts.split_inclusive(|byte| *byte == b'\n') {
        match is_ours(line) {
            true => text.extend(ours.take().unwrap_or_default()),
            false => text.extend_from_slice(line),
        }
    }
    if let Some(ours) = ours {
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        text.extend(ours);
    }
    Ok(text)
}

/// The numbers of the lines, from 1, in which somebody else names the alias. They are not ours to touch, but a resolver uses the first line that names it
/// (nss_files(5)).
#[must_use]
pub fn foreign(hosts: &[u8], alias: &HostName) -> Vec<usize> {
    let names = |line: &[u8]| fields(line).skip(1).any(|field| field.eq_ignore_ascii_case(alias.as_str().as_bytes()));
    let lines = hosts.split(|byte| *byte == b'\n').zip(1..);
    lines.filter(|(line, _)| !is_ours(line) && names(line)).map(|(_, number)| number).collect()
}

/// Where our line points `alias`.
#[must_use]
pub fn address_of(hosts: &[u8], alias: &HostName) -> Option<IpAddr> {
    let ours = hosts.split(|byte| *byte == b'\n').find(|line| is_ours(line))?;
    let mut fields = fields(ours);
    let address = std::str::from_utf8(fields.next()?).ok()?.parse().ok();
    address.filter(|_| fields.next() == Some(alias.as_str().as_bytes()))
}

/// Whether the line is ours: its whole comment is our mark, and an entry precedes it. A line with only a comment was written by somebody else.
fn is_ours(line: &[u8]) -> bool {
    let comment = line.iter().position(|byte| *byte == b'#').map(|at| line[at..].trim_ascii());
    comment == Some(MARK) && fields(line).next().is_some()
}

/// The words before a comment.
fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let entry = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    entry.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty())
}

#[cfg(test)]
mod tests;
