//! The files of an instance that asked: certificate and key, the authority, and where etcd serves.

use std::path::{Path, PathBuf};

use quorate_core::ids::{ClusterName, InstanceId};
use quorate_core::time::Timestamp;

use super::answer::Given;
use crate::adapters::host::{HostError, atomic};
use crate::adapters::pki::{Validity, validity_of};
use crate::endpoints;

/// See the module.
#[derive(Debug)]
pub(super) struct Kept {
    dir: PathBuf,
    /// Certificate and key in one file, so that one rename replaces both.
    client: PathBuf,
    ca: PathBuf,
    endpoints: PathBuf,
}

impl Kept {
    pub(super) fn in_dir(dir: &Path) -> Self {
        let file = |name| dir.join(name);
        Self { dir: dir.to_owned(), client: file("client.pem"), ca: file("ca.pem"), endpoints: file(endpoints::FILE) }
    }

    /// How long the certificate that is there is valid; none if there is none, or another instance's, as from a baked image.
    pub(super) fn validity(&self, instance: &InstanceId) -> Option<Validity> {
        let all_there = self.ca.exists() && self.endpoints.exists();
        std::fs::read(&self.client).ok().filter(|_| all_there).and_then(|pem| validity_of(&pem, instance))
    }

    /// Whether the authorities that are there are these.
    pub(super) fn recognises_by(&self, authority: &[u8]) -> bool {
        std::fs::read(&self.ca).is_ok_and(|ca| ca.trim_ascii() == authority.trim_ascii())
    }

    /// Writes what was given for this key. The certificate is last: until then the old one is in use, with what it needs.
    ///
    /// # Errors
    /// Names the operation and the path.
    pub(super) fn write(&self, given: &Given, key: &str, cluster: &ClusterName) -> Result<(), HostError> {
        if !self.dir.exists() {
            atomic::create_private_dir(&self.dir)?;
        }
        let env = endpoints::of_client(cluster, &given.endpoints, &self.ca, &self.client);
        atomic::write_for_all(&self.ca, given.ca.as_bytes())?;
        atomic::write_for_all(&self.endpoints, env.as_bytes())?;
        atomic::write(&self.client, format!("{}{key}", given.certificate).as_bytes())
    }
}

/// Whether a certificate has reached half of its life, or its clock is not this machine's.
pub(super) fn is_due(validity: Validity, wall: Timestamp) -> bool {
    let (now, Validity { not_before_s, not_after_s }) = (wall.0 / 1000, validity);
    now < not_before_s || now.saturating_sub(not_before_s) >= not_after_s.saturating_sub(not_before_s) / 2
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_certificate_is_renewed_at_half_of_its_life() {
        let validity = Validity { not_before_s: 1000, not_after_s: 1100 };
        for (second, due) in [(999, true), (1000, false), (1049, false), (1050, true), (1100, true), (9999, true)] {
            assert_eq!(is_due(validity, Timestamp(second * 1000)), due, "{second}");
        }
    }

    #[test]
    fn the_key_is_the_owners_alone_and_the_files_name_each_other() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("credentials");
        let kept = Kept::in_dir(&dir);
        let given =
            Given { certificate: "CERTIFICATE\n".to_owned(), ca: "CA\n".to_owned(), endpoints: vec!["https://10.0.0.1:2379".to_owned()] };
        kept.write(&given, "KEY\n", &"prod".into()).unwrap();
        assert!(kept.recognises_by(b"CA") && !kept.recognises_by(b"OTHER"), "it notices a rotation");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&kept.client), mode(&kept.ca)), (0o700, 0o600, 0o644));
        assert_eq!(std::fs::read_to_string(&kept.client).unwrap(), "CERTIFICATE\nKEY\n");
        let env = endpoints::parse(&std::fs::read_to_string(&kept.endpoints).unwrap());
        assert!(env.contains(&("ETCDCTL_ENDPOINTS".to_owned(), "https://10.0.0.1:2379".to_owned())), "{env:?}");
        assert!(env.contains(&("ETCDCTL_KEY".to_owned(), kept.client.display().to_string())), "{env:?}");
        assert_eq!(kept.validity(&"i-1".into()), None, "it is no certificate");
    }
}
