//! TLS: what keeps a member from starting, or a cluster from being founded.

use std::time::Duration;

use crate::certificates::Unfit;
use crate::time::Timestamp;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn are_missing(why: &str) -> Wait {
    wait(WaitReason::Certificates, format!("waits for its certificates: {why}"))
}

pub(crate) fn are_unfit(why: Unfit) -> Wait {
    wait(WaitReason::Certificates, format!("does not start etcd with its certificates: {why}"))
}

pub(crate) fn need_a_store() -> Wait {
    let remedy = "set store.url or the tag quorate:store, or found a cluster without TLS by `mode = \"off\"` in [tls]";
    wait(
        WaitReason::NoStore,
        format!("does not found a cluster with TLS: its authority is kept in a store, and none is configured; {remedy}"),
    )
}

pub(crate) fn end_soon(at: Timestamp, left: Duration) -> Message {
    let why = "they were not renewed, as the journal says";
    if left.is_zero() {
        return format!("its certificates ended at {}: {why}", at.utc()).into();
    }
    format!("its certificates end in {} h, at {}: {why}", left.as_secs() / 3600, at.utc()).into()
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OtherAuthority { own, charter } => write!(f, "they come from authority {own}, and the charter names {charter}"),
            Self::Distrusts { authority } => write!(f, "they do not accept those of authority {authority}, which the charter names"),
            Self::NotYet { from } => {
                write!(
                    f,
                    "they are valid from {} on, so this machine's clock, or that of the machine that made the authority, is wrong",
                    from.utc()
                )
            }
            Self::Ended { at } => write!(f, "they ended at {}", at.utc()),
        }
    }
}
