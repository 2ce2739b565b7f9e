//! etcd as its members report it themselves: asked directly, one client for each.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, GetOptions, Identity, TlsOptions};
use quorate_core::ids::{EtcdClusterId, MemberId};
use quorate_core::member_url::MemberUrl;

use super::url::{http, https};

/// A member of this computer answers within milliseconds or not at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// One member's list of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The cluster.
    pub cluster: EtcdClusterId,
    /// The member that answered.
    pub member: MemberId,
    /// The leader, as this member knows it.
    pub leader: Option<MemberId>,
    /// All members, in the order of their ids.
    pub members: Vec<Member>,
}

/// A member on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// The instance; empty until it has started once.
    pub name: String,
    /// Where its peers find it.
    pub peer_urls: Vec<String>,
    /// Where its clients find it.
    pub client_urls: Vec<String>,
    /// It does not vote.
    pub learner: bool,
}

impl View {
    /// The members that vote.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.learner)
    }

    /// Whether the one that answered leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leader == Some(self.member)
    }
}

/// A client for the member at this address. It dials when it is used, and dials again when it has to.
///
/// # Errors
/// The address is not understood.
pub async fn client(address: IpAddr, patience: Duration) -> Result<Client, Error> {
    Client::connect([http(address, 2379)], Some(options(patience))).await
}

/// The same for a member that speaks TLS, if there are credentials for it.
///
/// # Errors
/// The address or the credentials are not understood.
pub async fn client_as(address: IpAddr, patience: Duration, credentials: Option<&Credentials>) -> Result<Client, Error> {
    let Some(credentials) = credentials else { return client(address, patience).await };
    let tls = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(&credentials.authority))
        .identity(Identity::from_pem(&credentials.certificate, &credentials.key));
    Client::connect([https(address, 2379)], Some(options(patience).with_tls(tls))).await
}

fn options(patience: Duration) -> ConnectOptions {
    ConnectOptions::new().with_timeout(patience).with_connect_timeout(patience)
}

/// What a client shows to an etcd that speaks TLS, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    files: [PathBuf; 3],
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Credentials {
    /// Those that k3s keeps in its data directory, if it has started there.
    #[must_use]
    pub fn of_k3s(data_dir: &Path) -> Option<Self> {
        let dir = data_dir.join("server/tls/etcd");
        Self::of(["server-ca.crt", "client.crt", "client.key"].map(|name| dir.join(name)))
    }

    /// Those that an agent keeps in its state directory, if its cluster has TLS.
    #[must_use]
    pub fn of_agent(state_dir: &Path) -> Option<Self> {
        Self::of(["clients-ca.pem", "client.pem", "client.pem"].map(|name| state_dir.join("tls/own").join(name)))
    }

    fn of(files: [PathBuf; 3]) -> Option<Self> {
        let [authority, certificate, key] = [0, 1, 2].map(|n: usize| std::fs::read(&files[n]).ok());
        Some(Self { authority: authority?, certificate: certificate?, key: key?, files })
    }

    /// What their files hold now: they are renewed. The same if the files are gone.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self::of(self.files.clone()).unwrap_or_else(|| self.clone())
    }
}

/// Clients by address, kept from one question to the next.
#[derive(Clone, Default)]
pub struct Clients(BTreeMap<IpAddr, (Option<Credentials>, Client)>);

impl Clients {
    /// The client for the member at this address.
    ///
    /// # Errors
    /// The address is not understood.
    pub async fn at(&mut self, address: IpAddr) -> Result<Client, Error> {
        self.with(address, None).await
    }

    /// The same for one that wants these credentials.
    ///
    /// # Errors
    /// The address or the credentials are not understood.
    pub async fn with(&mut self, address: IpAddr, credentials: Option<Credentials>) -> Result<Client, Error> {
        if let Some((_, client)) = self.0.get(&address).filter(|(shown, _)| *shown == credentials) {
            return Ok(client.clone());
        }
        let client = client_as(address, PATIENCE, credentials.as_ref()).await?;
        self.0.insert(address, (credentials, client.clone()));
        Ok(client)
    }
}

/// What the member at this address believes: its own list, which may be old.
///
/// # Errors
/// It does not answer, or is a learner, which refuses.
pub async fn own_list(mut client: Client) -> Result<View, Error> {
    let status = client.status().await?;
    let list = client.member_list().await?;
    let header = list.header();
    let mut members: Vec<_> = list.members().iter().map(member).collect();
    members.sort_by_key(|member| member.id);
    Ok(View {
        cluster: EtcdClusterId(header.map_or(0, etcd_client::ResponseHeader::cluster_id)),
        member: MemberId(header.map_or(0, etcd_client::ResponseHeader::member_id)),
        leader: (status.leader() != 0).then(|| MemberId(status.leader())),
        members,
    })
}

/// The list that the member at this address has after a read through a quorum.
///
/// # Errors
/// It does not answer, is a learner, or there is no quorum.
pub async fn list(mut client: Client) -> Result<View, Error> {
    client.get("quorum", Some(GetOptions::new().with_count_only())).await?;
    own_list(client).await
}

fn member(member: &etcd_client::Member) -> Member {
    Member {
        id: MemberId(member.id()),
        name: instance(member.name()).to_owned(),
        peer_urls: member.peer_urls().to_vec(),
        client_urls: member.client_urls().to_vec(),
        learner: member.is_learner(),
    }
}

/// k3s names a member after its node, which is the instance, with eight random digits behind.
fn instance(name: &str) -> &str {
    let is_suffix = |end: &str| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.rsplit_once('-').filter(|(node, end)| node.starts_with("i-") && is_suffix(end)).map_or(name, |(node, _)| node)
}

/// The addresses among the client URLs of a list's voters, which a client of the cluster may use.
#[must_use]
pub fn client_addresses(view: &View) -> Vec<IpAddr> {
    view.voters().flat_map(|voter| voter.client_urls.iter().filter_map(|url| address(url))).collect()
}

fn address(url: &str) -> Option<IpAddr> {
    url.parse().ok().map(MemberUrl::address)
}
