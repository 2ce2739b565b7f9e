//! Where a member of etcd is reached. etcd keeps any text that was advertised; here it is `scheme://IP:port` or nothing, so no other text is ever dialled,
//! written into a file or given to a shell.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The scheme of a member's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// `http://10.0.0.1:2379`; an IPv6 address is in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberUrl {
    scheme: Scheme,
    address: IpAddr,
    port: u16,
}

impl MemberUrl {
    /// The member at this address and port.
    #[must_use]
    pub fn new(scheme: Scheme, address: IpAddr, port: u16) -> Self {
        Self { scheme, address, port }
    }

    /// The address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Whether it is reached at this place, by either scheme.
    #[must_use]
    pub fn is_at(self, address: IpAddr, port: u16) -> bool {
        self.address == address && self.port == port
    }
}

impl fmt::Display for MemberUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), SocketAddr::new(self.address, self.port))
    }
}

impl Serialize for MemberUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no member's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not http:// or https:// with an IP address and a port")]
pub struct NotAMemberUrl;

impl FromStr for MemberUrl {
    type Err = NotAMemberUrl;

    fn from_str(text: &str) -> Result<Self, NotAMemberUrl> {
        let (scheme, authority) = text.split_once("://").ok_or(NotAMemberUrl)?;
        let scheme = [Scheme::Http, Scheme::Https].into_iter().find(|known| known.as_str() == scheme).ok_or(NotAMemberUrl)?;
        let socket: SocketAddr = authority.parse().map_err(|_| NotAMemberUrl)?;
        // An address with a zone has a meaning on one machine only.
        if matches!(socket, SocketAddr::V6(v6) if v6.scope_id() != 0) {
            return Err(NotAMemberUrl);
        }
        Ok(Self::new(scheme, socket.ip(), socket.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_port_are_read_and_written_the_same() {
        for text in ["http://10.0.0.1:2379", "https://10.0.0.1:2380", "https://[2001:db8::1]:2379"] {
            assert_eq!(text.parse::<MemberUrl>().map(|url| url.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("http://[2001:DB8::1]:2379".parse::<MemberUrl>().unwrap().to_string(), "http://[2001:db8::1]:2379");
    }

    #[test]
    fn nothing_else_is_a_members_url() {
        for text in [
            "",
            "10.0.0.1:2379",
            "http://10.0.0.1",
            "http://10.0.0.1:2379/",
            "http://10.0.0.1:2379;x=$HOME",
            "http://10.0.0.1:2379 ",
            "http://10.0.0.1:2379\nX=1",
            "http://db.example:2379",
            "http://'10.0.0.1':2379",
            "unix://10.0.0.1:2379",
            "HTTP://10.0.0.1:2379",
            "http://user@10.0.0.1:2379",
            "http://[fe80::1%2]:2379",
            "http://10.0.0.1:65536",
        ] {
            assert_eq!(text.parse::<MemberUrl>(), Err(NotAMemberUrl), "{text:?}");
        }
    }
}
