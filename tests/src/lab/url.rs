//! URLs of what machines serve.

use std::net::{IpAddr, SocketAddr};

/// `http://ADDRESS:PORT`; an IPv6 address is in brackets.
#[must_use]
pub fn http(address: IpAddr, port: u16) -> String {
    format!("http://{}", SocketAddr::new(address, port))
}

/// The same with TLS.
#[must_use]
pub fn https(address: IpAddr, port: u16) -> String {
    format!("https://{}", SocketAddr::new(address, port))
}
