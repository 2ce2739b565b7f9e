//! The key that this instance's agent signs its answers with. It lies beside the memory file, where no other user of the machine can read it, and so survives a
//! restart: a process that takes the agent's port meanwhile has another key, or none.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use quorate_core::agent_key::{AgentKey, hex};
use quorate_core::ids::InstanceId;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::adapters::host::{HostError, atomic};

/// The file's name in the state directory.
const FILE: &str = "agent-key.json";

/// What is signed begins with this, so a signature is valid for nothing else.
const PURPOSE: &[u8] = b"quorate peer answer 1\0";

/// A question's nonce has 32 hexadecimal digits; a longer one is not signed.
const NONCE: usize = 32;

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It could not be made.
    #[error("cannot make a key for signing answers to peers")]
    Make(#[source] Unspecified),
    /// It could not be stored.
    #[error("cannot store the key for signing answers to peers")]
    Store(#[from] HostError),
    /// The key just made is not valid.
    #[error("the key that was made is not valid")]
    Rejected(#[source] KeyRejected),
}

/// The file's content. Another instance's key, from a baked image, is not used.
#[derive(Serialize, Deserialize)]
struct PersistentState {
    version: u32,
    instance: InstanceId,
    pkcs8: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key in `state_dir`; a new one if there is no usable one.
    ///
    /// # Errors
    /// A new one could not be made or stored.
    pub fn in_dir(state_dir: &Path, me: &InstanceId) -> Result<Self, KeyError> {
        let path = state_dir.join(FILE);
        match read(&path, me) {
            Ok(Some(kept)) => return Ok(Self(kept)),
            Ok(None) => {}
            Err(why) => warn!(
                "{} holds no key that can be used ({why}), and a new one is made: the word of this agent counts for less with those who knew it by the other",
                path.display()
            ),
        }
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(KeyError::Make)?;
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(KeyError::Rejected)?;
        store(&path, &PersistentState { version: 1, instance: me.clone(), pkcs8: made.as_ref().to_vec() })?;
        Ok(Self(pair))
    }

    /// The public key, as headers have it, and the signature over this body, in answer to a question with this nonce. None if the nonce is not valid.
    pub(super) fn sign(&self, nonce: &str, body: &[u8]) -> Option<(String, String)> {
        let is_nonce = nonce.len() == NONCE && nonce.bytes().all(|digit| digit.is_ascii_hexdigit());
        let key = AgentKey::new(self.0.public_key().as_ref().try_into().ok()?);
        let signature = is_nonce.then(|| self.0.sign(&signed(nonce, body)))?;
        Some((key.to_string(), signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

fn read(path: &PathBuf, me: &InstanceId) -> Result<Option<Ed25519KeyPair>, String> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| error.to_string())?,
    };
    let kept: PersistentState = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if kept.instance != *me {
        return Ok(None);
    }
    Ed25519KeyPair::from_pkcs8(&kept.pkcs8).map(Some).map_err(|error| error.to_string())
}

fn store(path: &Path, kept: &PersistentState) -> Result<(), HostError> {
    const REMEDY: &str = "";
    atomic::create_private_dir(atomic::parent(path))?;
    let bytes = serde_json::to_vec(kept).map_err(|source| HostError::Json { path: path.to_owned(), remedy: REMEDY, source })?;
    atomic::write(path, &bytes)
}

/// An unpredictable nonce.
pub(super) fn nonce() -> Result<String, Unspecified> {
    let mut bytes = [0; NONCE / 2];
    rand::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The key of these headers, if it signed this body in answer to this nonce.
pub(super) fn verified(key: &str, signature: &str, nonce: &str, body: &[u8]) -> Option<AgentKey> {
    let key: AgentKey = key.parse().ok()?;
    let signature: [u8; 64] = hex(signature)?;
    UnparsedPublicKey::new(&ED25519, key.as_bytes()).verify(&signed(nonce, body), &signature).ok().map(|()| key)
}

fn signed(nonce: &str, body: &[u8]) -> Vec<u8> {
    [PURPOSE, nonce.as_bytes(), b"\0", body].concat()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_outlives_its_agent_and_is_no_other_instances() {
        let dir = tempfile::tempdir().unwrap();
        let key = |me: &'static str| SigningKey::in_dir(dir.path(), &me.into()).unwrap().0.public_key().as_ref().to_vec();
        let first = key("i-0a1");
        assert_eq!(key("i-0a1"), first);
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        let of_image = key("i-0b2");
        assert_ne!(of_image, first, "the key of a baked image is not used");
        fs::write(dir.path().join(FILE), "{}").unwrap();
        assert_ne!(key("i-0b2"), of_image, "an unreadable key is replaced");
    }

    #[test]
    fn a_signature_is_good_for_one_question_and_one_answer() {
        let dir = tempfile::tempdir().unwrap();
        let signer = SigningKey::in_dir(dir.path(), &"i-0a1".into()).unwrap();
        let asked = nonce().unwrap();
        let (key, signature) = signer.sign(&asked, b"body").unwrap();
        assert_eq!(verified(&key, &signature, &asked, b"body").unwrap().to_string(), key);
        assert_eq!(verified(&key, &signature, &asked, b"another body"), None);
        assert_eq!(verified(&key, &signature, &nonce().unwrap(), b"body"), None, "an answer to another question does not count");
        assert_eq!(verified(&"00".repeat(32), &signature, &asked, b"body"), None);
        assert_eq!(verified(&key, "zz", &asked, b"body"), None);
        assert_eq!((signer.sign("", b"body"), signer.sign(&"0".repeat(33), b"body")), (None, None));
    }
}
