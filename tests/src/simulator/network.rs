//! Which hosts can open a connection to which.

use super::etcd_model::{Host, Links};

/// A set of hosts, one bit each.
pub(crate) type Hosts = u64;

/// Connections that cannot be opened: from any of the first to any of the second.
#[derive(Clone, Copy, Debug)]
struct Cut {
    fault: usize,
    from: Hosts,
    to: Hosts,
}

/// All links between the nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    cuts: Vec<Cut>,
}

impl Network {
    /// Cuts the hosts of `from` off from those of `to`, in that direction, until the fault is eased.
    pub(crate) fn cut(&mut self, fault: usize, from: Hosts, to: Hosts) {
        self.cuts.push(Cut { fault, from, to });
    }

    pub(crate) fn mend(&mut self, fault: usize) {
        self.cuts.retain(|cut| cut.fault != fault);
    }
}

impl Links for Network {
    fn open(&self, from: Host, to: Host) -> bool {
        from == to || !self.cuts.iter().any(|cut| cut.from >> from & 1 == 1 && cut.to >> to & 1 == 1)
    }
}

/// The set of one host.
pub(crate) fn only(host: Host) -> Hosts {
    1 << host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_has_a_direction_and_an_end() {
        let mut network = Network::default();
        network.cut(1, only(0), !only(0));
        assert!(!network.open(0, 1) && network.open(1, 0) && network.open(0, 0));
        network.cut(2, only(0), only(1));
        network.mend(1);
        assert!(!network.open(0, 1) && network.open(0, 2));
        network.mend(2);
        assert!(network.open(0, 1));
    }
}
