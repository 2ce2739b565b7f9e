//! The sockets themselves: TCP, of our own or systemd's, and Unix.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::limits::BACKLOG;

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp {
        listener: TcpListener,
        /// It listens everywhere, but only callers of this address are answered.
        only: Option<IpAddr>,
    },
    Unix(UnixListener),
}

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that was just accepted.
pub(super) struct Newcomer {
    pub(super) stream: Box<dyn Stream>,
    /// Where it came from; none for a local process.
    pub(super) from: Option<IpAddr>,
    /// It came to an address that is not served.
    pub(super) elsewhere: bool,
}

impl Socket {
    pub(super) fn bind(at: SocketAddr) -> io::Result<Self> {
        let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // As tokio's own bind does: a closing connection of the previous agent is not in the way.
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        Ok(Self::Tcp { listener: socket.listen(BACKLOG)?, only: None })
    }

    /// Takes over systemd's listener. It listens as widely as its unit says, but only the agent's configured address is answered.
    pub(super) fn taken_over(held: std::net::TcpListener, at: SocketAddr) -> io::Result<Self> {
        held.set_nonblocking(true)?;
        let everywhere = held.local_addr()?.ip().to_canonical().is_unspecified();
        let only = Some(at.ip().to_canonical()).filter(|ip| everywhere && !ip.is_unspecified());
        Ok(Self::Tcp { listener: TcpListener::from_std(held)?, only })
    }

    pub(super) fn at(path: &Path) -> io::Result<Self> {
        if let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self::Unix(listener))
    }

    pub(super) async fn accept(&self) -> io::Result<Newcomer> {
        match self {
            Self::Tcp { listener, only } => {
                let (stream, from) = listener.accept().await?;
                // One that has disconnected already has no address: it is accepted, and ends on its own.
                let by = stream.local_addr().map(|by| by.ip().to_canonical());
                let elsewhere = only.is_some_and(|only| by.is_ok_and(|by| by != only));
                // An IPv4 address stays the same on a socket for both families.
                Ok(Newcomer { stream: Box::new(stream), from: Some(from.ip().to_canonical()), elsewhere })
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Newcomer { stream: Box::new(stream), from: None, elsewhere: false })
            }
        }
    }
}
