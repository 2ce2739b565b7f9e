//! The ports that a member needs and another process has. They are read and never tried: binding one, however briefly, could get in etcd's way.

use std::net::SocketAddr;

use quorate_core::observation::{Listens, TakenPort};

use super::MemberSpec;
use crate::adapters::host::listening::{self, Listener};

const PEERS: u16 = 2380;
const CLIENTS: u16 = 2379;

/// The ports of a member that does not run on which another process listens.
pub(super) fn taken(spec: &MemberSpec) -> Vec<TakenPort> {
    let all = listening::all();
    let found = needed(spec).into_iter().filter_map(|(at, listens)| Some((at, listens, holder(&all, at)?)));
    found.map(|(at, listens, holder)| TakenPort { at, listens, by: by(holder) }).collect()
}

fn needed(spec: &MemberSpec) -> [(SocketAddr, Listens); 3] {
    [
        (SocketAddr::new(spec.address, PEERS), Listens::ToPeers),
        (SocketAddr::new(spec.address, CLIENTS), Listens::ToClients),
        (SocketAddr::new(spec.founding_address, CLIENTS), Listens::OnLoopback),
    ]
}

fn holder(all: &[Listener], at: SocketAddr) -> Option<&Listener> {
    all.iter().find(|listener| listener.at.port() == at.port() && listening::meets(listener.at.ip(), at.ip()))
}

fn by(holder: &Listener) -> Option<String> {
    listening::owner(holder.inode).map(|owner| format!("{}, process {}", owner.name, owner.pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_at_the_same_address_or_everywhere_is_in_the_way() {
        let at = |text: &str| Listener { at: text.parse().unwrap(), inode: 1 };
        let wanted = "10.0.0.5:2380".parse().unwrap();
        assert_eq!(holder(&[at("127.0.0.1:2380"), at("10.0.0.5:2379")], wanted), None);
        assert!(holder(&[at("10.0.0.5:2380")], wanted).is_some() && holder(&[at("0.0.0.0:2380")], wanted).is_some());
    }

    #[test]
    fn a_port_that_this_process_has_is_found_taken_by_it() {
        let spec = MemberSpec {
            name: "i-1".into(),
            address: "127.77.90.1".parse().unwrap(),
            data_dir: "/nowhere".into(),
            founding_address: "127.77.90.2".parse().unwrap(),
            certificates: crate::adapters::pki::EtcdFiles::in_dir(std::path::Path::new("/nowhere")),
            flags: Vec::new(),
            environment: std::collections::BTreeMap::new(),
        };
        assert_eq!(taken(&spec), []);
        let _held = std::net::TcpListener::bind("127.77.90.1:2380").unwrap();
        let found = taken(&spec);
        assert_eq!(
            found.iter().map(|p| (p.at.to_string(), p.listens)).collect::<Vec<_>>(),
            [("127.77.90.1:2380".to_owned(), Listens::ToPeers)]
        );
        assert!(found[0].by.as_ref().unwrap().ends_with(&format!("process {}", std::process::id())));
    }
}
