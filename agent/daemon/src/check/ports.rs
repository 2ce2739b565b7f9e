//! This machine's ports: free, or taken by our own. They are read from `/proc`: binding one, however briefly, could get in etcd's way.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::adapters::host::listening::{self, Owner, meets, owner};
use crate::adapters::{distribution, service_manager};
use crate::config::Settings;

use super::finding::Finding;
use super::node::{Node, Port};
use super::systemd::SOCKET;

/// The process that holds the listeners of socket units.
const SYSTEMD: i32 = 1;

/// Everything about this instance's own address and ports; systemd holds some of them for the agent.
pub(super) fn check(address: IpAddr, node: &Node, settings: &Settings, held: &[SocketAddr]) -> Vec<Finding> {
    let listeners = listening::all();
    let program = process(node, settings);
    let mut findings = vec![own_address(address)];
    findings.extend(other_port(held, settings.peer_port));
    for port in node.parts.serves {
        let Some(number) = node.number(*port, settings) else { continue };
        let addresses = addresses(*port, node, address, settings);
        let is_taken = |at: &SocketAddr| at.port() == number && addresses.iter().any(|ip| meets(at.ip(), *ip));
        let taken = listeners.iter().find(|listener| is_taken(&listener.at));
        let ours = |owner: &Owner| match port {
            Port::Agents => owner.name == "quorate" || (owner.pid == SYSTEMD && held.iter().any(|at| at.port() == number)),
            Port::Api | Port::Clients | Port::Members => program.is_some_and(|program| descends(owner.pid, program)),
        };
        findings.push(judge(number, taken.map(|listener| (listener.at, owner(listener.inode))), node.program(), &ours));
    }
    findings
}

/// Whether systemd holds another port than the agent's: the agent then binds its own, which systemd does not protect.
fn other_port(held: &[SocketAddr], port: u16) -> Option<Finding> {
    let other = held.first().filter(|_| held.iter().all(|at| at.port() != port))?;
    let remedy = format!("give {SOCKET} a drop-in with an empty ListenStream= and ListenStream={port}, and restart it");
    Some(Finding::warning(SOCKET, format!("it listens at {other}, but peer.port is {port}"), remedy))
}

/// The running process of the member or the distribution, if there is one.
fn process(node: &Node, settings: &Settings) -> Option<i32> {
    match &node.distribution {
        None => service_manager::started(&settings.paths.data_dir, &settings.etcd.binary).ok()?.map(|found| found.pid),
        Some(distribution) => distribution::running(&**distribution).ok()?,
    }
}

/// The addresses of a port. A founder starts on a loopback address; a distribution's etcd always listens there too.
fn addresses(port: Port, node: &Node, own: IpAddr, settings: &Settings) -> Vec<IpAddr> {
    match port {
        Port::Agents => vec![own],
        Port::Members if node.distribution.is_none() => vec![own],
        Port::Api | Port::Clients | Port::Members => vec![own, settings.etcd.founding_address],
    }
}

/// Whether a process is the other one or descends from it: a distribution may run its etcd as a child.
fn descends(pid: i32, from: i32) -> bool {
    let parent = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok().filter(|parent| *parent > 1)
    };
    std::iter::successors(Some(pid), parent).any(|pid| pid == from)
}

/// Whether this machine has its own address. A datagram socket on a port of the kernel's choice disturbs nothing.
fn own_address(address: IpAddr) -> Finding {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => Finding::ok("address", address.to_string()),
        Err(error) => {
            let remedy = "run quorate, and what it starts, in the machine's own network namespace, with the address that EC2 gave it";
            Finding::problem("address", format!("{address} is not this machine's: {error}"), remedy)
        }
    }
}

fn judge(port: u16, taken: Option<(SocketAddr, Option<Owner>)>, program: &str, ours: &dyn Fn(&Owner) -> bool) -> Finding {
    let name = format!("port {port}");
    match taken {
        None => Finding::ok(name, "free"),
        Some((at, Some(owner))) if ours(&owner) && owner.pid == SYSTEMD => Finding::ok(name, format!("systemd holds {at} for quorate")),
        Some((at, Some(owner))) if ours(&owner) => Finding::ok(name, format!("{at} is our own {}'s", owner.name)),
        Some((at, Some(owner))) => {
            let remedy = remedy(owner.name.as_str(), program);
            Finding::problem(name, format!("{at} is taken by {}, process {}", owner.name, owner.pid), remedy)
        }
        Some((at, None)) => Finding::warning(name, format!("{at} is taken, but not visibly by which process"), "run this as root"),
    }
}

fn remedy(owner: &str, program: &str) -> String {
    if owner == "etcd" {
        let why = "some packages of etcd start a server of their own when they are installed (systemctl disable --now etcd)";
        return format!("stop and disable it: {why}");
    }
    format!("stop it, or give it another port: this one is for quorate or the {program} that quorate starts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem, Warning};

    #[test]
    fn a_port_may_be_free_or_our_own() {
        let at = ([127, 0, 0, 1], 2379).into();
        let owner = |pid| Some(Owner { pid, name: "etcd".into() });
        let verdict = |taken| judge(2379, taken, "etcd", &|owner: &Owner| owner.pid == 7).verdict;
        assert_eq!((verdict(None), verdict(Some((at, owner(7))))), (Fine, Fine));
        let systemds = judge(2379, Some((at, owner(SYSTEMD))), "etcd", &|owner: &Owner| owner.pid == SYSTEMD);
        assert_eq!((systemds.verdict, &*systemds.found), (Fine, "systemd holds 127.0.0.1:2379 for quorate"));
        assert_eq!((verdict(Some((at, owner(8)))), verdict(Some((at, None)))), (Problem, Warning));
    }

    #[test]
    fn systemds_port_has_to_be_the_agents() {
        let held = ["[::]:2378".parse().unwrap()];
        assert_eq!((other_port(&[], 2400), other_port(&held, 2378)), (None, None));
        let found = other_port(&held, 2400).unwrap();
        assert!(found.verdict == Warning && found.found == "it listens at [::]:2378, but peer.port is 2400", "{found:?}");
    }

    #[test]
    fn a_child_is_its_parents_and_no_others() {
        let me = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!((descends(pid, me), descends(me, me), descends(me, pid)), (true, true, false));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
