//! What the servers of a cluster share: the certificate authorities. A server hands them over to those that join, and keeps them in etcd: `vault`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::disk::{self, Disk};
use super::tls::{Authority, Pair};

/// The authorities of a cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Bootstrap {
    /// Signs what 6443 shows.
    pub(super) server: Authority,
    etcd_server: Authority,
    etcd_peer: Authority,
}

/// In all of them, as in those that k3s makes.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Where an authority lies below `server/tls`, without the ending, and its name.
const SERVER: (&str, &str) = ("server-ca", "k3s-server-ca");
const ETCD_SERVER: (&str, &str) = ("etcd/server-ca", "etcd-server");
const ETCD_PEER: (&str, &str) = ("etcd/peer-ca", "etcd-peer");

impl Bootstrap {
    /// For a new cluster: what is on the disk, otherwise new ones.
    pub(super) fn of_new_cluster(disk: &Disk) -> anyhow::Result<Self> {
        if let Some(there) = Self::read(disk)? {
            return Ok(there);
        }
        let (server, etcd_server, etcd_peer) = (generate(SERVER)?, generate(ETCD_SERVER)?, generate(ETCD_PEER)?);
        Ok(Self { server, etcd_server, etcd_peer })
    }

    /// What is on the disk.
    pub(super) fn read(disk: &Disk) -> anyhow::Result<Option<Self>> {
        let (server, etcd_server, etcd_peer) = (read(disk, SERVER)?, read(disk, ETCD_SERVER)?, read(disk, ETCD_PEER)?);
        let (Some(server), Some(etcd_server), Some(etcd_peer)) = (server, etcd_server, etcd_peer) else { return Ok(None) };
        Ok(Some(Self { server, etcd_server, etcd_peer }))
    }

    /// Writes the authorities, and the certificates of this server.
    pub(super) fn install(&self, disk: &Disk, config: &Config) -> anyhow::Result<()> {
        for (authority, (place, _)) in [(&self.server, SERVER), (&self.etcd_server, ETCD_SERVER), (&self.etcd_peer, ETCD_PEER)] {
            disk::write(&disk.tls(&format!("{place}.crt")), &authority.certificate, 0o644)?;
            disk::write(&disk.tls(&format!("{place}.key")), &authority.key, 0o600)?;
        }
        let addresses = [config.node_ip, config.bind, LOOPBACK[0], LOOPBACK[1]];
        let names = ["localhost".to_owned(), config.node_name.clone()];
        keep(disk, "etcd/server-client", &self.etcd_server.issue("etcd-server", &addresses, &names)?)?;
        keep(disk, "etcd/client", &self.etcd_server.issue("etcd-client", &[], &[])?)?;
        keep(disk, "etcd/peer-server-client", &self.etcd_peer.issue("etcd-peer", &addresses, &names)?)
    }

    /// What 6443 shows.
    pub(super) fn serving(&self, config: &Config) -> anyhow::Result<Pair> {
        let names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"];
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).chain([config.node_name.clone()]).collect();
        let mut addresses = vec![config.node_ip, config.advertise, config.bind, LOOPBACK[0], LOOPBACK[1]];
        for san in &config.tls_san {
            match san.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => names.push(san.clone()),
            }
        }
        self.server.issue("k3s", &addresses, &names)
    }
}

fn generate((_, name): (&str, &str)) -> anyhow::Result<Authority> {
    Authority::generate(name)
}

fn read(disk: &Disk, (place, name): (&str, &str)) -> anyhow::Result<Option<Authority>> {
    let certificate = disk::read(&disk.tls(&format!("{place}.crt")))?;
    let key = disk::read(&disk.tls(&format!("{place}.key")))?;
    Ok(certificate.zip(key).map(|(certificate, key)| Authority { name: name.to_owned(), certificate, key }))
}

fn keep(disk: &Disk, place: &str, pair: &Pair) -> anyhow::Result<()> {
    let act = || {
        disk::write(&disk.tls(&format!("{place}.crt")), &pair.certificate, 0o600)?;
        disk::write(&disk.tls(&format!("{place}.key")), &pair.key, 0o600)
    };
    act().with_context(|| format!("cannot keep the certificate {place}"))
}
