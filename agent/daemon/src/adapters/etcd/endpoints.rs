//! One client for each endpoint, kept between calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, TlsOptions};
use quorate_core::time::Timestamp;

use super::EtcdError;
use super::credentials::{self, CredentialFiles};
use crate::adapters::stamp::Stamp;
use crate::clock::Clock;

/// A client that was not used for this long belongs to a member that no longer exists.
const IDLE: Duration = Duration::from_secs(120);

/// A member on the same network that has not accepted a connection by then will not.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Endpoints {
    clock: Clock,
    /// For members with TLS.
    credentials: Option<CredentialFiles>,
    cached: Mutex<Clients>,
}

/// The clients made with one state of the credentials: a client keeps the identity that it was made with.
#[derive(Default)]
struct Clients {
    stamp: Option<[Stamp; 3]>,
    tls: Option<TlsOptions>,
    by_url: HashMap<String, Cached>,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.by_url)
    }
}

struct Cached {
    client: Arc<Client>,
    used: Timestamp,
}

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "used at {}", self.used)
    }
}

impl Endpoints {
    pub(super) fn new(clock: Clock, credentials: Option<CredentialFiles>) -> Self {
        Self { clock, credentials, cached: Mutex::default() }
    }

    /// Calls the member at `url`, for at most `limit`. Its client is kept only if etcd answered: a connection that hangs would hang the next call too, even if
    /// it was the caller that gave up waiting.
    pub(super) async fn call<T>(
        &self,
        url: &str,
        operation: &'static str,
        limit: Duration,
        call: impl AsyncFnOnce(&Client) -> Result<T, etcd_client::Error>,
    ) -> Result<T, EtcdError> {
        let mut doubt = Doubt { endpoints: self, url, dismissed: false };
        let work = async {
            let client = self.client(url, operation).await?;
            call(&client).await.map_err(|source| EtcdError::from_client(url, operation, source))
        };
        let result = match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(EtcdError::Timeout { url: url.to_owned(), operation, limit }),
        };
        doubt.dismissed = !matches!(result, Err(EtcdError::Timeout { .. } | EtcdError::Transport { .. }));
        result
    }

    async fn client(&self, url: &str, operation: &'static str) -> Result<Arc<Client>, EtcdError> {
        let now = self.clock.now();
        let encrypted = url.starts_with("https://");
        if encrypted {
            self.refresh()?;
        }
        // This does not dial yet. etcd-client sets no time limit of its own: `call` limits each call as a whole.
        let mut options = ConnectOptions::new().with_connect_timeout(CONNECT_LIMIT);
        let made_with = {
            let mut clients = self.lock();
            if let Some(cached) = clients.by_url.get_mut(url) {
                cached.used = now;
                return Ok(cached.client.clone());
            }
            if let Some(tls) = clients.tls.as_ref().filter(|_| encrypted) {
                options = options.with_tls(tls.clone().domain_name(credentials::host(url)));
            }
            clients.stamp
        };
        let client = Client::connect([url], Some(options)).await.map_err(|source| EtcdError::from_client(url, operation, source))?;
        let client = Arc::new(client);
        let mut clients = self.lock();
        clients.by_url.retain(|_, c| now.since(c.used) < IDLE);
        if clients.stamp == made_with {
            clients.by_url.insert(url.to_owned(), Cached { client: client.clone(), used: now });
        }
        Ok(client)
    }

    /// Reads the credentials if they have changed, and drops the clients made with others. If the files are gone, the last credentials stay in use: a server
    /// that leaves puts them aside with its data, and the others still accept them.
    fn refresh(&self) -> Result<(), EtcdError> {
        let Some(files) = &self.credentials else { return Ok(()) };
        let stamp = match files.stamp() {
            Ok(stamp) if self.lock().stamp == Some(stamp) => return Ok(()),
            Ok(stamp) => stamp,
            Err(_) if self.lock().tls.is_some() => return Ok(()),
            Err(error) => return Err(error),
        };
        let tls = Some(files.read()?);
        *self.lock() = Clients { stamp: Some(stamp), tls, by_url: HashMap::new() };
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops an endpoint's client unless dismissed: this is the only code that still runs when a future is no longer awaited.
struct Doubt<'a> {
    endpoints: &'a Endpoints,
    url: &'a str,
    dismissed: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.dismissed {
            self.endpoints.lock().by_url.remove(self.url);
        }
    }
}
