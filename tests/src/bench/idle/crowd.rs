//! Strangers at an agent's listeners. They come from many addresses of the loopback network, at most the given number of them, and one that is turned
//! away or cut off comes back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::lab::LISTEN;

/// Enough addresses for the limit on a single one to keep no stranger out.
const ADDRESSES: usize = 200;
/// Between two bytes of a request that never ends.
const TRICKLE: Duration = Duration::from_secs(1);
/// Until a connection is made, which takes a second more where the first packet was dropped.
const CONNECT: Duration = Duration::from_secs(5);
/// All are there after about a second.
const PACE: Duration = Duration::from_micros(700);
/// Until a stranger that was cut off comes back. All of 1,200 at four listeners together make at most 480 connections a second.
const BACK: Duration = Duration::from_secs(10);

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
    pub fn all(address: IpAddr, socket: PathBuf) -> Vec<Self> {
        let ports = [LISTEN.peers, LISTEN.health, LISTEN.metrics];
        ports.map(|port| Self::Tcp((address, port).into())).into_iter().chain([Self::Unix(socket)]).collect()
    }
}

/// All strangers; dropped, they leave.
#[derive(Debug)]
pub struct Crowd {
    seen: Arc<Seen>,
    _all: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen {
    open: AtomicUsize,
    made: AtomicUsize,
}

impl Crowd {
    /// `idle` and `slow` strangers to each of the listeners, each in a task of its own.
    pub async fn gather(doors: &[Door], idle: usize, slow: usize) -> Self {
        let (seen, mut all) = (Arc::new(Seen::default()), JoinSet::new());
        for number in 0..idle + slow {
            for door in doors {
                all.spawn(stranger(door.clone(), number, number >= idle, Arc::clone(&seen)));
            }
            sleep(PACE).await;
        }
        Self { seen, _all: all }
    }

    /// How many are connected.
    #[must_use]
    pub fn open(&self) -> usize {
        self.seen.open.load(Ordering::Relaxed)
    }

    /// How many connections they have made so far.
    #[must_use]
    pub fn made(&self) -> usize {
        self.seen.made.load(Ordering::Relaxed)
    }
}

async fn stranger(door: Door, number: usize, slow: bool, seen: Arc<Seen>) {
    let last = u8::try_from(number % ADDRESSES).unwrap_or_default() + 1;
    loop {
        visit(&door, Ipv4Addr::new(127, 99, 0, last), slow, &seen).await;
        sleep(BACK).await;
    }
}

async fn visit(door: &Door, from: Ipv4Addr, slow: bool, seen: &Seen) {
    match door {
        Door::Tcp(at) => {
            let connecting = async {
                let socket = TcpSocket::new_v4()?;
                socket.bind((from, 0).into())?;
                socket.connect(*at).await
            };
            if let Ok(Ok(stream)) = timeout(CONNECT, connecting).await {
                stay(stream, slow, seen).await;
            }
        }
        Door::Unix(path) => {
            if let Ok(Ok(stream)) = timeout(CONNECT, UnixStream::connect(path)).await {
                stay(stream, slow, seen).await;
            }
        }
    }
}

/// Until the other side closes.
async fn stay(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, slow: bool, seen: &Seen) {
    seen.made.fetch_add(1, Ordering::Relaxed);
    seen.open.fetch_add(1, Ordering::Relaxed);
    let mut sent = !slow || stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.is_ok();
    while sent {
        let mut answer = [0; 512];
        match timeout(TRICKLE, stream.read(&mut answer)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => break,
            Err(_) => sent = !slow || stream.write_all(b"x").await.is_ok(),
        }
    }
    seen.open.fetch_sub(1, Ordering::Relaxed);
}
