//! Takes the body of a request in, to memory or to a file, and checks it against what the headers say of it.

use std::path::Path;

use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::S3Error;
use super::ask::Ask;
use super::digest::{Digester, Digests, hex};
use super::disk::Disk;
use super::model::content::Blob;
use super::shelf::{Shelf, failed};

/// A received body.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) blob: Blob,
    pub(super) digests: Digests,
}

impl Received {
    /// The bytes of a body that is no object.
    pub(super) fn bytes(&self) -> Bytes {
        match &self.blob {
            Blob::Memory(bytes) => bytes.clone(),
            Blob::File { .. } => Bytes::new(),
        }
    }

    /// In base 64, as headers have it.
    pub(super) fn sha256(&self) -> String {
        BASE64_STANDARD.encode(self.digests.sha256)
    }
}

pub(super) async fn receive(shelf: &Shelf, ask: &Ask, body: Body) -> Result<Received, S3Error> {
    if ask.header("x-amz-content-sha256").is_some_and(|digest| digest.starts_with("STREAMING-")) {
        return Err(S3Error::new("NotImplemented").because("aws-chunked bodies"));
    }
    let received = match shelf.disk.as_ref().filter(|_| ask.operation.stores()) {
        Some(disk) => to_disk(disk, body).await?,
        None => to_memory(body).await?,
    };
    let checked = check(&received.digests, ask);
    if checked.is_err() {
        shelf.discard(&received.blob);
    }
    checked.map(|()| received)
}

async fn to_memory(body: Body) -> Result<Received, S3Error> {
    let (mut stream, mut digester, mut bytes) = (body.into_data_stream(), Digester::default(), Vec::new());
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| incomplete(&error))?;
        digester.take(&piece);
        bytes.extend_from_slice(&piece);
    }
    Ok(Received { blob: Blob::Memory(bytes.into()), digests: digester.finish() })
}

async fn to_disk(disk: &Disk, body: Body) -> Result<Received, S3Error> {
    let (number, path) = disk.fresh();
    let written = to_file(&path, body).await;
    if written.is_err() {
        let _ = std::fs::remove_file(&path);
    }
    written.map(|(size, digests)| Received { blob: Blob::File { number, size }, digests })
}

async fn to_file(path: &Path, body: Body) -> Result<(u64, Digests), S3Error> {
    let mut file = tokio::fs::File::create(path).await.map_err(|error| failed(&error))?;
    let (mut stream, mut digester, mut size) = (body.into_data_stream(), Digester::default(), 0);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| incomplete(&error))?;
        digester.take(&piece);
        size += piece.len() as u64;
        file.write_all(&piece).await.map_err(|error| failed(&error))?;
    }
    file.flush().await.map_err(|error| failed(&error))?;
    Ok((size, digester.finish()))
}

/// Everything that the client said of its bytes has to be true.
fn check(digests: &Digests, ask: &Ask) -> Result<(), S3Error> {
    let signed = ask.header("x-amz-content-sha256").filter(|digest| *digest != "UNSIGNED-PAYLOAD");
    if signed.is_some_and(|digest| digest != hex(&digests.sha256)) {
        return Err(S3Error::new("XAmzContentSHA256Mismatch"));
    }
    let told: [(&str, &[u8]); 2] = [("content-md5", &digests.md5), ("x-amz-checksum-sha256", &digests.sha256)];
    match told.into_iter().find(|(name, digest)| ask.header(name).is_some_and(|told| told != BASE64_STANDARD.encode(digest))) {
        Some((name, _)) => Err(S3Error::new("BadDigest").because(name)),
        None => Ok(()),
    }
}

fn incomplete(error: &axum::Error) -> S3Error {
    S3Error::new("IncompleteBody").because(error)
}
