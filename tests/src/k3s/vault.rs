//! The bootstrap data inside etcd: the certificate authorities, encrypted with the server token (k3s `pkg/cluster/storage.go`, `encrypt.go`). So a snapshot
//! of etcd and the token are all that is needed to bring a cluster back.

use std::num::NonZeroU32;

use anyhow::{Context, bail, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcd_client::{Client, Compare, CompareOp, GetOptions, Txn, TxnOp};
use sha2::{Digest, Sha256};

use super::bootstrap::Bootstrap;
use super::disk::{self, hex};
use super::token::Token;

const FOLDER: &str = "/bootstrap/";
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);

/// Stores the data, unless it is stored already.
pub(super) async fn keep(client: &mut Client, token: &Token, bootstrap: &Bootstrap) -> anyhow::Result<()> {
    let there = client.get(FOLDER, Some(GetOptions::new().with_prefix().with_count_only())).await?;
    if there.count() > 0 {
        return Ok(());
    }
    let key = key(token);
    let absent = Compare::create_revision(key.as_str(), CompareOp::Equal, 0);
    let put = TxnOp::put(key.as_str(), seal(token, &serde_json::to_vec(bootstrap)?)?, None);
    client.txn(Txn::new().when([absent]).and_then([put])).await.map(drop).context("cannot keep the bootstrap data")
}

/// What etcd holds.
///
/// # Errors
/// It was stored under another token, in k3s' words.
pub(super) async fn read(client: &mut Client, token: &Token) -> anyhow::Result<Option<Bootstrap>> {
    let found = client.get(FOLDER, Some(GetOptions::new().with_prefix())).await?;
    if found.kvs().is_empty() {
        return Ok(None);
    }
    let key = key(token);
    let Some(kv) = found.kvs().iter().find(|kv| kv.key() == key.as_bytes()) else {
        bail!("bootstrap data already found and encrypted with different token");
    };
    Ok(Some(serde_json::from_slice(&open(token, kv.value_str()?)?).context("the bootstrap data is not understood")?))
}

fn key(token: &Token) -> String {
    let hash = hex(&Sha256::digest(token.password.as_bytes()));
    format!("{FOLDER}{}", &hash[..12])
}

fn cipher(token: &Token, salt: &str) -> anyhow::Result<LessSafeKey> {
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA1, ROUNDS, salt.as_bytes(), token.password.as_bytes(), &mut key);
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok().context("no key can be made of the token")?))
}

/// `salt:base64(nonce, ciphertext)`.
fn seal(token: &Token, plain: &[u8]) -> anyhow::Result<String> {
    let (salt, mut nonce, mut data) = (disk::random_hex(8)?, [0; NONCE_LEN], plain.to_vec());
    getrandom::fill(&mut nonce).context("there is no randomness")?;
    let sealed = cipher(token, &salt)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut data);
    sealed.ok().context("cannot encrypt the bootstrap data")?;
    Ok(format!("{salt}:{}", STANDARD.encode([nonce.as_slice(), &data].concat())))
}

fn open(token: &Token, sealed: &str) -> anyhow::Result<Vec<u8>> {
    let (salt, data) = sealed.split_once(':').context("invalid cipher text, not : delimited")?;
    let mut data = STANDARD.decode(data)?;
    ensure!(data.len() > NONCE_LEN, "invalid cipher text");
    let mut cipher_text = data.split_off(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(&data).ok().context("invalid nonce")?;
    let plain = cipher(token, salt)?.open_in_place(nonce, Aad::empty(), &mut cipher_text);
    Ok(plain.ok().context("cipher: message authentication failed")?.to_vec())
}
