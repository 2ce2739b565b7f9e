//! Listeners that systemd holds for the agent (sd_listen_fds(3)): no other process can take their ports while no agent runs.

use std::net::{IpAddr, SocketAddr, TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt::ipv6_v6only;
use tracing::warn;

/// Those that are not taken yet.
#[derive(Debug, Default)]
pub struct Inherited(Vec<TcpListener>);

impl Inherited {
    /// What systemd handed over to this process. Call it once, before other processes are started, so they do not inherit it.
    #[must_use]
    pub fn from_environment() -> Self {
        let mut handed = ListenFd::from_env();
        let taken = (0..handed.len()).filter_map(|index| match handed.take_tcp_listener(index) {
            Ok(listener) => listener,
            Err(error) => {
                warn!("systemd hands over something that is no listener for TCP, which is not used: {error}");
                None
            }
        });
        Self(taken.collect())
    }

    /// Inherits these listeners.
    #[must_use]
    pub fn of(listeners: Vec<TcpListener>) -> Self {
        Self(listeners)
    }

    /// The listener that a caller of this address reaches. Names do not help: all listeners of one unit have the same.
    pub(super) fn take(&mut self, at: SocketAddr) -> Option<TcpListener> {
        let index = self.0.iter().position(|held| serves(held, at))?;
        Some(self.0.swap_remove(index))
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|held| held.local_addr().ok()).collect()
    }
}

fn serves(held: &TcpListener, at: SocketAddr) -> bool {
    let Ok(here) = held.local_addr() else { return false };
    here.port() == at.port() && covers(here.ip(), at.ip(), || ipv6_v6only(held).unwrap_or(true))
}

fn covers(held: IpAddr, wanted: IpAddr, of_ipv6_alone: impl FnOnce() -> bool) -> bool {
    let (held, wanted) = (held.to_canonical(), wanted.to_canonical());
    match held {
        _ if held == wanted => true,
        IpAddr::V4(ip) => ip.is_unspecified() && wanted.is_ipv4(),
        IpAddr::V6(ip) => ip.is_unspecified() && (wanted.is_ipv6() || !of_ipv6_alone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_everywhere_covers_what_its_family_does() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let both = |held, wanted| covers(ip(held), ip(wanted), || false);
        let alone = |held, wanted| covers(ip(held), ip(wanted), || true);
        assert!(both("::", "10.0.0.5") && both("::", "fd00::5") && both("0.0.0.0", "10.0.0.5") && both("10.0.0.5", "10.0.0.5"));
        assert!(both("::ffff:10.0.0.5", "10.0.0.5") && alone("::", "fd00::5"));
        assert!(!alone("::", "10.0.0.5") && !both("0.0.0.0", "fd00::5") && !both("127.0.0.1", "10.0.0.5"));
    }

    #[test]
    fn each_is_taken_once_and_by_its_port() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = held.local_addr().unwrap();
        let mut inherited = Inherited::of(vec![held]);
        let other = SocketAddr::new(at.ip(), at.port().wrapping_add(1).max(1));
        assert!(inherited.take(other).is_none());
        assert_eq!(inherited.addresses(), [at]);
        assert!(inherited.take(at).is_some() && inherited.take(at).is_none());
    }
}
