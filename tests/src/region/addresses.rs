//! The subnet's private addresses.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::AddressRange;

/// Which addresses are free.
#[derive(Debug)]
pub(super) struct Addresses {
    range: AddressRange,
    used: u32,
    freed: VecDeque<Ipv4Addr>,
}

impl Addresses {
    pub(super) fn new(range: AddressRange) -> Self {
        Self { range, used: 0, freed: VecDeque::new() }
    }

    /// With reuse, the address freed last comes first, which is the hardest case; without, only when no fresh one is left.
    pub(super) fn take(&mut self) -> Option<Ipv4Addr> {
        if self.range.reuse && !self.freed.is_empty() {
            return self.freed.pop_back();
        }
        if self.used == self.range.size {
            return self.freed.pop_front();
        }
        self.used += 1;
        Some(Ipv4Addr::from(u32::from(self.range.first) + self.used - 1))
    }

    pub(super) fn free(&mut self, address: Ipv4Addr) {
        self.freed.push_back(address);
    }
}
