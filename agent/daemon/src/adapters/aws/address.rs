//! Which of an instance's addresses counts: one rule for this instance, whose metadata name them, and for the others, whose addresses EC2 gives.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The family of the addresses at which members and agents are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpFamily {
    /// The private IPv4 address; the IPv6 address where the subnet has no other.
    #[default]
    Ipv4,
    /// The IPv6 address, and no other.
    Ipv6,
}

impl IpFamily {
    /// Reads the setting.
    ///
    /// # Errors
    /// It is neither; says what to write.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "ipv4" => Ok(Self::Ipv4),
            "ipv6" => Ok(Self::Ipv6),
            _ => Err("use ipv4, which includes subnets for IPv6 alone, or ipv6"),
        }
    }

    /// The address of an instance that has these.
    #[must_use]
    pub fn choose(self, ipv4: Option<Ipv4Addr>, ipv6: Option<Ipv6Addr>) -> Option<IpAddr> {
        let ipv6 = ipv6.map(IpAddr::V6);
        match self {
            Self::Ipv4 => ipv4.map(IpAddr::V4).or(ipv6),
            Self::Ipv6 => ipv6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dual_stack_instance_is_at_the_address_of_the_chosen_family() {
        let (v4, v6) = (Ipv4Addr::new(10, 0, 0, 7), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
        assert_eq!(IpFamily::Ipv4.choose(Some(v4), Some(v6)), Some(v4.into()));
        assert_eq!(IpFamily::Ipv6.choose(Some(v4), Some(v6)), Some(v6.into()));
        assert_eq!(IpFamily::Ipv4.choose(None, Some(v6)), Some(v6.into()), "a subnet for IPv6 alone");
        assert_eq!(IpFamily::Ipv6.choose(Some(v4), None), None, "the others would look for it elsewhere");
    }
}
