//! The state of one connection, which decides how long it may last and whether it makes room for another.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::limits::Patience;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Part of a request's head has arrived; or nothing has, since the connection was opened.
    Asking,
    /// A request is being answered; its body is read meanwhile, if it has one.
    Answering,
    /// The last request has been answered. A client that does not read the answer is in this state too.
    Idle,
}

/// Counts what happens on all connections of a listener, so the one that has been idle longest is known without a clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<AtomicU64>);

impl Turns {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The state of one connection. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    state: Arc<watch::Sender<(State, u64)>>,
    turns: Turns,
}

/// A view of it.
#[derive(Clone, Debug)]
pub(super) struct Heartbeat(watch::Receiver<(State, u64)>);

impl Pulse {
    /// A connection has been opened.
    pub(super) fn new(turns: Turns) -> Self {
        Self { state: Arc::new(watch::Sender::new((State::Asking, turns.next()))), turns }
    }

    pub(super) fn heartbeat(&self) -> Heartbeat {
        Heartbeat(self.state.subscribe())
    }

    /// The head of a request was read.
    pub(super) fn begins(&self) {
        self.state.send_replace((State::Answering, self.turns.next()));
    }

    /// Its answer is ready.
    pub(super) fn is_done(&self) {
        self.state.send_replace((State::Idle, self.turns.next()));
    }

    /// Something arrived. Its turn stays: a head that trickles in gains no time.
    fn reads(&self) {
        self.state.send_if_modified(|(state, _)| {
            let first = *state == State::Idle;
            if first {
                *state = State::Asking;
            }
            first
        });
    }
}

impl Heartbeat {
    /// The turn since which nothing has been answered here; none while something is.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let (state, turn) = *self.0.borrow();
        (state != State::Answering).then_some(turn)
    }

    /// Returns once the connection has been in one state for too long, with that state.
    pub(super) async fn stops(&mut self, patience: &Patience) -> State {
        loop {
            let state = self.0.borrow_and_update().0;
            match tokio::time::timeout(limit(state, patience), self.0.changed()).await {
                Ok(Ok(())) => {}
                // The connection is gone, and nothing waits for this any more.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => return state,
            }
        }
    }
}

fn limit(state: State, patience: &Patience) -> Duration {
    match state {
        State::Asking => patience.head,
        State::Answering => patience.answer,
        State::Idle => patience.idle,
    }
}

/// A stream that reports when something comes in.
#[derive(Debug)]
pub(super) struct Felt<S> {
    stream: S,
    pulse: Pulse,
}

impl<S> Felt<S> {
    pub(super) fn new(stream: S, pulse: Pulse) -> Self {
        Self { stream, pulse }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Felt<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.reads();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Felt<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
