//! TLS: what the charter says of it never changes by the way, and no member starts without certificates of the cluster's authority that are valid now.

use crate::authority::AuthorityHash;
use crate::certificates::Unfit;
use crate::charter::{Record, State};
use crate::memory::Order;
use crate::observation::Member;
use crate::rotation::{Rotation, Told, Trust};
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
    let known = f.highest().ok().flatten().or(f.memory.kept.record.as_ref());
    let (named, rotates) = (known.and_then(|r| r.authority), known.and_then(|r| r.rotation).map(Rotation::also));
    let other = named.filter(|charter| *charter != own.authority && rotates != Some(own.authority));
    forbid(other, |charter| Unfit::OtherAuthority { own: own.authority, charter })?;
    let accepted = |hash: AuthorityHash| own.authority == hash || own.also == Some(hash);
    let stranger = named.into_iter().chain(rotates).find(|hash| !accepted(*hash));
    forbid(stranger, |authority| Unfit::Distrusts { authority })?;
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
        Transport::Plain => require(record.authority.is_none() && record.rotation.is_none(), RecordFault::NamesAuthority),
        Transport::Tls => {
            require(f.has_store(), NotOrdered::Founding)?;
            match before.filter(|before| (before.authority, before.rotation) != (record.authority, record.rotation)) {
                Some(before) if named.is_some() => rotates(f, record, before),
                _ => of_this_cluster(f, record, named),
            }
        }
    }
}

/// A record takes one step of a rotation, and changes nothing else of it.
fn rotates(f: &Facts<'_>, record: &Record, before: &Record) -> Verdict {
    require(record.state == State::Established && before.state == State::Established, RecordFault::ChangesAuthority)?;
    require(record.voters == before.voters, RecordFault::ChangesAuthority)?;
    let (Some(old), Some(new)) = (before.authority, record.authority) else { return Err(RecordFault::ChangesAuthority.into()) };
    match (before.rotation, record.rotation) {
        (None, Some(Rotation::To(next))) if new == old && next != old => {
            let held = f.seen.local.certificates.fresh().and_then(|own| own.next);
            require(f.memory.kept.order == Some(Order::RotateAuthority) && held == Some(next), RecordFault::RotationNotOrdered)
        }
        (Some(step @ Rotation::To(next)), Some(Rotation::From(former))) if new == next && former == old => {
            every_member(f, step, |told| told.loaded.accepts(old) && told.loaded.accepts(next))
        }
        (Some(step @ Rotation::From(_)), None) if new == old => every_member(f, step, |told| told.files.authority == new),
        _ => Err(RecordFault::ChangesAuthority.into()),
    }
}

/// Requires that each member that a quorum lists, this one included, has made the step before, by answers that count.
fn every_member(f: &Facts<'_>, step: Rotation, has: impl Fn(Told) -> bool) -> Verdict {
    let own = || {
        let files = f.seen.local.certificates.fresh()?.trust();
        Some(Told { files, loaded: f.memory.kept.loaded? })
    };
    let of = |m: &Member| {
        if f.is_mine(m) { own() } else { f.instance_behind(m).filter(|i| f.came_from(i)).and_then(|i| f.peer(&i)?.certificates) }
    };
    require(f.membership()?.members.iter().all(|m| of(m).is_some_and(&has)), RecordFault::RotatesTooEarly(step))
}

/// Requires that the running etcd does not accept what the charter wants, and would after a start.
pub(super) fn reloads(f: &Facts<'_>) -> Verdict {
    let own = f.seen.local.certificates.fresh().ok_or(Unread::Certificates)?;
    let record = f.charter()?;
    let wanted = record.authority.map(|authority| Trust { authority, also: record.rotation.map(Rotation::also) });
    let now = f.memory.kept.loaded.unwrap_or(Trust { authority: own.authority, also: None });
    let helps = wanted.is_some_and(|wanted| own.trust().accepts_as(&wanted) && !now.accepts_as(&wanted));
    require(helps, MemberFault::NothingToReload)
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
