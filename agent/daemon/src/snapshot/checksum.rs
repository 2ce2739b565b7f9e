//! etcd's own checksum of a snapshot, and the whole file's, in one pass.

use sha2::{Digest, Sha256};

/// etcd appends the SHA-256 of the database to it, and a database is made of pages, so only a file with the checksum has 32 bytes above a multiple of 512
/// (etcdutl `snapshot/v3_snapshot.go`, `hasChecksum`).
const TRAILER: usize = 32;
const BLOCK: u64 = 512;

/// The size and sum of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Bytes, the checksum included.
    pub size: u64,
    /// SHA-256 of all of them, in hex.
    pub sha256: String,
}

/// Consumes a snapshot's bytes in order.
#[derive(Clone, Debug, Default)]
pub struct Checksum {
    /// The hash of all bytes except the last ones, which may be the checksum.
    database: Sha256,
    last: Vec<u8>,
    size: u64,
}

impl Checksum {
    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        let (body, last) = bytes.split_at(bytes.len().saturating_sub(TRAILER));
        let surplus = (self.last.len() + last.len()).saturating_sub(TRAILER);
        self.database.update(&self.last[..surplus]);
        self.last.drain(..surplus);
        self.database.update(body);
        self.last.extend_from_slice(last);
    }

    /// How many bytes it has consumed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The sum of all bytes, if etcd's checksum at their end is right.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn finish(self) -> Result<Sum, String> {
        if self.size % BLOCK != TRAILER as u64 {
            return Err(format!("{} bytes do not end with etcd's checksum: it is cut short", self.size));
        }
        if self.database.clone().finalize()[..] != self.last[..] {
            return Err("its bytes do not have the checksum that etcd put at their end".to_owned());
        }
        let mut whole = self.database;
        whole.update(&self.last);
        Ok(Sum { size: self.size, sha256: hex(&whole.finalize()) })
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(pages: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..pages * 4096).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }

    fn sum(bytes: &[u8], piece: usize) -> Result<Sum, String> {
        let mut checksum = Checksum::default();
        bytes.chunks(piece).for_each(|piece| checksum.update(piece));
        checksum.finish()
    }

    #[test]
    fn the_sum_is_that_of_the_whole_file_however_it_comes_in_pieces() {
        let bytes = snapshot(3);
        let whole = Sum { size: bytes.len() as u64, sha256: hex(&Sha256::digest(&bytes)) };
        for piece in [1, 7, 31, 32, 33, 64, 4096, 100_000] {
            assert_eq!(sum(&bytes, piece), Ok(whole.clone()), "pieces of {piece}");
        }
    }

    #[test]
    fn a_byte_that_is_wrong_missing_or_too_many_is_seen() {
        let bytes = snapshot(2);
        for at in [0, 4096, bytes.len() - 33, bytes.len() - 1] {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(sum(&wrong, 1000).unwrap_err().contains("checksum"), "at {at}");
        }
        assert!(sum(&bytes[..bytes.len() - 1], 1000).unwrap_err().contains("cut short"));
        assert!(sum(&bytes[..4096], 1000).unwrap_err().contains("cut short"));
        assert!(sum(&bytes[..4096 + 32], 1000).unwrap_err().contains("checksum"));
        assert!(sum(&[], 1000).is_err());
    }
}
