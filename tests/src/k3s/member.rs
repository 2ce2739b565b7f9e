//! etcd's members, as servers report them to each other and as the duties need them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A member of etcd.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    pub(super) id: u64,
    /// Empty until it has started once.
    pub(super) name: String,
    pub(super) peer_urls: Vec<String>,
    pub(super) client_urls: Vec<String>,
    pub(super) is_learner: bool,
}

impl Member {
    pub(super) fn of(member: &etcd_client::Member) -> Self {
        Self {
            id: member.id(),
            name: member.name().to_owned(),
            peer_urls: member.peer_urls().to_vec(),
            client_urls: member.client_urls().to_vec(),
            is_learner: member.is_learner(),
        }
    }

    /// The name without its random end.
    pub(super) fn node(&self) -> &str {
        self.name.rsplit_once('-').map_or("", |(node, _)| node)
    }

    /// Whether a peer URL has this host.
    pub(super) fn is_at(&self, address: &str) -> bool {
        self.peer_urls.iter().any(|url| host(url) == address)
    }
}

/// The host of a URL.
pub(super) fn host(url: &str) -> &str {
    let authority = url.split("://").nth(1).unwrap_or(url);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']'])
}

/// The server at a member's address.
pub(super) fn server_url(member: &Member) -> Option<String> {
    let address: IpAddr = host(member.client_urls.first()?).parse().ok()?;
    Some(format!("https://{}", std::net::SocketAddr::new(address, 6443)))
}
