//! Strangers at an agent's listeners. They come from many addresses of the loopback network, and no more than they were told to be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::lab::LISTEN;

/// So many addresses; more than a listener lets in of one would have to come from.
const ADDRESSES: usize = 200;
/// Between two bytes of a request that never ends.
const TRICKLE: Duration = Duration::from_secs(1);
/// Until a connection is made, which takes a second more where the first packet was dropped.
const CONNECT: Duration = Duration::from_secs(5);
/// All are there after about a second.
const PACE: Duration = Duration::from_micros(700);

/// A listener of the agent.
#[derive(Clone, Debug)]
pub enum Door {
    /// At an address.
    Tcp(SocketAddr),
    /// At a path.
    Unix(PathBuf),
}

impl Door {
    /// All that the agent of a lab's instance has.
    #[must_use]
    pub fn all(address: Ipv4Addr, socket: PathBuf) -> Vec<Self> {
        let ports = [LISTEN.peers, LISTEN.health, LISTEN.metrics];
        ports.map(|port| Self::Tcp((address, port).into())).into_iter().chain([Self::Unix(socket)]).collect()
    }
}

/// All strangers; dropped, they go.
#[derive(Debug)]
pub struct Crowd {
    open: Arc<AtomicUsize>,
    _all: JoinSet<()>,
}

impl Crowd {
    /// So many to each of these, each in a task of its own.
    pub async fn gather(doors: &[Door], idle: usize, slow: usize) -> Self {
        let (open, mut all) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        for number in 0..idle + slow {
            for door in doors {
                all.spawn(stranger(door.clone(), number, number >= idle, Arc::clone(&open)));
            }
            sleep(PACE).await;
        }
        Self { open, _all: all }
    }

    /// How many are connected.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

async fn stranger(door: Door, number: usize, slow: bool, open: Arc<AtomicUsize>) {
    let last = u8::try_from(number % ADDRESSES).unwrap_or_default() + 1;
    match door {
        Door::Tcp(at) => {
            let connecting = async {
                let socket = TcpSocket::new_v4()?;
                socket.bind((Ipv4Addr::new(127, 99, 0, last), 0).into())?;
                socket.connect(at).await
            };
            if let Ok(Ok(stream)) = timeout(CONNECT, connecting).await {
                stay(stream, slow, &open).await;
            }
        }
        Door::Unix(path) => {
            if let Ok(Ok(stream)) = timeout(CONNECT, UnixStream::connect(path)).await {
                stay(stream, slow, &open).await;
            }
        }
    }
}

/// Until the other side closes.
async fn stay(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, slow: bool, open: &AtomicUsize) {
    open.fetch_add(1, Ordering::Relaxed);
    let mut sent = !slow || stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.is_ok();
    while sent {
        let mut answer = [0; 512];
        match timeout(TRICKLE, stream.read(&mut answer)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => break,
            Err(_) => sent = !slow || stream.write_all(b"x").await.is_ok(),
        }
    }
    open.fetch_sub(1, Ordering::Relaxed);
}
