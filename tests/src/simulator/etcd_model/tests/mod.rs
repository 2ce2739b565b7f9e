//! The examples of the reference, as tests.

mod lifecycle;
mod raft;
mod reconfig;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use quorate_core::ids::{InstanceId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::Member;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;

use super::super::rng::Rng;
use super::{CallError, Etcd, Host, Links, Rule};

/// Pairs that cannot talk.
#[derive(Default)]
struct Cables(Vec<(Host, Host)>);

impl Links for Cables {
    fn open(&self, from: Host, to: Host) -> bool {
        !self.0.iter().any(|(a, b)| (*a, *b) == (from, to) || (*b, *a) == (from, to))
    }
}

struct Bench {
    etcd: Etcd,
    links: Cables,
    now: Timestamp,
}

impl Bench {
    fn with(rule: Rule, hosts: usize) -> Self {
        let mut etcd = Etcd::new(rule, 1000, Rng::new(7));
        for host in 0..hosts {
            let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, u8::try_from(host).unwrap()));
            etcd.add_host(InstanceId::new(&format!("i-{host}")), address, Role::Etcd);
        }
        Self { etcd, links: Cables::default(), now: Timestamp(0) }
    }

    /// A cluster in which every host is a voter and has been connected for a long time.
    fn grown(rule: Rule, hosts: usize) -> Self {
        let mut bench = Self::with(rule, hosts);
        bench.etcd.found(0, "token", false, bench.now);
        bench.pass(10);
        for host in 1..hosts {
            bench.add_and_start(host);
            bench.pass(8);
            let id = bench.etcd.member_id(host).unwrap();
            bench.promote(0, id).unwrap();
            bench.pass(8);
        }
        bench
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..2 * seconds {
            self.now = self.now + Duration::from_millis(500);
            self.etcd.tick(self.now, &self.links);
        }
    }

    fn add(&mut self, at: Host, host: Host) -> Result<Vec<(String, MemberUrl)>, CallError> {
        let url = self.etcd.servers[host].peer_url;
        let list = self.etcd.add_learner(at, &url, self.now, &self.links)?;
        let name = |m: &Member| m.name.as_ref().map_or(format!("{}", m.id), ToString::to_string);
        Ok(list.iter().filter_map(|m| Some((name(m), m.peer_url.url()?))).collect())
    }

    fn add_and_start(&mut self, host: Host) {
        let list = self.add(0, host).unwrap();
        self.etcd.join(host, &list, self.now, &self.links).unwrap();
    }

    fn promote(&mut self, at: Host, id: MemberId) -> Result<(), CallError> {
        self.etcd.promote(at, id, self.now, &self.links)
    }

    fn remove(&mut self, at: Host, host: Host) -> Result<(), CallError> {
        let id = self.etcd.member_id(host).unwrap();
        self.etcd.remove(at, id, self.now, &self.links)
    }

    fn leader(&self) -> Option<Host> {
        self.etcd.quorate_leaders(&self.links).next()
    }

    fn voters(&mut self, at: Host) -> usize {
        self.etcd.membership(at, &self.links).unwrap().voters().count()
    }
}

fn refused(result: Result<(), CallError>) -> &'static str {
    match result {
        Err(CallError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}
