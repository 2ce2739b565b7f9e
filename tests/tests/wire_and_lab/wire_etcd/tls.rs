//! etcd as a distribution runs it: in TLS, with client certificates, and with names that are not quite the instances'.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use quorate::adapters::etcd::{CredentialFiles, Etcd, EtcdError};
use quorate::clock::Clock;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Lock;
use quorate_core::plan::{LockPurpose, Outcome};
use quorate_core::role::Role;
use quorate_core::transport::Transport;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use tokio::process::{Child, Command};

use crate::wire_etcd::node::{etcd_binary, eventually};

/// An authority, and what it signs.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// Certificate and key. etcd's own gateway asks its server with the server's certificate, which so must be a client's too.
    fn issue(&self, address: IpAddr) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::IpAddress(address));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// As a distribution replaces its files.
fn put(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join("new"), text).unwrap();
    fs::rename(directory.join("new"), directory.join(name)).unwrap();
}

fn credentials(directory: &Path, authority: &Authority, address: IpAddr) -> CredentialFiles {
    let (certificate, key) = authority.issue(address);
    for (name, text) in [("server-ca.crt", &authority.pem), ("client.crt", &certificate), ("client.key", &key)] {
        put(directory, name, text);
    }
    files(directory)
}

fn files(directory: &Path) -> CredentialFiles {
    let file = |name| directory.join(name);
    CredentialFiles { ca: file("server-ca.crt"), certificate: file("client.crt"), key: file("client.key") }
}

/// A single member with that name, which accepts no client without a certificate of this authority.
fn member(etcd: &Path, directory: &Path, authority: &Authority, address: IpAddr, name: &str) -> Child {
    let (certificate, key) = authority.issue(address);
    for (file, text) in [("ca", &authority.pem), ("crt", &certificate), ("key", &key)] {
        fs::write(directory.join(file), text).unwrap();
    }
    let (peer, client) = (Role::ControlPlane.peer_url(address, Transport::Tls), Role::ControlPlane.client_url(address, Transport::Tls));
    let path = |file: &str| directory.join(file).display().to_string();
    Command::new(etcd)
        .args(["--client-cert-auth", "--peer-client-cert-auth", "--log-level=warn", &format!("--name={name}")])
        .args(["", "peer-"].iter().flat_map(|kind| {
            let [ca, crt, key] = ["ca", "crt", "key"].map(path);
            [format!("--{kind}trusted-ca-file={ca}"), format!("--{kind}cert-file={crt}"), format!("--{kind}key-file={key}")]
        }))
        .args([format!("--data-dir={}", path("data")), format!("--initial-cluster={name}={peer}")])
        .args([format!("--listen-peer-urls={peer}"), format!("--initial-advertise-peer-urls={peer}")])
        .args([format!("--listen-client-urls={client}"), format!("--advertise-client-urls={client}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_distributions_etcd_is_spoken_to_with_its_own_certificates_as_they_change() {
    let Some(etcd) = etcd_binary("a_distributions_etcd_is_spoken_to_with_its_own_certificates_as_they_change") else { return };
    let (data, shown) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (address, authority) = (IpAddr::from([127, 7, 60, 1]), Authority::new("etcd-server"));
    let (url, me) = (Role::ControlPlane.client_url(address, Transport::Tls).to_string(), InstanceId::new("i-0a1"));
    let agent = Etcd::of_distribution(files(shown.path()), Duration::from_secs(5), Clock::start());

    let error = agent.status(&url).await.unwrap_err();
    assert!(matches!(&error, EtcdError::Credentials { path, .. } if path.ends_with("server-ca.crt")), "{error}");
    assert!(matches!(agent.acquire(&url, &me, LockPurpose::Join, Duration::from_secs(20)).await, Outcome::Refused(_)));

    let _member = member(&etcd, data.path(), &authority, address, "i-0a1-1a2b3c4d");
    credentials(shown.path(), &authority, address);
    let word = eventually("a quorum's word", async || agent.membership(&url, &me).await.ok()).await;
    let names: Vec<_> = word.membership.members.iter().filter_map(|member| member.name.clone()).collect();
    assert_eq!((names, &word.lock), (vec![me.clone()], &Lock::Free));

    assert_eq!(agent.acquire(&url, &me, LockPurpose::Join, Duration::from_secs(20)).await, Outcome::Done);
    let peer = Role::ControlPlane.peer_url([127, 7, 60, 2].into(), Transport::Tls);
    let added =
        eventually("a learner", async || Some(agent.add_learner(&url, &peer.to_string()).await).filter(|o| *o == Outcome::Done)).await;
    assert_eq!(added, Outcome::Done);
    let list = agent.local_list(&url).await.unwrap();
    let learner = list.iter().find(|member| member.learner).unwrap();
    assert_eq!(learner.peer_url, peer);
    assert_eq!(agent.remove(&url, learner.id).await, Outcome::Done);
    assert_eq!(agent.release(&url, &me).await, Outcome::Done);

    // A certificate of another cluster, and then of this one again.
    credentials(shown.path(), &Authority::new("etcd-server"), address);
    assert!(matches!(agent.status(&url).await.unwrap_err(), EtcdError::Transport { .. } | EtcdError::Timeout { .. }));
    credentials(shown.path(), &authority, address);
    agent.status(&url).await.unwrap();
    // As when its data is put aside: an agent that has the files keeps them, and one that does not says so.
    fs::remove_file(shown.path().join("client.key")).unwrap();
    agent.status(&url).await.unwrap();
    let next = Etcd::of_distribution(files(shown.path()), Duration::from_secs(5), Clock::start());
    assert!(matches!(next.status(&url).await.unwrap_err(), EtcdError::Credentials { .. }));
}
