//! Claims: which node may take one over, and whether every other instance consents, before the claim is made and since.

use crate::charter::{Origin, Record};
use crate::ids::{Generation, InstanceId};
use crate::memory::Order;
use crate::observation::DataClaim;

use super::facts::Facts;
use super::giving_up::{gives_up_data, orders_snapshot, orders_survivor};
use super::refusal::{ClaimFault, NoConsent};
use super::verdict::{Verdict, forbid, require};

pub(super) fn takeover(f: &Facts<'_>, record: &Record) -> bool {
    record.founder().is_some_and(|founder| founder == f.me() || f.has_ended(founder))
}

/// Why a claim that is not void, or another record, forbids the next claim.
pub(super) fn stands(record: &Record) -> ClaimFault {
    ClaimFault::Stands { record: record.number, founder: record.founder().cloned() }
}

/// Requires that every other instance has ended, or answers that it holds no data that counts and remembers no higher record. Silence is never consent.
pub(super) fn everyone_consents(f: &Facts<'_>, record: &Record) -> Verdict {
    for id in f.everybody_else() {
        if f.has_ended(&id) {
            continue;
        }
        consents(f, record, &id)?;
    }
    Ok(())
}

fn consents(f: &Facts<'_>, record: &Record, id: &InstanceId) -> Verdict {
    let answer = f.peer(id).ok_or_else(|| NoConsent::Silent(id.clone()))?;
    forbid(answer.quorum, |cluster| NoConsent::SeesQuorum(id.clone(), cluster))?;
    require(!f.has_another_key(id) || an_order_covers(f, record), NoConsent::AnotherKey(id.clone()))?;
    let signed = f.came_from(id) && f.signs_as_before(id);
    require(signed || unsigned_will_do(f, record), NoConsent::Unsigned(id.clone()))?;
    let is_more = |r: &&Record| r.number > record.number || (r.number == record.number && *r != record);
    let remembered = answer.record.as_ref().filter(is_more);
    forbid(remembered, |r| NoConsent::RemembersMore { instance: id.clone(), record: r.number, claim: record.number })?;
    let held = Some(&answer.data).filter(|data| data_forbids(f, record, data, id));
    forbid(held, |data| match data {
        DataClaim::Holds { generation, .. } => NoConsent::HoldsData { instance: id.clone(), generation: *generation },
        DataClaim::Unknown | DataClaim::None => NoConsent::DataUnknown(id.clone()),
    })
}

/// Whether an untrusted or unsigned answer is enough: only for founding `empty` on an absent charter, unless an operator decides.
fn unsigned_will_do(f: &Facts<'_>, record: &Record) -> bool {
    (record.origin == Origin::Empty && record.number == 1) || an_order_covers(f, record)
}

/// Whether an operator's order covers this claim.
fn an_order_covers(f: &Facts<'_>, record: &Record) -> bool {
    let order = f.memory.kept.order.as_ref();
    match &record.origin {
        Origin::Empty => order == Some(&Order::Bootstrap),
        Origin::Fresh => order == Some(&Order::RecoverFresh),
        Origin::Survivor { .. } => orders_survivor(f).is_some(),
        Origin::Snapshot { .. } => orders_snapshot(f, record),
    }
}

fn data_forbids(f: &Facts<'_>, record: &Record, data: &DataClaim, id: &InstanceId) -> bool {
    match (&record.origin, data) {
        (Origin::Fresh, _) if f.memory.kept.order == Some(Order::RecoverFresh) => false,
        (_, DataClaim::None) => false,
        (_, DataClaim::Unknown) => true,
        (_, DataClaim::Holds { voter: Some(false), .. }) => false,
        (_, DataClaim::Holds { generation: Some(g), .. }) if record.ever_established.is_some_and(|e| *g < e) => false,
        (Origin::Survivor { .. }, DataClaim::Holds { .. }) if !record.lists(id) => false,
        (Origin::Survivor { .. }, DataClaim::Holds { applied, .. }) => {
            let status = f.data().and_then(|d| d.member).and_then(|m| f.seen.etcd.statuses.get(&m)).and_then(|s| s.last());
            let ahead = |theirs: u64| status.is_some_and(|mine| (theirs, f.me()) > (mine.applied, id));
            let further = |theirs: u64| status.is_some_and(|mine| theirs > mine.applied);
            if orders_survivor(f).is_some() { applied.is_some_and(further) } else { applied.is_none_or(ahead) }
        }
        (Origin::Snapshot { .. }, DataClaim::Holds { .. }) => !gives_up_data(f, record),
        (_, DataClaim::Holds { .. }) => true,
    }
}

/// Returns this node's own claim of this generation. It requires that the disk is empty, and that every other instance has consented since the claim was
/// made.
pub(super) fn begun_claim<'a>(f: &Facts<'a>, generation: Generation, token: &str) -> Verdict<&'a Record> {
    let record = f.highest()?.ok_or(ClaimFault::None)?;
    let own = f.founds(record) && record.generation == generation && record.token() == token;
    require(own, ClaimFault::NotOwn(record.number))?;
    f.needs_an_empty_disk()?;
    consented_since(f, record).map(|()| record)
}

/// Requires that this run of the agent made the claim, and that every other instance has consented since.
pub(super) fn consented_since(f: &Facts<'_>, record: &Record) -> Verdict {
    let earlier = ClaimFault::EarlierRun(record.number);
    let Some((_, claimed_at)) = f.memory.claimed.filter(|(number, _)| *number == record.number) else { return Err(earlier.into()) };
    let asked_since = |id: &InstanceId| f.seen.peers.get(id).and_then(|p| p.at()).is_some_and(|at| at > claimed_at);
    let unasked = f.everybody_else().into_iter().find(|id| !(f.has_ended(id) || asked_since(id)));
    forbid(unasked, ClaimFault::NotAskedSince)?;
    everyone_consents(f, record)
}
