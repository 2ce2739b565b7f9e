//! A client's certificate for a key that stays with somebody else.

use std::time::Duration;

use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;
use rcgen::{CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::PkiError;
use super::authority::{Authority, key};
use super::error::making;
use super::leaf::{ASKS, Subject, Validity, params};

/// No client's certificate that is handed out lasts longer: it is revoked by its end.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A certificate signing request whose signature shows that the asker has the key.
#[derive(Debug)]
pub struct ClientRequest(CertificateSigningRequestParams);

impl ClientRequest {
    /// Reads PEM.
    ///
    /// # Errors
    /// It is none, or its signature does not hold.
    pub fn parse(pem: &str) -> Result<Self, PkiError> {
        CertificateSigningRequestParams::from_pem(pem).map(Self).map_err(|source| PkiError::Request { source })
    }
}

impl Authority {
    /// A client's certificate with its authority's, in PEM. Only the key is taken from the request.
    ///
    /// # Errors
    /// It cannot be made, or the clock is beyond any date.
    pub fn issue_client(&self, request: &ClientRequest, subject: &Subject, wall: Timestamp, life: Duration) -> Result<String, PkiError> {
        let params = params(ASKS, subject, Validity::from(wall, life.min(LONGEST))?)?;
        let made = params.signed_by(&request.0.public_key, &self.clients.issuer).map_err(making("a certificate"))?;
        Ok(made.pem() + &self.clients.certificate)
    }

    /// The root's certificate, in PEM.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }
}

/// A new key of this instance, and a request for a certificate of it; both in PEM.
///
/// # Errors
/// It cannot be made.
pub fn own_request(instance: &InstanceId) -> Result<(String, String), PkiError> {
    let key = key()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, instance.as_str());
    let request = params.serialize_request(&key).and_then(|request| request.pem()).map_err(making("a certificate signing request"))?;
    Ok((key.serialize_pem(), request))
}

/// From when until when the first certificate in this PEM is valid, if it names the instance.
#[must_use]
pub fn validity_of(pem: &[u8], instance: &InstanceId) -> Option<Validity> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    let seconds = |at: i64| u64::try_from(at).ok();
    let (not_before_s, not_after_s) =
        (seconds(certificate.validity.not_before.timestamp())?, seconds(certificate.validity.not_after.timestamp())?);
    super::names(&pem.contents, instance).then_some(Validity { not_before_s, not_after_s })
}

#[cfg(test)]
mod tests {
    use quorate_core::observation::Me;
    use quorate_core::role::Role;

    use super::super::AuthorityDocument;
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn me() -> Me {
        Me {
            instance: "i-1".into(),
            address: "10.0.0.1".parse().unwrap(),
            group: "g".into(),
            account: "1".into(),
            region: "eu-central-1".into(),
            cluster: "prod".into(),
            role: Role::Etcd,
            launched: Timestamp(0),
        }
    }

    fn web() -> Subject {
        Subject { instance: "i-web".into(), cluster: "prod".into(), addresses: vec!["10.0.0.9".parse().unwrap()], names: Vec::new() }
    }

    #[test]
    fn a_client_gets_a_week_for_its_key_whatever_else_it_asked_for() {
        let authority = AuthorityDocument::make(&me(), NOW).unwrap().open(&me()).unwrap();
        // Another's name, an authority of its own, and a server's use.
        let key = key().unwrap();
        let mut greedy = CertificateParams::new(vec!["10.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        greedy.distinguished_name = DistinguishedName::new();
        greedy.distinguished_name.push(DnType::CommonName, "root");
        greedy.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        greedy.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let request = ClientRequest::parse(&greedy.serialize_request(&key).unwrap().pem().unwrap()).unwrap();
        let issued = authority.issue_client(&request, &web(), NOW, Duration::from_secs(365 * 24 * 3600)).unwrap();
        let validity = validity_of(issued.as_bytes(), &"i-web".into()).unwrap();
        assert_eq!(validity.not_after_s, NOW.0 / 1000 + 7 * 24 * 3600);
        assert_eq!(validity_of(issued.as_bytes(), &"i-1".into()), None, "it is another's");
        let (_, pem) = x509_parser::pem::parse_x509_pem(issued.as_bytes()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&pem.contents).unwrap();
        let uses = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(uses.client_auth && !uses.server_auth && !certificate.is_ca());
        let names = format!("{:?}", certificate.subject_alternative_name().unwrap().unwrap().value.general_names);
        assert!(names.contains("quorate:cluster/prod/instance/i-web") && !names.contains("localhost"), "{names}");
        assert_eq!(certificate.public_key().subject_public_key.data, rcgen::PublicKeyData::der_bytes(&key));
    }

    #[test]
    fn a_request_for_a_key_that_the_asker_does_not_have_is_refused() {
        let (_, request) = own_request(&"i-web".into()).unwrap();
        assert!(ClientRequest::parse(&request).is_ok());
        let (_, pem) = x509_parser::pem::parse_x509_pem(request.as_bytes()).unwrap();
        let mut der = pem.contents;
        *der.last_mut().unwrap() ^= 1;
        let forged = rcgen::CertificateSigningRequestParams::from_der(&der.into());
        assert!(forged.is_err());
        assert!(ClientRequest::parse("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n").is_err());
    }
}
