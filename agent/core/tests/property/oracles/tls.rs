//! TLS, naively: a cluster has it or not from its first record on, its authority is the one that was established, and a member starts with its certificates.

use std::collections::BTreeSet;

use quorate_core::certificates::Certificates;
use quorate_core::charter::{Record, State, StoreView};
use quorate_core::member_url::Scheme;
use quorate_core::memory::Order;
use quorate_core::plan::Step;
use quorate_core::rotation::{Rotation, Trust};
use quorate_core::transport::Transport;

use super::facts::Facts;
use super::{Judgement, must};

/// The record that says what this cluster is.
fn known<'a>(f: &Facts<'a>) -> Option<&'a Record> {
    f.stored().filter(|_| f.can_trust()).or(f.w.memory.kept.record.as_ref())
}

/// Whether the cluster has TLS.
pub(super) fn has_tls(f: &Facts<'_>) -> bool {
    known(f).map_or(f.w.policy.transport, |r| r.transport) == Transport::Tls
}

/// The scheme of this cluster's URLs.
pub(super) fn scheme(f: &Facts<'_>) -> Scheme {
    if has_tls(f) { Scheme::Https } else { Scheme::Http }
}

fn certificates<'a>(f: &Facts<'a>) -> Result<&'a Certificates, &'static str> {
    f.w.seen.local.certificates.fresh().ok_or("it has no certificates")
}

pub(super) fn judge(step: &Step, f: &Facts<'_>) -> Judgement {
    let as_the_charter =
        |transport: &Transport| must((*transport == Transport::Tls) == has_tls(f), "it is not reached as the charter says");
    match step {
        Step::StartMember(_, transport) => {
            as_the_charter(transport)?;
            if !has_tls(f) {
                return Ok(());
            }
            let own = certificates(f)?;
            must((own.not_before..own.not_after).contains(&f.w.now), "its certificates are not valid now")?;
            must(known(f).and_then(|r| r.authority).is_none_or(|a| a == own.authority), "they are another authority's")
        }
        Step::RestoreOwnData { transport, .. } | Step::RestoreSnapshot { transport, .. } => as_the_charter(transport),
        Step::CreateRecord(record) if f.w.memory.kept.record.as_ref() != Some(record) => written(f, record),
        _ => Ok(()),
    }
}

fn written(f: &Facts<'_>, record: &Record) -> Judgement {
    let before = f.stored().or(f.w.memory.kept.record.as_ref());
    must(before.is_none_or(|b| b.transport == record.transport), "it changes whether the cluster has TLS")?;
    if let Some(before) = before.filter(|b| b.authority.is_some() && (b.authority, b.rotation) != (record.authority, record.rotation)) {
        return rotated(f, before, record);
    }
    match (before.and_then(|b| b.authority), record.authority) {
        (Some(before), after) => must(after == Some(before), "it changes the authority"),
        (None, None) => must(record.transport == Transport::Plain || record.state != State::Established, "it establishes no authority"),
        (None, Some(new)) => {
            must(record.transport == Transport::Tls && record.state == State::Established, "it names an authority too early")?;
            must(certificates(f)?.authority == new, "it names one that it has no certificates of")
        }
    }?;
    let store = !matches!(f.w.seen.store.fresh(), Some(StoreView::NotConfigured));
    must(record.transport == Transport::Plain || store, "there is no store to keep the authority")
}

/// A rotation begins by an operator's order alone, and with an authority that the store holds. No torn world is further than that.
fn rotated(f: &Facts<'_>, before: &Record, record: &Record) -> Judgement {
    let ordered = f.w.memory.kept.order == Some(Order::RotateAuthority);
    let next = certificates(f)?.next.map(Rotation::To);
    let begins = before.rotation.is_none() && record.rotation.is_some() && record.rotation == next;
    must(ordered && begins && record.authority == before.authority, "it changes the authority")?;
    must(record.state == State::Established && record.voters == before.voters, "it changes something else, too")
}

/// A start would change whose certificates etcd accepts, and to what the charter wants.
pub(super) fn has_to_reload(f: &Facts<'_>) -> Judgement {
    let record = f.stored().filter(|_| f.can_trust()).ok_or("the charter is not known")?;
    let own = certificates(f)?;
    let accepted = |of: Trust| [Some(of.authority), of.also].into_iter().flatten().collect::<BTreeSet<_>>();
    let wanted =
        accepted(Trust { authority: record.authority.ok_or("the cluster has no authority")?, also: record.rotation.map(Rotation::also) });
    must(accepted(own.trust()) == wanted, "its files do not hold what the charter wants")?;
    let loaded = f.w.memory.kept.loaded.map_or_else(|| BTreeSet::from([own.authority]), accepted);
    must(loaded != wanted, "it accepts that already")
}
