//! The alias in a hosts file.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use quorate::adapters::host::hosts::{self, HostName};
use quorate::alias::{Alias, Writer};
use quorate_core::ids::InstanceId;
use quorate_core::observation::Server;

const BEFORE: &str = "127.0.0.1\tlocalhost\n# a word\n";

fn server(n: u8) -> Server {
    Server { instance: InstanceId::new(&format!("i-{n}")), address: IpAddr::from([127, 8, 1, n]) }
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

/// The servers 1 and 2, with these of them healthy.
async fn follow(alias: &mut Alias, healthy: &[u8]) {
    let servers = [1, 2].map(|n| (server(n), healthy.contains(&n)));
    alias.follow(&"i-me".into(), &servers).await;
}

#[tokio::test]
async fn it_follows_the_living_and_stays_where_nobody_is_better() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("hosts"), BEFORE).unwrap();
    let mut kept = alias(dir.path());
    for (healthy, points_at) in
        [(&[][..], None), (&[1], Some(1)), (&[1, 2], Some(1)), (&[2], Some(2)), (&[], Some(2)), (&[1, 2], Some(2)), (&[1], Some(1))]
    {
        follow(&mut kept, healthy).await;
        assert_eq!(target(dir.path()), points_at.map(|n| server(n).address), "{healthy:?}");
    }
}

#[tokio::test]
async fn the_next_agent_stays_with_the_same_server_and_mends_what_somebody_undid() {
    let dir = tempfile::tempdir().unwrap();
    for n in [1, 2] {
        fs::write(dir.path().join("hosts"), format!("{BEFORE}{} api.prod # quorate\n", server(n).address)).unwrap();
        let mut kept = alias(dir.path());
        follow(&mut kept, &[1, 2]).await;
        assert_eq!(target(dir.path()), Some(server(n).address));
        fs::write(dir.path().join("hosts"), BEFORE).unwrap();
        follow(&mut kept, &[1, 2]).await;
        assert_eq!(target(dir.path()), Some(server(n).address));
    }
}
