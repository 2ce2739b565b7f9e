//! How long two servers have been connected, by which strict reconfiguration judges health.

use quorate_core::time::Timestamp;

use super::{Etcd, Host, Links};

/// A square table, row by row; it grows with the hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    width: usize,
    since: Vec<Option<Timestamp>>,
}

impl Connections {
    fn grow(&mut self, hosts: usize) {
        if hosts <= self.width {
            return;
        }
        let width = hosts.next_multiple_of(8);
        let mut since = vec![None; width * width];
        for row in 0..self.width {
            let old = &self.since[row * self.width..(row + 1) * self.width];
            since[row * width..row * width + self.width].copy_from_slice(old);
        }
        (self.width, self.since) = (width, since);
    }

    fn set(&mut self, a: Host, b: Host, since: Option<Timestamp>) {
        self.since[a * self.width + b] = since;
        self.since[b * self.width + a] = since;
    }

    fn get(&self, a: Host, b: Host) -> Option<Timestamp> {
        self.since.get(a * self.width + b).copied().flatten()
    }
}

impl Etcd {
    /// Updates every connection's age: new ones begin now, broken ones are forgotten.
    pub(super) fn reconnect(&mut self, now: Timestamp, links: &impl Links) {
        self.connections.grow(self.servers.len());
        for a in 0..self.servers.len() {
            if self.servers[a].live().is_none() {
                continue;
            }
            for b in a + 1..self.servers.len() {
                let connected = self.same_cluster(a, b) && links.both(a, b);
                match (connected, self.connections.get(a, b)) {
                    (true, None) => self.connections.set(a, b, Some(now)),
                    (false, Some(_)) => self.connections.set(a, b, None),
                    _ => {}
                }
            }
        }
    }

    /// Breaks all of a host's connections, as its process ends.
    pub(super) fn disconnect(&mut self, host: Host) {
        self.connections.grow(self.servers.len());
        for other in 0..self.servers.len() {
            self.connections.set(host, other, None);
        }
    }

    /// Since when the two have been connected.
    pub(super) fn connected_since(&self, a: Host, b: Host) -> Option<Timestamp> {
        self.connections.get(a, b)
    }

    fn same_cluster(&self, a: Host, b: Host) -> bool {
        match (self.servers[a].live(), self.servers[b].live()) {
            (Some((x, _)), Some((y, _))) => x.cluster == y.cluster,
            _ => false,
        }
    }
}
