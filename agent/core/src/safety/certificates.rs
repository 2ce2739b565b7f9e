//! TLS: what the charter says of it never changes by the way, and no member starts without certificates of the cluster's authority that are valid now.

use crate::authority::AuthorityHash;
use crate::certificates::Unfit;
use crate::charter::{Record, State};
use crate::transport::Transport;

use super::facts::Facts;
use super::refusal::{MemberFault, NotOrdered, RecordFault, Unread};
use super::verdict::{Verdict, forbid, require};

impl Facts<'_> {
    /// Requires that a member is made to be reached as the charter says.
    pub(super) fn needs_transport(&self, transport: Transport) -> Verdict {
        require(!self.ways().runs_etcd || transport == self.transport(), MemberFault::WrongTransport(transport))
    }
}

/// Checked before a member starts.
pub(super) fn starts_with(f: &Facts<'_>, transport: Transport) -> Verdict {
    f.needs_transport(transport)?;
    if !f.ways().runs_etcd || transport == Transport::Plain {
        return Ok(());
    }
    let own = f.seen.local.certificates.fresh().ok_or(Unread::Certificates)?;
    let known = f.highest().ok().flatten().or(f.memory.kept.record.as_ref()).and_then(|r| r.authority);
    let other = known.filter(|charter| *charter != own.authority);
    forbid(other, |charter| Unfit::OtherAuthority { own: own.authority, charter })?;
    require(own.not_before <= f.now, Unfit::NotYet { from: own.not_before })?;
    require(f.now < own.not_after, Unfit::Ended { at: own.not_after })
}

/// Checked before any record is written that does not only bring back a vanished one.
pub(super) fn keeps(f: &Facts<'_>, record: &Record, highest: Option<&Record>) -> Verdict {
    let before = highest.or(f.memory.kept.record.as_ref());
    let changed = before.filter(|before| before.transport != record.transport);
    forbid(changed, |before| RecordFault::ChangesTransport(before.number))?;
    let named = before.and_then(|before| before.authority);
    match record.transport {
        Transport::Plain => require(record.authority.is_none(), RecordFault::NamesAuthority),
        Transport::Tls => {
            require(f.has_store(), NotOrdered::Founding)?;
            of_this_cluster(f, record, named)
        }
    }
}

/// Only `established` names an authority for the first time: the one that this node's own certificates come from.
fn of_this_cluster(f: &Facts<'_>, record: &Record, named: Option<AuthorityHash>) -> Verdict {
    if named.is_some() {
        return require(record.authority == named, RecordFault::ChangesAuthority);
    }
    match record.state {
        State::Established => {
            let own = f.seen.local.certificates.fresh().map(|own| own.authority);
            require(own.is_some() && record.authority == own, RecordFault::ChangesAuthority)
        }
        State::Founding { .. } | State::Retired { .. } => require(record.authority.is_none(), RecordFault::NamesAuthority),
    }
}
