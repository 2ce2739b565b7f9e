//! Changes of the membership, and of the charter that records it.

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
    /// The authority of certificates is rotated.
    Rotation,
}

impl Reconciles {
    fn words(self) -> &'static str {
        match self {
            Self::Difference => "updates the charter's voters to match etcd's",
            Self::Removal => "takes a removed voter out of the charter",
            Self::Rotation => "rotates the authority of certificates",
        }
    }
}

pub(crate) fn writes(why: Reconciles, next: &Record) -> Message {
    format!("{}: {next}", why.words()).into()
}

pub(crate) fn store_refused(why: Reconciles) -> Wait {
    wait(WaitReason::StoreRefused, format!("{}; the store refused it a moment ago", why.words()))
}
