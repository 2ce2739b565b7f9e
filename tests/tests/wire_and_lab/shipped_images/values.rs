//! The lab's values in place of the example ones, as the files themselves, packaging/README.md and docs/usage/k3s.md tell a user to: a bucket with the objects that
//! the files fetch, the hash of k3s, and the tokens.

use std::path::PathBuf;

use anyhow::{Context, bail};
use quorate_lab::lab::binaries;
use sha2::{Digest, Sha256};

const EXAMPLE_BUCKET: &str = "s3://example-bucket/";
const BUCKET: &str = "s3://bucket-of-the-lab/";
/// Ignition refuses every file by it.
const EXAMPLE_HASH: &str = "sha256-0000000000000000000000000000000000000000000000000000000000000000";

/// The secrets by the names that docs/usage/k3s.md gives them, in the bucket and in Parameter Store.
pub(crate) const TOKENS: [(&str, &str); 2] = [("server-token", "secret-of-the-servers"), ("agent-token", "secret-of-the-workers")];

/// What lies in the bucket.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Text(&'static str),
    /// What is at this path.
    Program(PathBuf),
}

/// A file as a user would have edited it.
pub(crate) fn in_place_of_examples(text: &str) -> anyhow::Result<String> {
    let text = text.replace(EXAMPLE_BUCKET, BUCKET);
    Ok(if text.contains(EXAMPLE_HASH) { text.replace(EXAMPLE_HASH, &format!("sha256-{}", sha256(&binaries::k3s()?)?)) } else { text })
}

/// Fetches an object. Anything that is not what the hash says is refused, as Ignition does, which gives up the boot.
pub(crate) fn fetch(url: &str, wanted: Option<&str>) -> anyhow::Result<Object> {
    let name = url.strip_prefix(BUCKET).with_context(|| format!("{url} is not in the bucket that a user is told to name"))?;
    let object = match (name, TOKENS.iter().find(|(token, _)| *token == name)) {
        (_, Some((_, secret))) => Object::Text(secret),
        ("k3s", None) => Object::Program(binaries::k3s()?),
        ("quorate.raw", None) => Object::Program(binaries::quorate()?),
        _ => bail!("there is no {name} among what a user is told to put into the bucket"),
    };
    let Some(wanted) = wanted else { return Ok(object) };
    let found = match &object {
        Object::Text(text) => hex(&Sha256::digest(text)),
        Object::Program(path) => sha256(path)?,
    };
    anyhow::ensure!(found == wanted, "{url} has the hash {found}, and not {wanted}");
    Ok(object)
}

fn sha256(path: &PathBuf) -> anyhow::Result<String> {
    Ok(hex(&Sha256::digest(std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
