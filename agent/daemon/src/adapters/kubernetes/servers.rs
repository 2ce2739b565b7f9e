//! Several API servers that accept the same credentials. If one is away, the next is asked.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use quorate_core::plan::Outcome;

use super::KubernetesError;
use crate::adapters::stamp::Stamp;

/// The API servers that this node may ask, with the credentials of one kubeconfig. Clones share everything.
#[derive(Clone)]
pub struct ApiServers {
    kubeconfig: Arc<Path>,
    shared: Arc<Mutex<Shared>>,
    /// The one that answered last.
    current: Arc<AtomicUsize>,
    limit: Duration,
}

#[derive(Default)]
struct Shared {
    others: Vec<Other>,
    made: Option<Made>,
}

/// A server besides the kubeconfig's own, which accepts the same credentials.
#[derive(Clone, PartialEq, Eq)]
enum Other {
    Url(String),
    /// Reached in the same way as the kubeconfig's own server: over TLS, or in the lab without.
    At(SocketAddr),
}

/// The clients, and what they were made from.
struct Made {
    stamp: Option<Stamp>,
    own: Config,
    others: Vec<Other>,
    clients: Vec<Client>,
}

/// The future of a call. Not an `AsyncFn`: the compiler cannot tell yet that one which borrows may go to another thread.
pub(super) trait Answer<T>: Future<Output = Result<T, kube::Error>> + Send {}

impl<T, F: Future<Output = Result<T, kube::Error>> + Send> Answer<T> for F {}

impl ApiServers {
    /// The server of this kubeconfig, which may not exist yet: every call reads it again if it has changed, and fails until it first exists. No call takes
    /// longer than `limit` at one server.
    #[must_use]
    pub fn at(kubeconfig: &Path, limit: Duration) -> Self {
        Self { kubeconfig: kubeconfig.into(), shared: Arc::default(), current: Arc::default(), limit }
    }

    /// The server of a kubeconfig, and further ones that accept the same credentials: on a node whose own API server stops with it, the others are needed to
    /// finish. No call takes longer than `limit` at one server.
    ///
    /// # Errors
    /// The file cannot be used, or a URL is not valid.
    pub async fn of_kubeconfig(path: &Path, others: &[String], limit: Duration) -> Result<Self, KubernetesError> {
        let servers = Self::at(path, limit);
        servers.shared().others = others.iter().cloned().map(Other::Url).collect();
        servers.clients().await?;
        Ok(servers)
    }

    /// Replaces the list of other servers, besides the kubeconfig's own.
    pub fn set_servers(&self, addresses: &[IpAddr], port: u16) {
        self.shared().others = addresses.iter().map(|address| Other::At(SocketAddr::new(*address, port))).collect();
    }

    /// Asks the server that answered last, then each other once.
    pub(super) async fn read<T, F: Answer<T>>(&self, operation: &'static str, ask: impl Fn(Client) -> F) -> Result<T, KubernetesError> {
        let clients = self.clients().await?;
        let mut tries = 1;
        loop {
            match self.once(&clients, operation, &ask).await {
                Err(error) if error.is_the_servers() && tries < clients.len() => tries += 1,
                result => return result,
            }
        }
    }

    /// Asks one server once; if it is away, the next call asks another. Whether the change happened, the next look shows.
    pub(super) async fn write<T, F: Answer<T>>(&self, operation: &'static str, ask: impl Fn(Client) -> F) -> Outcome {
        let result = match self.clients().await {
            Ok(clients) => self.once(&clients, operation, &ask).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(_) => Outcome::Done,
            Err(error) => error.outcome(),
        }
    }

    async fn once<T, F: Answer<T>>(
        &self,
        clients: &[Client],
        operation: &'static str,
        ask: &impl Fn(Client) -> F,
    ) -> Result<T, KubernetesError> {
        let at = self.current.load(Ordering::Relaxed);
        let Some(server) = clients.get(at % clients.len().max(1)) else {
            return Err(KubernetesError::Slow { operation, limit: self.limit });
        };
        let result = match tokio::time::timeout(self.limit, ask(server.clone())).await {
            Ok(result) => result.map_err(|error| KubernetesError::of(operation, error)),
            Err(_) => Err(KubernetesError::Slow { operation, limit: self.limit }),
        };
        if result.as_ref().is_err_and(KubernetesError::is_the_servers) {
            // Another call may have moved on already.
            let _ = self.current.compare_exchange(at, at.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        result
    }

    /// The clients for the current file and list.
    async fn clients(&self) -> Result<Vec<Client>, KubernetesError> {
        let stamp = Stamp::of(&self.kubeconfig).ok();
        let (others, known) = {
            let shared = self.shared();
            let known = shared.made.as_ref().map(|made| (made.stamp, made.own.clone()));
            match &shared.made {
                Some(made) if (made.stamp == stamp || stamp.is_none()) && made.others == shared.others => return Ok(made.clients.clone()),
                _ => (shared.others.clone(), known),
            }
        };
        let own = self.own(stamp, known).await?;
        let clients = self.make(&own, &others)?;
        self.shared().made = Some(Made { stamp, own, others, clients: clients.clone() });
        Ok(clients)
    }

    /// The file's server. If the file is gone, or is just being written, the last credentials stay in use: a server that leaves puts its file aside, and the
    /// others still accept them.
    async fn own(&self, stamp: Option<Stamp>, known: Option<(Option<Stamp>, Config)>) -> Result<Config, KubernetesError> {
        let unusable = |source| KubernetesError::Kubeconfig { path: PathBuf::from(&*self.kubeconfig), source: Box::new(source) };
        if let Some((_, own)) = known.as_ref().filter(|(before, _)| *before == stamp || stamp.is_none()) {
            return Ok(own.clone());
        }
        let read = async {
            let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).map_err(unusable)?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(unusable)
        };
        match (read.await, known) {
            (Err(_), Some((_, own))) => Ok(own),
            (result, _) => result,
        }
    }

    fn make(&self, own: &Config, others: &[Other]) -> Result<Vec<Client>, KubernetesError> {
        let mut clients = vec![client(own.clone(), self.limit)?];
        for other in others {
            let mut config = own.clone();
            let url = match other {
                Other::Url(url) => url.clone(),
                Other::At(at) => {
                    // The file may give a name for its own server's certificate, which does not apply to the others.
                    config.tls_server_name = None;
                    format!("{}://{at}", own.cluster_url.scheme_str().unwrap_or("https"))
                }
            };
            config.cluster_url = url.parse().map_err(|_| KubernetesError::Url { url })?;
            clients.push(client(config, self.limit)?);
        }
        Ok(clients)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(mut config: Config, limit: Duration) -> Result<Client, KubernetesError> {
    let url = config.cluster_url.to_string();
    config.connect_timeout = Some(limit);
    config.read_timeout = Some(limit);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    Client::try_from(config).map_err(|source| KubernetesError::Client { url, source: Box::new(source) })
}
