//! What a node issues to itself.

use std::net::IpAddr;
use std::time::Duration;

use quorate_core::certificates::Certificates;
use quorate_core::ids::{ClusterName, InstanceId};
use quorate_core::time::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType, SerialNumber};
use time::OffsetDateTime;

use super::PkiError;
use super::authority::{Authority, Signer, key};
use super::error::making;

/// Certificates begin earlier than they are made, by this and at most by a tenth of their life: other machines' clocks may be behind.
const EARLIER: Duration = Duration::from_secs(3600);

/// From when until when a certificate is valid, by the wall clock, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Seconds since 1970.
    pub not_before_s: u64,
    /// Seconds since 1970.
    pub not_after_s: u64,
}

impl Validity {
    /// For a certificate with this life that is made now.
    ///
    /// # Errors
    /// The clock is beyond any date.
    pub fn from(wall: Timestamp, life: Duration) -> Result<Self, PkiError> {
        let now = wall.0 / 1000;
        let validity = Self {
            not_before_s: now.saturating_sub(EARLIER.min(life / 10).as_secs()),
            not_after_s: now.checked_add(life.as_secs()).ok_or(PkiError::Clock)?,
        };
        validity.not_after().map(|_| validity)
    }

    pub(super) fn not_before(self) -> Result<OffsetDateTime, PkiError> {
        date(self.not_before_s)
    }

    pub(super) fn not_after(self) -> Result<OffsetDateTime, PkiError> {
        date(self.not_after_s)
    }
}

fn date(seconds: u64) -> Result<OffsetDateTime, PkiError> {
    i64::try_from(seconds).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok()).ok_or(PkiError::Clock)
}

/// Whose certificates they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The instance, which is the common name.
    pub instance: InstanceId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// The addresses at which it is reached, and from which it connects: etcd compares a peer's address with its certificate.
    pub addresses: Vec<IpAddr>,
    /// The host names at which it is reached.
    pub names: Vec<String>,
}

/// A node's certificates, each with its key and its authority's certificate, in PEM; and the authorities that it trusts.
pub struct Issued {
    pub(super) peer: String,
    pub(super) server: String,
    pub(super) client: String,
    pub(super) agent: String,
    pub(super) peers_ca: String,
    pub(super) clients_ca: String,
    pub(super) agents_ca: String,
    pub(super) root: String,
    pub(super) validity: Validity,
    /// Where they come from, and until when they are valid by the wall clock.
    pub certificates: Certificates,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.certificates)
    }
}

/// What a certificate is for.
const SERVES: &[ExtendedKeyUsagePurpose] = &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
pub(super) const ASKS: &[ExtendedKeyUsagePurpose] = &[ExtendedKeyUsagePurpose::ClientAuth];

impl Authority {
    /// Issues everything that a member's node needs, each with a new key. The node also trusts `also`, during a rotation.
    ///
    /// # Errors
    /// Keys cannot be made, a name is none, or the clock is beyond any date.
    pub fn issue(&self, also: Option<&Self>, subject: &Subject, wall: Timestamp, life: Duration) -> Result<Issued, PkiError> {
        let validity = Validity::from(wall, life)?;
        let leaf = |signer, uses| leaf(signer, uses, subject, validity);
        let trusted = |of: fn(&Self) -> &str| format!("{}{}", of(self), also.map_or("", of));
        Ok(Issued {
            peer: leaf(&self.peers, SERVES)?,
            server: leaf(&self.clients, SERVES)?,
            client: leaf(&self.clients, ASKS)?,
            agent: leaf(&self.agents, SERVES)?,
            peers_ca: trusted(|a| &a.peers.certificate),
            clients_ca: trusted(|a| &a.clients.certificate),
            agents_ca: trusted(|a| &a.agents.certificate),
            root: trusted(|a| &a.root),
            validity,
            certificates: Certificates {
                authority: self.hash,
                also: also.map(|also| also.hash),
                next: None,
                not_before: Timestamp(validity.not_before_s * 1000),
                not_after: Timestamp(validity.not_after_s * 1000),
            },
        })
    }
}

/// The certificate, its authority's and its key in one text, so that one rename replaces all of them.
fn leaf(signer: &Signer, uses: &[ExtendedKeyUsagePurpose], subject: &Subject, validity: Validity) -> Result<String, PkiError> {
    let key = key()?;
    let certificate = params(uses, subject, validity)?.signed_by(&key, &signer.issuer).map_err(making("a certificate"))?;
    Ok(format!("{}{}{}", certificate.pem(), signer.certificate, key.serialize_pem()))
}

/// A certificate before it is signed.
pub(super) fn params(uses: &[ExtendedKeyUsagePurpose], subject: &Subject, validity: Validity) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject.instance.as_str());
    params.subject_alt_names = alternatives(subject)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = uses.to_vec();
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial()?);
    (params.not_before, params.not_after) = (validity.not_before()?, validity.not_after()?);
    Ok(params)
}

/// The names in a certificate. The URI has no host, so that whatever a cluster is called, it is a URI.
fn alternatives(subject: &Subject) -> Result<Vec<SanType>, PkiError> {
    let text = |text: String| text.try_into().map_err(making("a certificate for this name"));
    let mut all: Vec<SanType> = subject.addresses.iter().map(|address| SanType::IpAddress(*address)).collect();
    for name in &subject.names {
        all.push(SanType::DnsName(text(name.clone())?));
    }
    all.push(SanType::URI(text(format!("quorate:cluster/{}/instance/{}", subject.cluster, subject.instance))?));
    Ok(all)
}

/// A serial number that nobody else draws: RFC 5280 allows 20 bytes, of which the first bit is 0.
pub(super) fn serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| PkiError::Make { what: "a serial number", source: rcgen::Error::RingUnspecified })?;
    bytes[0] &= 0x7f;
    Ok(SerialNumber::from_slice(&bytes))
}
