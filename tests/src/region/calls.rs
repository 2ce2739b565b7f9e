//! The number of calls by caller and kind: the polling budget is asserted on this.

use std::collections::BTreeMap;
use std::fmt;

use quorate_core::ids::InstanceId;

use super::Call;

/// The caller of the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// Somebody outside.
    Operator,
    /// The agent on an instance.
    Instance(InstanceId),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Instance(id) => write!(f, "{id}"),
        }
    }
}

/// The counts of calls.
#[derive(Debug, Default)]
pub struct CallCounts {
    counts: BTreeMap<Caller, Vec<u64>>,
}

impl CallCounts {
    /// How often this caller made this call.
    #[must_use]
    pub fn of(&self, caller: &Caller, call: Call) -> u64 {
        self.counts.get(caller).map_or(0, |row| row[call as usize])
    }

    /// How many calls this caller made.
    #[must_use]
    pub fn total(&self, caller: &Caller) -> u64 {
        self.counts.get(caller).map_or(0, |row| row.iter().sum())
    }

    /// Everything counted, without the zeroes.
    pub fn iter(&self) -> impl Iterator<Item = (&Caller, Call, u64)> {
        self.counts.iter().flat_map(|(caller, row)| {
            Call::ALL.iter().zip(row).filter(|(_, count)| **count > 0).map(move |(call, count)| (caller, *call, *count))
        })
    }

    pub(super) fn add(&mut self, caller: &Caller, call: Call) {
        if let Some(row) = self.counts.get_mut(caller) {
            row[call as usize] += 1;
            return;
        }
        let mut row = vec![0; Call::ALL.len()];
        row[call as usize] = 1;
        self.counts.insert(caller.clone(), row);
    }
}
