//! How often strangers may ask.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::time::Timestamp;

/// One address may ask this often at once, and then once in a pause: an instance asks once in days.
const OF_ONE: Allowance = Allowance { at_once: 5, pause: Duration::from_secs(10) };

/// STS and EC2 are asked this often for all of them together. The account's other users of these APIs share its budget.
const OF_ALL: Allowance = Allowance { at_once: 20, pause: Duration::from_millis(500) };

/// The most addresses that are remembered.
const MOST: usize = 512;

#[derive(Clone, Copy)]
struct Allowance {
    at_once: u32,
    pause: Duration,
}

/// When an allowance is whole again.
#[derive(Clone, Copy, Debug, Default)]
struct Whole(Timestamp);

impl Whole {
    /// Takes one, or says how long to wait for it.
    fn take(&mut self, of: Allowance, now: Timestamp) -> Result<(), Duration> {
        let owed = self.0.since(now);
        let most = of.pause * (of.at_once - 1);
        if owed > most {
            return Err(owed.saturating_sub(most));
        }
        self.0 = now + owed + of.pause;
        Ok(())
    }
}

/// See the module. Time is the agent's own, which no one sets.
#[derive(Debug, Default)]
pub struct Rates {
    of: BTreeMap<IpAddr, Whole>,
    all: Whole,
}

impl Rates {
    /// Counts a question from this address.
    ///
    /// # Errors
    /// There were too many: how long to wait.
    pub fn admit(&mut self, from: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let from = from.to_canonical();
        self.of.retain(|_, whole| whole.0 > now);
        if self.of.len() >= MOST
            && !self.of.contains_key(&from)
            && let Some(soonest) = self.of.iter().min_by_key(|(_, whole)| whole.0).map(|(address, _)| *address)
        {
            self.of.remove(&soonest);
        }
        self.of.entry(from).or_default().take(OF_ONE, now)
    }

    /// Counts a question for STS.
    ///
    /// # Errors
    /// There were too many: how long to wait.
    pub fn ask(&mut self, now: Timestamp) -> Result<(), Duration> {
        self.all.take(OF_ALL, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp(1_000_000 + second * 1000)
    }

    #[test]
    fn one_address_asks_a_few_times_at_once_and_then_slowly() {
        let (mut rates, one, other) = (Rates::default(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!((0..5).all(|_| rates.admit(one, at(0)).is_ok()));
        assert_eq!(rates.admit(one, at(0)), Err(Duration::from_secs(10)));
        let mapped = IpAddr::V6(std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        assert!(rates.admit(mapped, at(0)).is_err(), "the same address");
        assert!(rates.admit(other, at(0)).is_ok());
        assert!(rates.admit(one, at(9)).is_err() && rates.admit(one, at(10)).is_ok() && rates.admit(one, at(10)).is_err());
        assert!((0..5).all(|_| rates.admit(one, at(100)).is_ok()), "it is forgiven in the end");
    }

    #[test]
    fn strangers_fill_neither_the_memory_nor_the_budget_of_the_account() {
        let mut rates = Rates::default();
        for n in 0..100_000_u32 {
            assert!(rates.admit(std::net::Ipv4Addr::from_bits(n).into(), at(0)).is_ok());
        }
        assert!(rates.of.len() <= MOST);
        let asked = (0..600).filter(|tenth| rates.ask(Timestamp(1_000_000 + tenth * 100)).is_ok()).count();
        assert!((130..=140).contains(&asked), "{asked} in a minute");
    }
}
