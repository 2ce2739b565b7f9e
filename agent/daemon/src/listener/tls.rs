//! TLS on a port that also answers without it: what a caller begins with decides.

use std::fmt;
use std::io::{self, Cursor};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::socket::Stream;

/// How long a caller may take for its first byte and for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The first byte of a handshake (RFC 8446 5.1, `ContentType`). No method of HTTP begins with it.
const BEGINS: u8 = 22;

/// With what TLS is answered now; none while there is nothing to show.
pub type Configuration = Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub(super) struct Tls(pub(super) Configuration);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS")
    }
}

impl Tls {
    /// The stream as it is, or decrypted; and whether it was.
    ///
    /// # Errors
    /// The caller took too long, left, or cannot agree on TLS.
    pub(super) async fn answer(&self, stream: Box<dyn Stream>) -> io::Result<(Box<dyn Stream>, bool)> {
        let limited = tokio::time::timeout(HANDSHAKE, self.begin(stream)).await;
        limited.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn begin(&self, mut stream: Box<dyn Stream>) -> io::Result<(Box<dyn Stream>, bool)> {
        let first = stream.read_u8().await?;
        let (read, write) = tokio::io::split(stream);
        let stream = tokio::io::join(Cursor::new([first]).chain(read), write);
        if first != BEGINS {
            return Ok((Box::new(stream), false));
        }
        let shown = (self.0)().ok_or(io::ErrorKind::Unsupported)?;
        Ok((Box::new(TlsAcceptor::from(shown).accept(stream).await?), true))
    }
}
