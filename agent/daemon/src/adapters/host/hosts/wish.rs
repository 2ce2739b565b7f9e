//! The alias that the agent wants, handed to the unit that may write the hosts file.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{HostName, HostsError};
use crate::adapters::host::{HostError, atomic};

/// The file's name in the run directory.
const FILE: &str = "alias";

/// Twice the longest address and the longest name.
const LARGEST: u64 = 640;

/// One line, `ADDRESS ALIAS`. Its reader is root and writes to a system directory, so it checks everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Where the alias is to point.
    pub address: IpAddr,
    /// The alias.
    pub alias: HostName,
}

impl Wish {
    /// Its path in the agent's run directory.
    #[must_use]
    pub fn path(run_dir: &Path) -> PathBuf {
        run_dir.join(FILE)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It does not exist, or is not as the agent writes it.
    pub fn read(path: &Path) -> Result<Self, HostsError> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
        read.map_err(HostError::io("read", path))?;
        Self::parse(&text)
    }

    /// Reads its text.
    ///
    /// # Errors
    /// It is not as the agent writes it.
    pub fn parse(text: &str) -> Result<Self, HostsError> {
        let wrong = |what: String| HostsError::Wish { what };
        if text.len() as u64 > LARGEST {
            return Err(wrong(format!("it is longer than {LARGEST} bytes")));
        }
        let line = text.strip_suffix('\n').unwrap_or(text);
        let (address, alias) = line.split_once(' ').ok_or_else(|| wrong("it has no address and name".to_owned()))?;
        let address: IpAddr = address.parse().map_err(|_| wrong(format!("{address:?} is no IP address")))?;
        if address.is_unspecified() || address.is_multicast() {
            return Err(wrong(format!("{address} is no server's address")));
        }
        Ok(Self { address, alias: HostName::parse(alias)? })
    }

    /// Writes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), HostsError> {
        Ok(atomic::write_for_all(path, format!("{} {}\n", self.address, self.alias).as_bytes())?)
    }
}
