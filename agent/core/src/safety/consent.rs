//! A claim: who may take it over, and whether everybody consents to it, before it and since.

use crate::charter::{Origin, Record};
use crate::ids::{Generation, InstanceId};
use crate::memory::Order;
use crate::observation::DataClaim;

use super::facts::Facts;
use super::giving_up::{gives_up_data, orders_snapshot, orders_survivor};
use super::verdict::{Verdict, require};

pub(super) fn takeover(f: &Facts<'_>, record: &Record) -> bool {
    record.founder().is_some_and(|founder| founder == f.me() || f.has_ended(founder))
}

/// Silence is never consent: each is gone, or answers that it holds no data that counts and remembers no higher record.
pub(super) fn everyone_consents(f: &Facts<'_>, record: &Record) -> Verdict {
    for id in f.everybody_else() {
        if f.has_ended(&id) {
            continue;
        }
        let answer = f.peer(&id).ok_or("somebody is silent who is not known to be gone")?;
        require(answer.quorum.is_none(), "somebody sees a quorum")?;
        require(!f.has_another_key(&id) || an_order_covers(f, record), "somebody answers under another key than before")?;
        let signed = f.policy.network_trusted && f.signs_as_before(&id);
        require(signed || unsigned_will_do(f, record), "it rests on unsigned answers")?;
        let remembers_more = answer.record.as_ref().is_some_and(|r| r.number > record.number || (r.number == record.number && r != record));
        require(!remembers_more, "somebody remembers a higher record")?;
        require(!data_forbids(f, record, &answer.data, &id), "somebody holds data that counts")?;
    }
    Ok(())
}

/// Without TLS an answer permits founding `empty` on an absent charter and nothing else, unless an operator decides.
fn unsigned_will_do(f: &Facts<'_>, record: &Record) -> bool {
    (record.origin == Origin::Empty && record.number == 1) || an_order_covers(f, record)
}

/// An operator has decided.
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

/// The disk is empty, and this node's own claim of this generation stands, to which everybody has consented since it was made.
pub(super) fn begun_claim<'a>(f: &Facts<'a>, generation: Generation, token: &str) -> Result<&'a Record, &'static str> {
    let record = f.highest()?.ok_or("nothing was claimed")?;
    require(
        f.founds(record) && record.generation == generation && record.token() == token,
        "the highest record is not this node's own claim",
    )?;
    require(f.disk_is_empty(), "the disk is not empty")?;
    consented_since(f, record).map(|()| record)
}

/// The claim is of this run of the agent, and everybody has consented since it was made.
pub(super) fn consented_since(f: &Facts<'_>, record: &Record) -> Verdict {
    let (number, claimed_at) = f.memory.claimed.ok_or("the claim is not of this run of the agent")?;
    require(number == record.number, "the claim is not of this run of the agent")?;
    let asked_since = |id| f.seen.peers.get(id).and_then(|p| p.at()).is_some_and(|at| at > claimed_at);
    require(f.everybody_else().iter().all(|id| f.has_ended(id) || asked_since(id)), "not everybody was asked again after the claim")?;
    everyone_consents(f, record)
}
