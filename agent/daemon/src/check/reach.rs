//! Whether a TCP connection can be made, and if not, why: a refusal comes from the machine, silence from the network.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};

/// The result of a connection attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It was accepted at this address.
    Connected(SocketAddr),
    /// The machine answered that nothing listens.
    Refused,
    /// Nothing answered.
    Silent(Duration),
    /// The name has no address, or was not resolved in time.
    NoAddress(String),
    /// Something else.
    Failed(String),
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(at) => write!(f, "connected to {at}"),
            Self::Refused => f.write_str("refused"),
            Self::Silent(limit) => write!(f, "no answer within {limit:?}"),
            Self::NoAddress(why) => write!(f, "no address: {why}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Connects to a name, and disconnects.
pub(super) async fn host(host: &str, port: u16, limit: Duration) -> Reach {
    let found = match tokio::time::timeout(limit, lookup_host((host, port))).await {
        Err(_) => return Reach::NoAddress(format!("the name server did not answer within {limit:?}")),
        Ok(Err(error)) => return Reach::NoAddress(error.to_string()),
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
    };
    match found.first() {
        None => Reach::NoAddress("the name has none".to_owned()),
        Some(at) => address(*at, limit).await,
    }
}

/// Connects to an address, and disconnects.
pub(super) async fn address(at: SocketAddr, limit: Duration) -> Reach {
    match tokio::time::timeout(limit, TcpStream::connect(at)).await {
        Err(_) => Reach::Silent(limit),
        Ok(result) => sorted(result.map(|_| at), limit),
    }
}

fn sorted(result: Result<SocketAddr, Error>, limit: Duration) -> Reach {
    match result {
        Ok(at) => Reach::Connected(at),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Reach::Refused,
        Err(error) if error.kind() == ErrorKind::TimedOut => Reach::Silent(limit),
        Err(error) => Reach::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_listener_accepts_and_a_free_port_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(host("127.0.0.1", at.port(), LIMIT).await, Reach::Connected(at));
        drop(listener);
        assert_eq!(address(at, LIMIT).await, Reach::Refused);
    }

    #[test]
    fn silence_is_no_refusal() {
        assert_eq!(sorted(Err(ErrorKind::TimedOut.into()), LIMIT), Reach::Silent(LIMIT));
        assert!(matches!(sorted(Err(ErrorKind::HostUnreachable.into()), LIMIT), Reach::Failed(_)));
    }
}
