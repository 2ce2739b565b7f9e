//! The authority, as it is kept in the store.

use std::fmt;
use std::time::Duration;

use quorate_core::authority::AuthorityHash;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Me;
use quorate_core::time::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PkiError;
use super::error::making;
use super::leaf::{Validity, serial};

/// The life of an authority. It ends by a rotation, long before.
const LIFE: Duration = Duration::from_secs(3650 * 24 * 3600);

/// The object in the store: the authority with its keys. Nothing shows it, and it is written nowhere else.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityDocument {
    version: u32,
    account: String,
    region: String,
    cluster: String,
    made_by: InstanceId,
    /// PEM.
    root: String,
    peers: Pair,
    clients: Pair,
    agents: Pair,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    certificate: String,
    key: String,
}

impl fmt::Debug for AuthorityDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the authority of {} made by {}", self.cluster, self.made_by)
    }
}

/// One of the three that sign.
pub(super) struct Signer {
    /// PEM.
    pub(super) certificate: String,
    pub(super) issuer: Issuer<'static, KeyPair>,
}

/// An authority that can issue.
pub struct Authority {
    /// SHA-256 of the root's certificate.
    pub(super) hash: AuthorityHash,
    /// PEM.
    pub(super) root: String,
    pub(super) peers: Signer,
    pub(super) clients: Signer,
    pub(super) agents: Signer,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "authority {}", self.hash)
    }
}

impl AuthorityDocument {
    const VERSION: u32 = 1;

    /// A new authority of `me`'s cluster. `wall` is the wall clock's time.
    ///
    /// # Errors
    /// Keys cannot be made, or the clock is beyond any date.
    pub fn make(me: &Me, wall: Timestamp) -> Result<Self, PkiError> {
        let root = key()?;
        let root = CertifiedIssuer::self_signed(params(me, "root", 1, wall)?, root).map_err(making("the root's certificate"))?;
        let pair = |of| -> Result<Pair, PkiError> {
            let key = key()?;
            let certificate = params(me, of, 0, wall)?.signed_by(&key, &root).map_err(making("an authority's certificate"))?;
            Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
        };
        Ok(Self {
            version: Self::VERSION,
            account: me.account.to_string(),
            region: me.region.to_string(),
            cluster: me.cluster.to_string(),
            made_by: me.instance.clone(),
            root: root.pem(),
            peers: pair("peers")?,
            clients: pair("clients")?,
            agents: pair("agents")?,
        })
    }

    /// The authority, able to issue for the cluster of `me`.
    ///
    /// # Errors
    /// It is another cluster's, of an unknown format, or damaged.
    pub fn open(&self, me: &Me) -> Result<Authority, PkiError> {
        let unusable = |why: String| PkiError::Unusable { why };
        if self.version != Self::VERSION {
            return Err(unusable(format!("it has format {}, and this version knows {}", self.version, Self::VERSION)));
        }
        let (cluster, account, region) = (self.cluster.clone(), self.account.clone(), self.region.clone());
        if (&*cluster, &*account, &*region) != (me.cluster.as_str(), &*me.account.to_string(), &*me.region.to_string()) {
            return Err(PkiError::OfAnotherCluster { cluster, account, region });
        }
        let root = pem(&self.root).map_err(&unusable)?;
        Ok(Authority {
            hash: hash(&root),
            root: self.root.clone(),
            peers: self.peers.open().map_err(&unusable)?,
            clients: self.clients.open().map_err(&unusable)?,
            agents: self.agents.open().map_err(&unusable)?,
        })
    }
}

impl Authority {
    /// SHA-256 of the root's certificate, by which the charter names it.
    #[must_use]
    pub fn hash(&self) -> AuthorityHash {
        self.hash
    }
}

impl Pair {
    fn open(&self) -> Result<Signer, String> {
        let key = KeyPair::from_pem(&self.key).map_err(|_| "a key in it is damaged".to_owned())?;
        let issuer =
            Issuer::from_ca_cert_pem(&self.certificate, key).map_err(|error| format!("a certificate in it is damaged: {error}"))?;
        Ok(Signer { certificate: self.certificate.clone(), issuer })
    }
}

/// A key on the curve P-256.
pub(super) fn key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(making("a key"))
}

fn params(me: &Me, of: &str, below: u8, wall: Timestamp) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("quorate {} {of}", me.cluster));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.serial_number = Some(serial()?);
    let validity = Validity::from(wall, LIFE)?;
    (params.not_before, params.not_after) = (validity.not_before()?, validity.not_after()?);
    Ok(params)
}

fn pem(text: &str) -> Result<Vec<u8>, String> {
    x509_parser::pem::parse_x509_pem(text.as_bytes()).map(|(_, pem)| pem.contents).map_err(|error| format!("its root is damaged: {error}"))
}

/// SHA-256 of a certificate.
fn hash(der: &[u8]) -> AuthorityHash {
    AuthorityHash::new(Sha256::digest(der).into())
}
