//! Certificate authorities, and what they sign. The authorities' names are constants, so another server can sign with the key alone.

use std::net::IpAddr;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use serde::{Deserialize, Serialize};

/// An authority, in PEM.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Authority {
    pub(super) name: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn generate(name: &str) -> anyhow::Result<Self> {
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params_of_authority(name).self_signed(&key).context("cannot make a certificate authority")?;
        Ok(Self { name: name.to_owned(), certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A certificate for server and client use: etcd's gateway dials itself with its server certificate.
    pub(super) fn issue(&self, common_name: &str, addresses: &[IpAddr], names: &[String]) -> anyhow::Result<Pair> {
        let issuer = Issuer::new(params_of_authority(&self.name), KeyPair::from_pem(&self.key).context("the authority's key is broken")?);
        let mut params = CertificateParams::new(names.to_vec()).context("a name that no certificate can have")?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context("cannot make a key")?;
        let certificate = params.signed_by(&key, &issuer).context("cannot sign a certificate")?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn params_of_authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}
