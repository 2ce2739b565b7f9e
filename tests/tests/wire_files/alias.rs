//! The alias in a hosts file, and servers that are real listeners.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use quorate::adapters::host::hosts::{self, HostName};
use quorate::alias::{Alias, Probe, Writer, by_connection};
use quorate_core::ids::InstanceId;
use quorate_core::observation::Server;
use tokio::net::TcpListener;

const PORT: u16 = 16_443;
const BEFORE: &str = "127.0.0.1\tlocalhost\n# a word\n";

fn server(n: u8) -> Server {
    Server { instance: InstanceId::new(&format!("i-{n}")), address: IpAddr::from([127, 78, 1, n]) }
}

async fn listens(n: u8) -> TcpListener {
    TcpListener::bind(SocketAddr::new(server(n).address, PORT)).await.unwrap()
}

fn name() -> HostName {
    HostName::parse("api.prod").unwrap()
}

fn alias(dir: &Path) -> Alias {
    Alias::new(name(), dir.join("hosts"), dir.to_owned(), Writer::Itself)
}

fn target(dir: &Path) -> Option<IpAddr> {
    let text = fs::read(dir.join("hosts")).unwrap();
    assert!(text.starts_with(BEFORE.as_bytes()) && text.iter().filter(|byte| **byte == b'\n').count() <= 3);
    hosts::address_of(&text, &name())
}

async fn turn(alias: &mut Alias, servers: &[Server], probe: &Probe) {
    alias.turn(&"i-me".into(), servers, probe).await;
}

#[tokio::test]
async fn it_follows_the_living_within_two_looks_and_comes_back_to_nobody() {
    let (dir, probe) = (tempfile::tempdir().unwrap(), by_connection(PORT));
    fs::write(dir.path().join("hosts"), BEFORE).unwrap();
    let (servers, mut kept) = ([server(1), server(2)], alias(dir.path()));
    turn(&mut kept, &servers, &probe).await;
    assert_eq!(target(dir.path()), None, "nobody has answered yet");
    let first = listens(1).await;
    turn(&mut kept, &servers, &probe).await;
    assert_eq!(target(dir.path()), Some(server(1).address));
    let second = listens(2).await;
    turn(&mut kept, &servers, &probe).await;
    assert_eq!(target(dir.path()), Some(server(1).address), "it stays with the living");
    drop(first);
    turn(&mut kept, &servers, &probe).await;
    assert_eq!(target(dir.path()), Some(server(1).address), "once is a hiccup");
    turn(&mut kept, &servers, &probe).await;
    assert_eq!(target(dir.path()), Some(server(2).address), "twice is a death");
    drop(second);
    for _ in 0..3 {
        turn(&mut kept, &servers, &probe).await;
    }
    assert_eq!(target(dir.path()), Some(server(2).address), "nobody is better");
}

#[tokio::test]
async fn while_the_server_in_use_answers_no_other_is_asked() {
    let (dir, asked) = (tempfile::tempdir().unwrap(), Arc::new(Mutex::new(Vec::new())));
    fs::write(dir.path().join("hosts"), format!("{BEFORE}{} api.prod # quorate\n", server(1).address)).unwrap();
    let dead = Arc::new(Mutex::new(false));
    let (notes, dies) = (Arc::clone(&asked), Arc::clone(&dead));
    let probe: Probe = Arc::new(move |address| {
        notes.lock().unwrap().push(address);
        let answers = address != server(1).address || !*dies.lock().unwrap();
        async move { answers }.boxed()
    });
    let (servers, mut kept) = ([server(1), server(2)], alias(dir.path()));
    let mut count = async || {
        turn(&mut kept, &servers, &probe).await;
        asked.lock().unwrap().drain(..).count()
    };
    assert_eq!((count().await, count().await, count().await), (2, 1, 1));
    *dead.lock().unwrap() = true;
    assert_eq!((count().await, target(dir.path())), (1, Some(server(1).address)));
    assert_eq!((count().await, target(dir.path())), (2, Some(server(2).address)));
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn the_next_agent_stays_with_the_same_server_and_mends_what_somebody_undid() {
    let (dir, probe) = (tempfile::tempdir().unwrap(), by_connection(PORT));
    let _both = (listens(11).await, listens(12).await);
    let servers = [server(11), server(12)];
    for n in [11, 12] {
        fs::write(dir.path().join("hosts"), format!("{BEFORE}{} api.prod # quorate\n", server(n).address)).unwrap();
        let mut kept = alias(dir.path());
        turn(&mut kept, &servers, &probe).await;
        assert_eq!(target(dir.path()), Some(server(n).address));
        fs::write(dir.path().join("hosts"), BEFORE).unwrap();
        turn(&mut kept, &servers, &probe).await;
        assert_eq!(target(dir.path()), Some(server(n).address));
    }
}
