//! etcd as its members tell it themselves: asked directly, one client for each.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error, GetOptions};
use quorate_core::ids::{EtcdClusterId, MemberId};

/// A member of this computer answers within milliseconds or not at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// One member's list of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The cluster.
    pub cluster: EtcdClusterId,
    /// Who answered.
    pub member: MemberId,
    /// Who leads, as far as it knows.
    pub leader: Option<MemberId>,
    /// All members, in the order of their ids.
    pub members: Vec<Member>,
}

/// A member on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// The instance, or nothing as long as it has never started.
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
pub async fn client(address: Ipv4Addr, patience: Duration) -> Result<Client, Error> {
    let options = ConnectOptions::new().with_timeout(patience).with_connect_timeout(patience);
    Client::connect([format!("http://{address}:2379")], Some(options)).await
}

/// Clients by address, kept from one question to the next.
#[derive(Clone, Default)]
pub struct Clients(BTreeMap<Ipv4Addr, Client>);

impl Clients {
    /// The client for the member at this address.
    ///
    /// # Errors
    /// The address is not understood.
    pub async fn at(&mut self, address: Ipv4Addr) -> Result<Client, Error> {
        if let Some(client) = self.0.get(&address) {
            return Ok(client.clone());
        }
        let client = client(address, PATIENCE).await?;
        self.0.insert(address, client.clone());
        Ok(client)
    }
}

/// What the member at this address believes: its own list, which may be old.
///
/// # Errors
/// It does not answer, or is a learner, which may not tell.
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
        name: member.name().to_owned(),
        peer_urls: member.peer_urls().to_vec(),
        client_urls: member.client_urls().to_vec(),
        learner: member.is_learner(),
    }
}

/// The addresses among the client URLs of a list's voters: where a client of the cluster may go.
#[must_use]
pub fn client_addresses(view: &View) -> Vec<Ipv4Addr> {
    view.voters().flat_map(|voter| voter.client_urls.iter().filter_map(|url| address(url))).collect()
}

fn address(url: &str) -> Option<Ipv4Addr> {
    url.strip_prefix("http://")?.split(':').next()?.parse().ok()
}
