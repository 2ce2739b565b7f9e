//! Starting and stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use axum::Router;
use quorate_core::ids::InstanceId;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use super::endpoint::{self, Endpoint};
use super::{Asked, Faults, ImdsServer, RegionHandle};
use crate::region::{Event, Region};

/// Well under any delay that a lab would set.
const TURN: Duration = Duration::from_millis(20);

/// A region that answers on a network address. It stops answering when this is dropped.
#[derive(Debug)]
pub struct RegionServer {
    /// What the host has to do to the machines.
    pub events: UnboundedReceiver<Event>,
    address: SocketAddr,
    region: RegionHandle,
    faults: Faults,
    asked: Asked,
    page_limit: Arc<AtomicUsize>,
    empty_first: Arc<AtomicBool>,
    _running: Running,
}

/// A running listener; dropping it stops it, and closes idle connections.
#[derive(Debug)]
pub(crate) struct Running {
    _stop: oneshot::Sender<()>,
}

impl RegionServer {
    /// Serves a region at this address (port 0 picks a free one) and starts its time.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(region: Region, bind: SocketAddr) -> io::Result<Self> {
        let (region, faults, asked) = (RegionHandle::new(region), Faults::default(), Asked::default());
        let (page_limit, empty_first) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(AtomicBool::new(false)));
        let endpoint = Endpoint {
            region: region.clone(),
            faults: faults.clone(),
            asked: asked.clone(),
            page_limit: page_limit.clone(),
            empty_first: empty_first.clone(),
        };
        let (address, running) = listen(bind, endpoint::router(endpoint)).await?;
        let (sender, events) = unbounded_channel();
        tokio::spawn(drive(region.clone(), sender));
        Ok(Self { events, address, region, faults, asked, page_limit, empty_first, _running: running })
    }

    /// What `AWS_ENDPOINT_URL` is to be set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &RegionHandle {
        &self.region
    }

    /// The fault rules, those of the metadata services included.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What was asked of the API.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The events, for a task of the host's own; the region's time stops when they are dropped.
    pub fn take_events(&mut self) -> UnboundedReceiver<Event> {
        std::mem::replace(&mut self.events, unbounded_channel().1)
    }

    /// Pages hold at most this number, even if the caller asks for more. AWS promises no page size, so a client has to cope.
    pub fn limit_pages(&self, size: usize) {
        self.page_limit.store(size.max(1), std::sync::atomic::Ordering::Relaxed);
    }

    /// From now on the first page of every list is empty and has a next one, as AWS allows itself.
    pub fn begin_with_an_empty_page(&self) {
        self.empty_first.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Serves the metadata of an instance at this address (port 0 picks a free one).
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn serve_imds(&self, instance: InstanceId, bind: SocketAddr) -> io::Result<ImdsServer> {
        ImdsServer::start(self.region.clone(), self.faults.clone(), Some(instance), bind).await
    }

    /// Serves the metadata of the running instance that asks, known by its source address, as EC2's one address does.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn serve_imds_for_all(&self, bind: SocketAddr) -> io::Result<ImdsServer> {
        ImdsServer::start(self.region.clone(), self.faults.clone(), None, bind).await
    }
}

/// Binds and serves until the returned value is dropped.
pub(crate) async fn listen(bind: SocketAddr, router: Router) -> io::Result<(SocketAddr, Running)> {
    let listener = TcpListener::bind(bind).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    tokio::spawn(async { server.await });
    Ok((address, Running { _stop: stop }))
}

/// Drives the region's time for as long as its events are wanted.
async fn drive(region: RegionHandle, events: UnboundedSender<Event>) {
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !events.is_closed() {
        turns.tick().await;
        for event in region.with(|region, now| region.advance(now)) {
            let _ = events.send(event);
        }
    }
}
