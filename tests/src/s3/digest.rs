//! Entity tags and checksums.

use md5::Md5;
use sha2::{Digest as _, Sha256};

/// The digests of one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    pub(super) sha256: [u8; 32],
}

/// Both digests of a body that comes in pieces.
#[derive(Default)]
pub(super) struct Digester {
    md5: Md5,
    sha256: Sha256,
}

impl Digester {
    pub(super) fn take(&mut self, piece: &[u8]) {
        self.md5.update(piece);
        self.sha256.update(piece);
    }

    pub(super) fn finish(self) -> Digests {
        Digests { md5: self.md5.finalize().into(), sha256: self.sha256.finalize().into() }
    }
}

/// The tag of an object or of a part: the MD5 of its bytes, without the quotes that it travels in.
pub(super) fn etag(md5: &[u8]) -> String {
    hex(md5)
}

/// The tag of an object of several parts: the MD5 of their MD5s, and how many there are
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>).
pub(super) fn etag_of_parts<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> String {
    let (count, mut all) = (parts.len(), Md5::new());
    parts.for_each(|etag| all.update(unhex(etag)));
    format!("{}-{count}", hex(&all.finalize()))
}

/// In lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
