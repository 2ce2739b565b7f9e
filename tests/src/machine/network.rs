//! The bridge that stands for the VPC, with the addresses of AWS on it, and the firewall between its ports.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::command::run;
use crate::region::AddressRange;

/// Where every instance finds its metadata.
pub const METADATA: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80));
/// Where EC2 and Auto Scaling answer.
pub const API: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 8000);
/// The gateway of the machines' default route.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const BRIDGE: &str = "br0";

/// Between the bridge's ports only: what a security group does. The bridge's own addresses stay reachable, as the metadata is in EC2.
const FIREWALL: &str = "
add table bridge cuts
add set bridge cuts away { type ifname; }
add chain bridge cuts forward { type filter hook forward priority 0; }
add rule bridge cuts forward iifname @away drop
add rule bridge cuts forward oifname @away drop
";

/// The instances' addresses.
#[must_use]
pub fn addresses() -> AddressRange {
    AddressRange { first: Ipv4Addr::new(10, 0, 0, 11).into(), size: 200, reuse: false }
}

/// The bridge and its firewall. They are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Network(());

impl Network {
    pub(super) fn create() -> anyhow::Result<Self> {
        // No delay of the spanning tree: a port forwards at once. An address of its own: a bridge without one takes the lowest of its ports',
        // which changes when a machine is added or removed; the others would send to the old one until they ask again, half a minute later.
        run("ip", &["link", "add", BRIDGE, "address", "02:00:0a:00:00:01", "type", "bridge", "forward_delay", "0"])?;
        let network = Self(());
        let own = [format!("{GATEWAY}/24"), format!("{}/24", API.ip()), format!("{}/32", METADATA.ip())];
        for address in &own {
            run("ip", &["addr", "add", address, "dev", BRIDGE])?;
        }
        run("ip", &["link", "set", BRIDGE, "up"])?;
        for line in FIREWALL.lines().filter(|line| !line.is_empty()) {
            run("nft", &[line])?;
        }
        Ok(network)
    }

    pub(super) fn cut(&self, machine: &str) -> anyhow::Result<()> {
        run("nft", &[format!("add element bridge cuts away {{ {} }}", port(machine))]).map(drop)
    }

    pub(super) fn heal(&self, machine: &str) -> anyhow::Result<()> {
        run("nft", &[format!("delete element bridge cuts away {{ {} }}", port(machine))]).map(drop)
    }
}

/// The bridge's port that leads to this machine, as nspawn names it.
pub(super) fn port(machine: &str) -> String {
    format!("vb-{machine}")
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = run("nft", &["delete table bridge cuts"]);
        let _ = run("ip", &["link", "del", BRIDGE]);
    }
}
