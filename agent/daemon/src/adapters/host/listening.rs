//! This machine's listening sockets, read from `/proc`: binding one, however briefly, could get in etcd's way.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) at: SocketAddr,
    pub(crate) inode: u64,
}

/// A process that has a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: i32,
    pub(crate) name: String,
}

/// All listening sockets of this network namespace.
pub(crate) fn all() -> Vec<Listener> {
    let tables = ["tcp", "tcp6"].iter().filter_map(|table| fs::read_to_string(Path::new("/proc/net").join(table)).ok());
    tables.flat_map(|text| text.lines().filter_map(listener).collect::<Vec<_>>()).collect()
}

/// Whether a socket at one address gets in the way of the other.
pub(crate) fn meets(taken: IpAddr, wanted: IpAddr) -> bool {
    taken.to_canonical() == wanted.to_canonical() || taken.is_unspecified()
}

/// One line of `/proc/net/tcp` (proc_net_tcp(5)); state 0A listens. Addresses are words in the machine's byte order.
fn listener(line: &str) -> Option<Listener> {
    let mut fields = line.split_whitespace();
    let (ip, port) = fields.nth(1)?.split_once(':')?;
    if fields.nth(1)? != "0A" {
        return None;
    }
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Listener { at: SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?), inode })
}

fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (at, quarter) in bytes.chunks_exact_mut(4).enumerate() {
                quarter.copy_from_slice(&word(at)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// The first process that has this socket open; those of other users are not visible.
pub(crate) fn owner(inode: u64) -> Option<Owner> {
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut having = processes.filter(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str()))
    });
    let pid = having.next()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    Some(Owner { pid, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_are_read_and_others_are_not() {
        let line = |local: &str, state: &str| {
            format!("   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 31337 1 x")
        };
        let found = |local| listener(&line(local, "0A")).map(|listener| listener.at.to_string());
        assert_eq!(found("0100007F:094B").as_deref(), Some("127.0.0.1:2379"));
        assert_eq!(found("00000000000000000000000001000000:094C").as_deref(), Some("[::1]:2380"));
        assert_eq!(listener(&line("0100007F:094B", "0A")).unwrap().inode, 31337);
        assert_eq!(listener(&line("0100007F:094B", "01")), None);
        assert_eq!(listener("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[test]
    fn a_listener_everywhere_is_in_the_way_and_one_elsewhere_is_not() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(meets(ip("0.0.0.0"), ip("10.0.0.5")) && meets(ip("::"), ip("10.0.0.5")) && meets(ip("::ffff:10.0.0.5"), ip("10.0.0.5")));
        assert!(!meets(ip("127.0.0.1"), ip("10.0.0.5")));
    }

    #[test]
    fn this_process_is_found_by_its_socket() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let found = table.lines().filter_map(listener).find(|listener| listener.at == at).unwrap();
        assert_eq!(owner(found.inode).unwrap().pid, i32::try_from(std::process::id()).unwrap());
    }
}
