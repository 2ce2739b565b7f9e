//! Several API servers behind one set of credentials, one asked after the other where one is away.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use quorate_core::plan::Outcome;

use super::KubernetesError;

/// The API servers that this node may ask.
#[derive(Clone)]
pub struct ApiServers {
    servers: Vec<Client>,
    /// The one that answered last.
    current: std::sync::Arc<AtomicUsize>,
    limit: Duration,
}

/// What asking comes to. Not an `AsyncFn`: the compiler cannot tell yet that one which borrows may go to another thread.
pub(super) trait Answer<T>: Future<Output = Result<T, kube::Error>> + Send {}

impl<T, F: Future<Output = Result<T, kube::Error>> + Send> Answer<T> for F {}

impl ApiServers {
    /// The server of a kubeconfig, and further ones that take the same credentials: on a node whose own API server goes down with it, the
    /// others are needed to finish. No call takes longer than `limit` at one server.
    ///
    /// # Errors
    /// The file cannot be used, or a URL is none.
    pub async fn of_kubeconfig(path: &Path, others: &[String], limit: Duration) -> Result<Self, KubernetesError> {
        let unusable = |source| KubernetesError::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
        let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(unusable)?;
        let mut servers = vec![client(config.clone(), limit)?];
        for url in others {
            let mut config = config.clone();
            config.cluster_url = url.parse().map_err(|_| KubernetesError::Url { url: url.clone() })?;
            servers.push(client(config, limit)?);
        }
        Ok(Self { servers, current: std::sync::Arc::default(), limit })
    }

    /// Asks the server that answered last, then each other once.
    pub(super) async fn read<T, F: Answer<T>>(&self, operation: &'static str, ask: impl Fn(Client) -> F) -> Result<T, KubernetesError> {
        let mut tries = 1;
        loop {
            match self.once(operation, &ask).await {
                Err(error) if error.is_the_servers() && tries < self.servers.len() => tries += 1,
                result => return result,
            }
        }
    }

    /// Asks one server once; the next call goes to another if this one is away. Whether it happened is for the next look to tell.
    pub(super) async fn write<T, F: Answer<T>>(&self, operation: &'static str, ask: impl Fn(Client) -> F) -> Outcome {
        match self.once(operation, &ask).await {
            Ok(_) => Outcome::Done,
            Err(error) => error.outcome(),
        }
    }

    async fn once<T, F: Answer<T>>(&self, operation: &'static str, ask: &impl Fn(Client) -> F) -> Result<T, KubernetesError> {
        let at = self.current.load(Ordering::Relaxed);
        let Some(server) = self.servers.get(at % self.servers.len()) else {
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
}

fn client(mut config: Config, limit: Duration) -> Result<Client, KubernetesError> {
    let url = config.cluster_url.to_string();
    config.connect_timeout = Some(limit);
    config.read_timeout = Some(limit);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    Client::try_from(config).map_err(|source| KubernetesError::Client { url, source: Box::new(source) })
}
