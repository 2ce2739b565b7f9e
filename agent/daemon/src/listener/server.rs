//! Accepting, and answering by HTTP/1.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use quorate_core::time::Timestamp;
use tokio::sync::watch;
use tracing::{Instrument, warn};

use super::counts::{Closed, Refused};
use super::limits::{BODY_BYTES, FIELDS, HEAD_BYTES, Limits, Patience};
use super::pulse::{Felt, Heartbeat, Pulse, State, Turns};
use super::socket::{Newcomer, Socket, Stream};
use super::table::{Room, Table};
use super::tls::Tls;
use super::{CallerAddress, Counts, Encrypted, Kind, Listener};
use crate::clock::Clock;

/// While a listener is full it accepts no faster than this: the loop has the same thread, and a newcomer gets time to ask before others take its place.
const BRAKE: Duration = Duration::from_millis(1);
/// The same problem is logged at most once in this time.
const HUSH: Duration = Duration::from_secs(600);

/// One listener at work.
pub(super) struct Server {
    kind: Kind,
    socket: Socket,
    patience: Patience,
    counts: Counts,
    clock: Clock,
    router: Router,
    turns: Turns,
    table: Arc<Mutex<Table>>,
    most: [usize; 2],
    said: Option<Timestamp>,
    tls: Option<Tls>,
}

impl Server {
    pub(super) fn new(listener: Listener, router: Router) -> Self {
        let Listener { kind, socket, limits: Limits { most, most_of_one, patience }, counts, clock, tls } = listener;
        let router = router.layer(DefaultBodyLimit::max(BODY_BYTES));
        let table = Arc::new(Mutex::new(Table::new(most, most_of_one)));
        Self { kind, socket, patience, counts, clock, router, turns: Turns::default(), table, most: [most, most_of_one], said: None, tls }
    }

    /// Runs in a task of its own.
    pub(super) fn start(mut self, end: impl Future<Output = ()> + Send + 'static) {
        let serving = async move {
            // Dropping it signals every connection.
            let (_open, ends) = watch::channel(());
            tokio::select! {
                () = end => {}
                () = self.accept_all(&ends) => {}
            }
        };
        tokio::spawn(serving.in_current_span());
    }

    async fn accept_all(&mut self, ends: &watch::Receiver<()>) {
        let mut trouble = Backoff::default();
        loop {
            match self.socket.accept().await {
                Ok(newcomer) => {
                    trouble = Backoff::default();
                    if !self.admit(newcomer, ends) {
                        tokio::time::sleep(BRAKE).await;
                    }
                }
                // The caller left while in the queue.
                Err(error) if is_of_one(&error) => {}
                Err(error) => {
                    self.counts.failed(self.kind);
                    self.say(&format!("it cannot accept connections: {error}"));
                    tokio::time::sleep(trouble.pause()).await;
                }
            }
        }
    }

    /// Accepts a newcomer, and returns whether there was room.
    fn admit(&mut self, newcomer: Newcomer, ends: &watch::Receiver<()>) -> bool {
        if newcomer.elsewhere {
            self.counts.refused(self.kind, Refused::Elsewhere);
            return false;
        }
        let room = lock(&self.table).room_for(newcomer.from);
        match room {
            Room::Free => {}
            Room::InPlaceOf(number) => {
                lock(&self.table).leave(number);
                self.counts.closed(self.kind, Closed::Crowded);
                self.say_crowded();
            }
            Room::None => {
                self.counts.refused(self.kind, Refused::Full);
                self.say_crowded();
                return false;
            }
        }
        self.let_in(newcomer, ends);
        room == Room::Free
    }

    fn let_in(&self, Newcomer { stream, from, .. }: Newcomer, ends: &watch::Receiver<()>) {
        let pulse = Pulse::new(self.turns.clone());
        let number = lock(&self.table).enter(from, pulse.heartbeat());
        let stay = Stay { number, kind: self.kind, table: Arc::clone(&self.table), counts: self.counts.clone() };
        self.counts.accepted(self.kind);
        self.counts.open(self.kind, lock(&self.table).len());
        let connection = Connection { stay, pulse, patience: self.patience, ends: ends.clone() };
        let (router, tls) = (self.router.clone(), self.tls.clone());
        let task = tokio::spawn(async move {
            let stream = match &tls {
                Some(tls) => tls.answer(stream).await,
                None => Ok((stream, false)),
            };
            match stream {
                Ok((stream, encrypted)) => connection.answer(stream, (from, encrypted), router).await,
                Err(error) => connection.stay.failed(&error),
            }
        });
        lock(&self.table).runs(number, task.abort_handle());
    }

    fn say_crowded(&mut self) {
        let [most, of_one] = self.most;
        self.say(&format!("it takes {most} connections, {of_one} from one address, and has them: the longest idle ones make room"));
    }

    fn say(&mut self, trouble: &str) {
        let now = self.clock.now();
        if self.said.is_none_or(|at| now.since(at) >= HUSH) {
            self.said = Some(now);
            warn!("the listener for {}: {trouble}; this is said once in {} minutes", self.kind.name(), HUSH.as_secs() / 60);
        }
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the connection in the table; dropped with it.
struct Stay {
    number: u64,
    kind: Kind,
    table: Arc<Mutex<Table>>,
    counts: Counts,
}

impl Stay {
    /// The caller did not get as far as a question.
    fn failed(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::TimedOut {
            self.counts.closed(self.kind, Closed::Slow);
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        table.leave(self.number);
        self.counts.open(self.kind, table.len());
    }
}

/// One connection.
struct Connection {
    stay: Stay,
    pulse: Pulse,
    patience: Patience,
    ends: watch::Receiver<()>,
}

impl Connection {
    /// Answers until the other side leaves, the server stops, or a time limit is over. Errors concern only this connection.
    async fn answer(mut self, stream: Box<dyn Stream>, (from, encrypted): (Option<IpAddr>, bool), router: Router) {
        let stream = TokioIo::new(Felt::new(stream, self.pulse.clone()));
        let (answers, pulse) = (TowerToHyperService::new(router), self.pulse.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            pulse.begins();
            if let Some(from) = from {
                request.extensions_mut().insert(CallerAddress(from));
            }
            if encrypted {
                request.extensions_mut().insert(Encrypted);
            }
            let (answer, pulse) = (answers.call(request), pulse.clone());
            async move {
                let answer = answer.await;
                pulse.is_done();
                answer
            }
        });
        let mut builder = http1::Builder::new();
        // The time limits are our own: hyper's does not distinguish a head that trickles in from a connection that is kept.
        builder.header_read_timeout(None).max_buf_size(HEAD_BYTES).max_headers(FIELDS);
        let mut connection = pin!(builder.serve_connection(stream, service));
        let mut heartbeat: Heartbeat = self.pulse.heartbeat();
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                _ = self.ends.changed(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                state = heartbeat.stops(&self.patience) => return self.stay.counts.closed(self.stay.kind, reason(state)),
            }
        }
    }
}

fn reason(state: State) -> Closed {
    match state {
        State::Asking => Closed::Slow,
        State::Answering => Closed::Late,
        State::Idle => Closed::Idle,
    }
}

/// Whether the error concerns only the connection that would have been accepted (accept(2)), and not this process.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// The pause between tries while nothing can be accepted: descriptors or memory have run out, and trying again at once would take the loop's time too.
#[derive(Debug, Default)]
struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

    fn pause(&mut self) -> Duration {
        self.0 = if self.0.is_zero() { Self::FIRST } else { (self.0 * 2).min(Self::LONGEST) };
        self.0
    }
}

#[cfg(test)]
mod tests;
