//! The server that the alias of the Kubernetes API points at.
//!
//! With a look every two seconds and two failures in a row, the alias leaves a dead server within five seconds: systems-to-subsume.md S4 allows ten.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::ids::InstanceId;
use crate::observation::Server;

/// The number of failures in a row that mean a dead server: a single lost answer is only a hiccup.
const FAILURES: u32 = 2;

/// How each server has answered recently.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    /// The number of failures since the last answer; a server that never answered is not in here.
    failures: BTreeMap<IpAddr, u32>,
}

impl Probes {
    /// Takes in one probe of the server at `address`.
    pub fn note(&mut self, address: IpAddr, answered: bool) {
        match (answered, self.failures.get_mut(&address)) {
            (true, _) => drop(self.failures.insert(address, 0)),
            (false, Some(failures)) => *failures = failures.saturating_add(1),
            (false, None) => {}
        }
    }

    /// It has answered, and has not failed twice in a row since.
    #[must_use]
    pub fn is_healthy(&self, address: IpAddr) -> bool {
        self.failures.get(&address).is_some_and(|failures| *failures < FAILURES)
    }

    /// Forgets every server that is not among these: another instance may get its address.
    pub fn keep_only(&mut self, servers: &[Server]) {
        self.failures.retain(|address, _| servers.iter().any(|server| server.address == *address));
    }
}

/// The server that the alias points at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    current: Option<IpAddr>,
}

impl Choice {
    /// Begins with what the alias points at already, if it is known.
    #[must_use]
    pub fn new(current: Option<IpAddr>) -> Self {
        Self { current }
    }

    /// The server that it points at after this look: the present one while it is listed and healthy, else another healthy one, or the same as before if
    /// none is healthy. Each instance `me` ranks the servers differently, so a fleet spreads over them, and over the rest when one fails.
    pub fn look(&mut self, me: &InstanceId, servers: &[(Server, bool)]) -> Option<IpAddr> {
        let healthy = servers.iter().filter(|(_, healthy)| *healthy).map(|(server, _)| server);
        if !healthy.clone().any(|server| Some(server.address) == self.current) {
            let best = healthy.max_by_key(|server| rank(me, server));
            self.current = best.map(|server| server.address).or(self.current);
        }
        self.current
    }
}

/// A server's rank by highest-random-weight hashing (Thaler and Ravishankar, 1998): a server that leaves moves only the instances that pointed at it.
fn rank(me: &InstanceId, server: &Server) -> [u8; 32] {
    Sha256::new().chain_update(me.as_str()).chain_update([0]).chain_update(server.instance.as_str()).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    fn server(n: u8) -> Server {
        Server { instance: InstanceId::parse(&format!("i-{n}")).unwrap(), address: address(n) }
    }

    fn looks(choice: &mut Choice, me: &str, servers: &[(u8, bool)]) -> Option<IpAddr> {
        let servers: Vec<_> = servers.iter().map(|(n, healthy)| (server(*n), *healthy)).collect();
        choice.look(&InstanceId::parse(me).unwrap(), &servers)
    }

    #[test]
    fn it_stays_while_its_server_is_healthy_and_moves_when_it_is_not() {
        let mut choice = Choice::new(Some(address(2)));
        assert_eq!(looks(&mut choice, "i-me", &[(1, true), (2, true), (3, true)]), Some(address(2)));
        let moved = looks(&mut choice, "i-me", &[(1, true), (2, false), (3, true)]);
        assert!(moved == Some(address(1)) || moved == Some(address(3)), "{moved:?}");
        assert_eq!(looks(&mut choice, "i-me", &[(1, true), (2, true), (3, true)]), moved, "it does not go back");
    }

    #[test]
    fn a_server_that_is_listed_no_more_is_left_at_once() {
        let mut choice = Choice::new(Some(address(9)));
        assert_eq!(looks(&mut choice, "i-me", &[(1, true)]), Some(address(1)));
    }

    #[test]
    fn it_is_kept_where_nobody_is_better() {
        let mut choice = Choice::new(Some(address(1)));
        assert_eq!(looks(&mut choice, "i-me", &[(1, false), (2, false)]), Some(address(1)));
        assert_eq!(looks(&mut choice, "i-me", &[]), Some(address(1)));
        assert_eq!(looks(&mut Choice::default(), "i-me", &[(1, false)]), None, "it never points at a server that was never healthy");
    }

    #[test]
    fn a_fleet_spreads_and_one_death_moves_only_those_who_pointed_there() {
        let all = [(1, true), (2, true), (3, true)];
        let mut before = BTreeMap::<IpAddr, u32>::new();
        for n in 0..300 {
            let (me, mut choice) = (format!("i-{n:017x}"), Choice::default());
            let first = looks(&mut choice, &me, &all).unwrap();
            *before.entry(first).or_default() += 1;
            let after = looks(&mut choice, &me, &[(1, false), (2, true), (3, true)]).unwrap();
            assert!(after != address(1) && (first == address(1) || first == after));
        }
        assert!(before.len() == 3 && before.values().all(|n| (60..140).contains(n)), "{before:?}");
    }

    #[test]
    fn one_lost_answer_is_none_two_are_a_death_and_an_answer_heals() {
        let (mut probes, at) = (Probes::default(), address(1));
        let mut after = |answered| {
            probes.note(at, answered);
            probes.is_healthy(at)
        };
        let told = [false, true, false, true, false, false, false, true].map(&mut after);
        assert_eq!(told, [false, true, true, true, true, false, false, true]);
        probes.keep_only(&[server(2)]);
        assert!(!probes.is_healthy(at), "another instance at that address has to answer for itself");
    }

    proptest! {
        #[test]
        fn it_never_moves_to_one_that_is_not_healthy(looks_at in prop::collection::vec(prop::collection::vec(any::<bool>(), 0..6), 1..12)) {
            let mut choice = Choice::default();
            for healthy in looks_at {
                let servers: Vec<(u8, bool)> = (1..).zip(healthy).collect();
                let before = choice.current;
                let after = looks(&mut choice, "i-me", &servers);
                let is_healthy = |at| servers.iter().any(|(n, healthy)| *healthy && Some(address(*n)) == at);
                prop_assert!(after == before || is_healthy(after));
                prop_assert!(is_healthy(after) || servers.iter().all(|(_, healthy)| !healthy));
            }
        }
    }
}
