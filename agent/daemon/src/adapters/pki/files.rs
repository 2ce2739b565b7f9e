//! A node's certificates on its disk. Each file is replaced as a whole, and what they are is written last.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use quorate_core::authority::AuthorityHash;
use quorate_core::certificates::Certificates;
use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::leaf::{Issued, Subject};
use crate::adapters::host::{HostError, atomic};

/// The files that etcd reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdFiles {
    /// The certificate that it shows peers, with its key.
    pub peer: PathBuf,
    /// The certificate that it shows clients, with its key.
    pub server: PathBuf,
    /// The authority of its peers.
    pub peers_ca: PathBuf,
    /// The authority of its clients.
    pub clients_ca: PathBuf,
}

impl EtcdFiles {
    /// The files in this directory.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        let file = |name| dir.join(name);
        Self { peer: file("peer.pem"), server: file("server.pem"), peers_ca: file("peers-ca.pem"), clients_ca: file("clients-ca.pem") }
    }
}

/// All files of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFiles {
    dir: PathBuf,
    /// etcd's.
    pub etcd: EtcdFiles,
    /// The certificate with which this node asks etcd, with its key.
    pub client: PathBuf,
    /// The authority of etcd's servers and clients.
    pub clients_ca: PathBuf,
    /// The certificate that its agent shows, with its key.
    pub agent: PathBuf,
    /// The authority of agents.
    pub agents_ca: PathBuf,
    /// The root, for clients that check a server.
    pub root: PathBuf,
}

/// What the files are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stock {
    version: u32,
    instance: InstanceId,
    authority: AuthorityHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    also: Option<AuthorityHash>,
    not_before_s: u64,
    not_after_s: u64,
    addresses: Vec<std::net::IpAddr>,
    names: Vec<String>,
}

const VERSION: u32 = 1;

impl OwnFiles {
    /// The files in this directory.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        let own = |name| dir.join("own").join(name);
        Self {
            dir: dir.to_owned(),
            etcd: EtcdFiles::in_dir(&dir.join("etcd")),
            client: own("client.pem"),
            clients_ca: own("clients-ca.pem"),
            agent: own("agent.pem"),
            agents_ca: own("agents-ca.pem"),
            root: own("ca.pem"),
        }
    }

    fn stock(&self) -> PathBuf {
        self.dir.join("own/issued.json")
    }

    /// What is there for this subject, by the wall clock; none if there is nothing, or something for another instance or other addresses, as from a baked image.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, subject: &Subject) -> Result<Option<Certificates>, HostError> {
        let path = self.stock();
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(HostError::io("read", &path))?,
        };
        // What cannot be read as this is made again.
        let Ok(stock) = serde_json::from_slice::<Stock>(&bytes) else { return Ok(None) };
        let whose = (&stock.instance, &stock.addresses, &stock.names) == (&subject.instance, &subject.addresses, &subject.names);
        let all_there = self.all().iter().all(|file| file.exists());
        Ok((stock.version == VERSION && whose && all_there).then_some(Certificates {
            authority: stock.authority,
            also: stock.also,
            next: None,
            not_before: Timestamp(stock.not_before_s.saturating_mul(1000)),
            not_after: Timestamp(stock.not_after_s.saturating_mul(1000)),
        }))
    }

    fn all(&self) -> [&Path; 9] {
        let (etcd, own) = (&self.etcd, self);
        [&etcd.peer, &etcd.server, &etcd.peers_ca, &etcd.clients_ca, &own.client, &own.clients_ca, &own.agent, &own.agents_ca, &own.root]
    }

    /// Writes what was issued for this subject.
    ///
    /// # Errors
    /// Names the operation and the path. What was there before is then there, or a part of what is new; [`OwnFiles::read`] does not mistake it for all of it
    /// unless it is of the same authority, and then each file is good by itself.
    pub fn write(&self, issued: &Issued, subject: &Subject) -> Result<(), HostError> {
        let (etcd, own) = (&self.etcd, self);
        atomic::create_private_dir(atomic::parent(&own.client))?;
        let mode = mode_of_etcds(atomic::parent(&etcd.peer))?;
        for (path, text) in [
            (&etcd.peers_ca, &issued.peers_ca),
            (&etcd.clients_ca, &issued.clients_ca),
            (&etcd.peer, &issued.peer),
            (&etcd.server, &issued.server),
        ] {
            atomic::write_with(path, text.as_bytes(), mode)?;
        }
        for (path, text) in [
            (&own.root, &issued.root),
            (&own.clients_ca, &issued.clients_ca),
            (&own.agents_ca, &issued.agents_ca),
            (&own.client, &issued.client),
            (&own.agent, &issued.agent),
        ] {
            atomic::write(path, text.as_bytes())?;
        }
        let stock = Stock {
            version: VERSION,
            instance: subject.instance.clone(),
            authority: issued.certificates.authority,
            also: issued.certificates.also,
            not_before_s: issued.validity.not_before_s,
            not_after_s: issued.validity.not_after_s,
            addresses: subject.addresses.clone(),
            names: subject.names.clone(),
        };
        atomic::write(&self.stock(), &serde_json::to_vec(&stock).unwrap_or_default())
    }
}

/// The mode of etcd's files. Where etcd has a user of its own, its unit gives the directory to that user's group before each start (`quorate-etcd.service`), and new
/// files inherit the group; it may read them then, and nobody else. Otherwise etcd runs as the agent's own user, and the directory stays private.
fn mode_of_etcds(dir: &Path) -> Result<u32, HostError> {
    if !dir.exists() {
        atomic::create_private_dir(dir)?;
    }
    let mode = fs::metadata(dir).map_err(HostError::io("examine", dir))?.permissions().mode();
    Ok(if mode & 0o2050 == 0o2050 { 0o640 } else { 0o600 })
}
