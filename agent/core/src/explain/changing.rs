//! Changes of the membership, and of the charter that tells of it.

use crate::charter::Record;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

/// Why a list of voters is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reconciles {
    /// It differs from etcd's.
    Difference,
    /// A voter was removed.
    Removal,
}

impl Reconciles {
    fn words(self) -> &'static str {
        match self {
            Self::Difference => "brings the charter's voters in line with etcd's",
            Self::Removal => "strikes a removed voter from the charter",
        }
    }
}

pub(crate) fn writes(why: Reconciles, next: &Record) -> Message {
    format!("{}: {next}", why.words()).into()
}

pub(crate) fn store_refused(why: Reconciles) -> Wait {
    wait(WaitReason::StoreRefused, format!("{}; the store refused it a moment ago", why.words()))
}
