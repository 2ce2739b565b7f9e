//! A network of its own for each lab: `127.x.y.0/24`, where every address can be bound without privileges.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::region::AddressRange;

/// `127.16.*` to `127.115.*`; the founding addresses lie a hundred above them.
const SECOND: std::ops::Range<u32> = 16..116;
const FOUNDING: u8 = 100;
const FIRST_HOST: u8 = 10;

/// A network that no other lab on this computer uses, for as long as this is held.
#[derive(Debug)]
pub struct Subnet {
    network: [u8; 3],
    /// The process that listens here has the network.
    _claim: TcpListener,
}

impl Subnet {
    /// Takes a free one.
    ///
    /// # Errors
    /// None is free.
    pub fn claim() -> io::Result<Self> {
        static TAKEN: AtomicU32 = AtomicU32::new(0);
        let networks = SECOND.len() as u32 * 256;
        // Spread over the processes, so two labs seldom try the same one.
        let first = std::process::id().wrapping_mul(257).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let mut refused = io::Error::other("no network of the loopback interface is free");
        for candidate in 0..networks {
            let number = first.wrapping_add(candidate) % networks;
            let network = [127, (SECOND.start + number / 256) as u8, (number % 256) as u8];
            match TcpListener::bind((address(network, 1), 2378)) {
                Ok(claim) => return Ok(Self { network, _claim: claim }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// Where the AWS API answers.
    #[must_use]
    pub fn api(&self) -> SocketAddr {
        SocketAddr::from((address(self.network, 1), 8000))
    }

    /// The instances' addresses.
    #[must_use]
    pub fn instances(&self) -> AddressRange {
        AddressRange { first: self.host(0), size: u32::from(u8::MAX - FIRST_HOST), reuse: false }
    }

    /// The address of the host with this number, from 0.
    #[must_use]
    pub fn host(&self, number: u8) -> Ipv4Addr {
        address(self.network, FIRST_HOST.saturating_add(number))
    }
}

/// Where a founder at this address serves clients until its record counts.
#[must_use]
pub fn founding(address: Ipv4Addr) -> Ipv4Addr {
    let [_, second, third, fourth] = address.octets();
    Ipv4Addr::new(127, second.wrapping_add(FOUNDING), third, fourth)
}

/// Where the metadata service of the instance at this address answers.
#[must_use]
pub fn metadata(address: Ipv4Addr) -> SocketAddr {
    SocketAddr::from((address, 8169))
}

fn address([first, second, third]: [u8; 3], fourth: u8) -> Ipv4Addr {
    Ipv4Addr::new(first, second, third, fourth)
}
