//! A network of its own for each lab: `127.x.y.0/24`, where every address can be bound without privileges.
//!
//! The loopback interface has one IPv6 address only. A lab for IPv6 alone therefore needs a network namespace in which the addresses of [`IPV6`] can be bound
//! too, and one namespace has room for one lab.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::region::AddressRange;

/// `127.16.*` to `127.115.*`; the founding addresses lie a hundred above them.
const SECOND: std::ops::Range<u32> = 16..116;
const FOUNDING: u8 = 100;
const FIRST_HOST: u8 = 10;

/// The prefix, of 64 bits, of a lab for IPv6 alone.
pub const IPV6: Ipv6Addr = Ipv6Addr::new(0xfd51, 0x756f, 0x7261, 0x7465, 0, 0, 0, 0);

/// A network that no other lab on this computer uses, for as long as this is held.
#[derive(Debug)]
pub struct Subnet {
    network: Network,
    /// The process that listens here has the network.
    _claim: TcpListener,
}

/// Its first bytes; the last one is the host's.
#[derive(Clone, Copy, Debug)]
enum Network {
    V4([u8; 3]),
    V6,
}

impl Network {
    fn host(self, last: u8) -> IpAddr {
        match self {
            Self::V4([first, second, third]) => Ipv4Addr::new(first, second, third, last).into(),
            Self::V6 => Ipv6Addr::from(u128::from(IPV6) | u128::from(last)).into(),
        }
    }
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
            let network = Network::V4([127, (SECOND.start + number / 256) as u8, (number % 256) as u8]);
            match TcpListener::bind((network.host(1), 2378)) {
                Ok(claim) => return Ok(Self { network, _claim: claim }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// Takes the one for IPv6 alone.
    ///
    /// # Errors
    /// This process is not in its namespace, or another lab has it.
    pub fn claim_ipv6() -> io::Result<Self> {
        let network = Network::V6;
        Ok(Self { network, _claim: TcpListener::bind((network.host(1), 2378))? })
    }

    /// Where the AWS API answers.
    #[must_use]
    pub fn api(&self) -> SocketAddr {
        SocketAddr::from((self.network.host(1), 8000))
    }

    /// The instances' addresses.
    #[must_use]
    pub fn instances(&self) -> AddressRange {
        AddressRange { first: self.host(0), size: u32::from(u8::MAX - FIRST_HOST), reuse: false }
    }

    /// The address of the host with this number, from 0.
    #[must_use]
    pub fn host(&self, number: u8) -> IpAddr {
        self.network.host(FIRST_HOST.saturating_add(number))
    }
}

/// Where a founder at this address serves clients until its record counts. The loopback interface of a machine without IPv4 has such addresses too.
#[must_use]
pub fn founding(address: IpAddr) -> Ipv4Addr {
    let [second, third, fourth] = match address {
        IpAddr::V4(address) => [address.octets()[1], address.octets()[2], address.octets()[3]],
        IpAddr::V6(address) => [SECOND.start as u8, 0, address.octets()[15]],
    };
    Ipv4Addr::new(127, second.wrapping_add(FOUNDING), third, fourth)
}

/// Where the metadata service of the instance at this address answers.
#[must_use]
pub fn metadata(address: IpAddr) -> SocketAddr {
    SocketAddr::from((address, 8169))
}
