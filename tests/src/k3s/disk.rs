//! The files below `data-dir`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The data directory.
#[derive(Clone, Debug)]
pub(super) struct Disk(PathBuf);

impl Disk {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self(data_dir.to_owned())
    }

    /// etcd's data directory.
    pub(super) fn etcd(&self) -> PathBuf {
        self.0.join("server/db/etcd")
    }

    pub(super) fn has_wal(&self) -> bool {
        self.etcd().join("member/wal").is_dir()
    }

    pub(super) fn tombstone(&self) -> PathBuf {
        self.etcd().join("tombstone")
    }

    /// Present after a reset, until k3s starts normally.
    pub(super) fn reset_flag(&self) -> PathBuf {
        self.0.join("server/db/reset-flag")
    }

    /// The name of the etcd member.
    pub(super) fn name(&self) -> PathBuf {
        self.etcd().join("name")
    }

    pub(super) fn tls(&self, file: &str) -> PathBuf {
        self.0.join("server/tls").join(file)
    }

    pub(super) fn token(&self, file: &str) -> PathBuf {
        self.0.join("server").join(file)
    }

    pub(super) fn agent(&self, file: &str) -> PathBuf {
        self.0.join("agent").join(file)
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let act = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let beside = path.with_extension("tmp");
        let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&beside, path)
    };
    act().with_context(|| format!("cannot write {}", path.display()))
}

/// Reads a file; nothing if it is not there.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// This number of random bytes, in hex.
pub(super) fn random_hex(bytes: usize) -> anyhow::Result<String> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).context("there is no randomness")?;
    Ok(hex(&buffer))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
