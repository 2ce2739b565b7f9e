//! One client for each endpoint, kept between calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use quorate_core::time::Timestamp;

use super::EtcdError;
use crate::clock::Clock;

/// A client that was not used for so long belongs to a member that is no more.
const IDLE: Duration = Duration::from_secs(120);

/// A member on the same network that has not accepted a connection by then will not.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Endpoints {
    clock: Clock,
    cached: Mutex<HashMap<String, Cached>>,
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
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, cached: Mutex::default() }
    }

    /// Calls the member at `url`, for at most `limit`. Its client is kept only if etcd answered: a connection that hangs would hang the next
    /// call too, also when it was the caller who gave up waiting.
    pub(super) async fn call<T>(
        &self,
        url: &str,
        operation: &'static str,
        limit: Duration,
        call: impl AsyncFnOnce(&Client) -> Result<T, etcd_client::Error>,
    ) -> Result<T, EtcdError> {
        let mut doubt = Doubt { endpoints: self, url, dismissed: false };
        let work = async {
            let client = self.client(url).await?;
            call(&client).await
        };
        let result = match tokio::time::timeout(limit, work).await {
            Ok(result) => result.map_err(|source| EtcdError::from_client(url, operation, source)),
            Err(_) => Err(EtcdError::Timeout { url: url.to_owned(), operation, limit }),
        };
        doubt.dismissed = !matches!(result, Err(EtcdError::Timeout { .. } | EtcdError::Transport { .. }));
        result
    }

    async fn client(&self, url: &str) -> Result<Arc<Client>, etcd_client::Error> {
        let now = self.clock.now();
        if let Some(cached) = self.lock().get_mut(url) {
            cached.used = now;
            return Ok(cached.client.clone());
        }
        // This does not dial yet. etcd-client sets no time limit of its own: `call` does, for each call whole.
        let options = ConnectOptions::new().with_connect_timeout(CONNECT_LIMIT);
        let client = Arc::new(Client::connect([url], Some(options)).await?);
        let mut cached = self.lock();
        cached.retain(|_, c| now.since(c.used) < IDLE);
        cached.insert(url.to_owned(), Cached { client: client.clone(), used: now });
        Ok(client)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Cached>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops an endpoint's client unless it is dismissed: a future that is no longer awaited runs no further code but this.
struct Doubt<'a> {
    endpoints: &'a Endpoints,
    url: &'a str,
    dismissed: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.dismissed {
            self.endpoints.lock().remove(self.url);
        }
    }
}
