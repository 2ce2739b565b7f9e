//! The subnet's private addresses.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::AddressRange;

/// Which addresses are free.
#[derive(Debug)]
pub(super) struct Addresses {
    range: AddressRange,
    used: u32,
    freed: VecDeque<IpAddr>,
}

impl Addresses {
    pub(super) fn new(range: AddressRange) -> Self {
        Self { range, used: 0, freed: VecDeque::new() }
    }

    /// With reuse, the address freed last comes first, which is the hardest case; without, only when no fresh one is left.
    pub(super) fn take(&mut self) -> Option<IpAddr> {
        if self.range.reuse && !self.freed.is_empty() {
            return self.freed.pop_back();
        }
        if self.used == self.range.size {
            return self.freed.pop_front();
        }
        self.used += 1;
        let number = self.used - 1;
        Some(match self.range.first {
            IpAddr::V4(first) => Ipv4Addr::from(u32::from(first) + number).into(),
            IpAddr::V6(first) => Ipv6Addr::from(u128::from(first) + u128::from(number)).into(),
        })
    }

    pub(super) fn free(&mut self, address: IpAddr) {
        self.freed.push_back(address);
    }
}
