//! The endpoints that the load writes to: the voters, as the cluster itself lists them.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;

use crate::lab::etcd::{self, Clients, Credentials};

/// How old the list of endpoints may grow.
const REFRESH: Duration = Duration::from_millis(500);

/// The endpoints and which of them is in use; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Endpoints(Arc<Mutex<State>>, Option<Arc<Credentials>>);

#[derive(Debug)]
struct State {
    addresses: Vec<IpAddr>,
    current: usize,
}

impl Endpoints {
    pub(super) fn new(addresses: Vec<IpAddr>, credentials: Option<Credentials>) -> Self {
        Self(Arc::new(Mutex::new(State { addresses, current: 0 })), credentials.map(Arc::new))
    }

    /// What every one of them wants to see.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        self.1.as_deref().map(Credentials::renewed)
    }

    /// All of them, the one in use first.
    pub(super) fn beginning_with_current(&self) -> Vec<IpAddr> {
        self.with(|state| {
            let (before, from) = state.addresses.split_at(state.current.min(state.addresses.len()));
            from.iter().chain(before).copied().collect()
        })
    }

    /// Uses this one, which has answered.
    pub(super) fn prefer(&self, address: IpAddr) {
        self.with(|state| {
            if let Some(at) = state.addresses.iter().position(|known| *known == address) {
                state.current = at;
            }
        });
    }

    /// Moves to the next, unless that was done already.
    pub(super) fn failed(&self, address: IpAddr) {
        self.with(|state| {
            if state.addresses.get(state.current) == Some(&address) {
                state.current = (state.current + 1) % state.addresses.len();
            }
        });
    }

    fn all(&self) -> Vec<IpAddr> {
        self.with(|state| state.addresses.clone())
    }

    /// Keeps the one in use, if it is still listed.
    fn replace(&self, addresses: Vec<IpAddr>) {
        self.with(|state| {
            let current = state.addresses.get(state.current);
            state.current = addresses.iter().position(|address| Some(address) == current).unwrap_or(0);
            state.addresses = addresses;
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Asks all endpoints for the list every now and then, and takes the first answer that a quorum stands behind.
pub(super) async fn refresh(endpoints: Endpoints, mut stopped: watch::Receiver<bool>) {
    let mut clients = Clients::default();
    while tokio::time::timeout(REFRESH, stopped.wait_for(|stopped| *stopped)).await.is_err() {
        let mut answers = FuturesUnordered::new();
        for address in endpoints.all() {
            if let Ok(client) = clients.with(address, endpoints.credentials()).await {
                answers.push(etcd::list(client));
            }
        }
        while let Some(answer) = answers.next().await {
            let addresses = answer.map(|view| etcd::client_addresses(&view)).unwrap_or_default();
            if !addresses.is_empty() {
                endpoints.replace(addresses);
                break;
            }
        }
    }
}
