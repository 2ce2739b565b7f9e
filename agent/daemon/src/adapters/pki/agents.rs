//! The agents' own port: the certificate that this agent shows there, and whom it takes a peer for.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_core::ids::InstanceId;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tracing::debug;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::OwnFiles;
use crate::adapters::stamp::Stamp;
use crate::telemetry::chain;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is made of the files, while they are as they were.
type Made<T> = Mutex<Option<([Stamp; 2], T)>>;

/// See the module. Clones share what was made of the files.
#[derive(Clone, Debug)]
pub struct AgentPort {
    files: OwnFiles,
    server: Arc<Made<Arc<ServerConfig>>>,
    client: Arc<Made<reqwest::Client>>,
}

impl AgentPort {
    /// With the certificates in these files, once they are there.
    #[must_use]
    pub fn new(files: OwnFiles) -> Self {
        Self { files, server: Arc::default(), client: Arc::default() }
    }

    /// With what it answers; none while this node has no certificates. Callers need none: what they are told is no secret, and a joiner has none yet.
    #[must_use]
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        self.made(&self.server, |authority, own| server(authority, own).map(Arc::new))
    }

    /// With what it asks; none while this node has no certificates.
    pub(crate) fn client(&self, builder: impl FnOnce() -> reqwest::ClientBuilder) -> Option<reqwest::Client> {
        self.made(&self.client, |authority, own| {
            let authorities = reqwest::Certificate::from_pem_bundle(authority)?;
            let own = reqwest::Identity::from_pem(own)?;
            Ok(builder().tls_certs_only(authorities).identity(own).tls_info(true).http1_only().build()?)
        })
    }

    fn made<T: Clone>(&self, kept: &Made<T>, make: impl FnOnce(&[u8], &[u8]) -> Result<T, BoxError>) -> Option<T> {
        let (authority, own) = (&self.files.agents_ca, &self.files.agent);
        let stamps = [Stamp::of(authority).ok()?, Stamp::of(own).ok()?];
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = kept.as_ref().filter(|(with, _)| *with == stamps) {
            return Some(made.clone());
        }
        let read = |path: &Path| fs::read(path);
        let made = read(authority).and_then(|authority| Ok((authority, read(own)?))).map_err(BoxError::from);
        match made.and_then(|(authority, own)| make(&authority, &own)) {
            Ok(made) => {
                *kept = Some((stamps, made.clone()));
                Some(made)
            }
            Err(error) => {
                debug!("the certificate for the agents' port cannot be used: {}", chain(&*error));
                None
            }
        }
    }
}

fn server(authority: &[u8], own: &[u8]) -> Result<ServerConfig, BoxError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate?)?;
    }
    let callers = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).allow_unauthenticated().build()?;
    let shown = CertificateDer::pem_slice_iter(own).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(own)?;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_client_cert_verifier(callers).with_single_cert(shown, key)?)
}

/// Whether the certificate, in DER, is this instance's: its common name is the instance's id. That it is of the cluster's authority, and for the address that was
/// asked, was verified before.
pub(crate) fn names(certificate: &[u8], instance: &InstanceId) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let mut names = certificate.subject().iter_common_name();
    let first = names.next().and_then(|name| name.as_str().ok());
    first == Some(instance.as_str()) && names.next().is_none()
}
