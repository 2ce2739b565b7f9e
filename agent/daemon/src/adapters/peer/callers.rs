//! The agents that ask: a new server names itself when it asks the others, which may not know it yet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_core::ids::InstanceId;

/// The header in which a server's agent gives its instance id. It proves nothing: it only makes the agent ask AWS earlier.
pub(super) const HEADER: &str = "quorate-instance";

/// At most this many addresses are noted between two looks.
const ADDRESSES: usize = 64;

/// At most this many names are noted per address. A server has one name; several servers of a lab may share an address.
const NAMES: usize = 4;

/// EC2's ids are `i-` and 17 hexadecimal digits, formerly 8: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>.
const LONGEST: usize = 2 + 17;

/// The names given since they were last taken, by the address that gave them. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<Mutex<BTreeMap<IpAddr, BTreeSet<InstanceId>>>>);

impl Callers {
    /// Takes the names given since the last call.
    #[must_use]
    pub fn take(&self) -> BTreeSet<InstanceId> {
        let names = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        names.into_values().flatten().collect()
    }

    /// Notes a name that may be an instance's.
    pub(super) fn note(&self, from: IpAddr, name: &str) {
        let Some(name) = InstanceId::parse(name).ok().filter(|_| name.len() <= LONGEST) else { return };
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= ADDRESSES && !names.contains_key(&from) {
            return;
        }
        let of_this = names.entry(from).or_default();
        if of_this.len() < NAMES {
            of_this.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_neither_fills_the_notes_nor_brings_in_what_is_no_id() {
        let callers = Callers::default();
        let (stranger, server) = (IpAddr::from([10, 0, 0, 66]), IpAddr::from([10, 0, 0, 4]));
        for n in 0..1000 {
            callers.note(stranger, &format!("i-{n}"));
        }
        for odd in ["", "i-", "i-a\u{1b}[2J", "i-../../x", "db", &format!("i-{}", "a".repeat(18))] {
            callers.note(server, odd);
        }
        callers.note(server, "i-0123456789abcdef0");
        let noted = callers.take();
        assert!(noted.len() == NAMES + 1 && noted.contains(&InstanceId::new("i-0123456789abcdef0")), "{noted:?}");
        assert!(callers.take().is_empty());
        for n in 0..=255 {
            callers.note([10, 0, 1, n].into(), "i-a");
            callers.note([10, 0, 1, n].into(), &format!("i-{n}"));
        }
        assert_eq!(callers.take().len(), ADDRESSES + 1);
    }
}
