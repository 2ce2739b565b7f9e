//! TLS in front of axum.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use super::tls::Pair;

/// A client with a slow handshake does not delay others, and is given up after this time.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Serves a router over TLS at this address until the process ends.
///
/// # Errors
/// The address is taken, or the certificate is broken.
pub(super) async fn serve(address: SocketAddr, pair: &Pair, router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listen tcp {address}"))?;
    let certificates =
        CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect::<Result<Vec<_>, _>>().context("no certificate")?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).context("no key")?;
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).context("certificate and key do not fit")?;
    let (sender, greeted) = channel(64);
    tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), sender));
    tokio::spawn(async move { axum::serve(Greeted { greeted, address }, router).await });
    Ok(())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, sender: Sender<(TlsStream<TcpStream>, SocketAddr)>) {
    loop {
        let Ok((stream, from)) = listener.accept().await else { continue };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                let _ = sender.send((stream, from)).await;
            }
        });
    }
}

/// Connections after their handshake.
struct Greeted {
    greeted: Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Greeted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.greeted.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
