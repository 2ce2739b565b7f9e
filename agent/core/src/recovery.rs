//! What is known of a cluster that may have to be brought back by an operator, and what each way would keep and lose.
//!
//! Pure data from one observation, for `quorate recover` to show. What it says that a way would do is the planner's own answer to that order.

mod show;

use serde::{Deserialize, Serialize};

use crate::charter::Record;
use crate::explain::ways::{self as explain, refusal};
use crate::ids::{ClusterName, InstanceId, MemberId, SnapshotKey};
use crate::memory::{Memory, Order};
use crate::observation::{DataClaim, Observation, ReattachedVolume};
use crate::plan::Step;
use crate::planner;
use crate::policy::Policy;
use crate::quorum;
use crate::situation::Situation;
use crate::time::Timestamp;

/// Whether an instance can still bring its data back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// This node.
    Here,
    /// Its agent answers.
    Answers,
    /// It is gone for good.
    Gone,
    /// It is not known: silence is never consent.
    Silent,
}

/// One voter of the charter, or another instance that holds data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The instance.
    pub instance: InstanceId,
    /// The member that the charter lists for it; absent for one that it does not list.
    pub listed: Option<MemberId>,
    /// Whether it lives.
    pub life: Life,
    /// It sees a quorum.
    pub sees_quorum: bool,
    /// Its data, as its own agent says.
    pub data: DataClaim,
}

/// A snapshot of this history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSnapshot {
    /// Its key.
    pub key: SnapshotKey,
    /// Its last revision.
    pub revision: u64,
    /// How long ago it was stored, in seconds, by the store's clock and this node's.
    pub age_s: u64,
    /// Why it can never be restored, if that is known.
    pub refused: Option<String>,
}

/// One way to bring the cluster back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The command that orders it, on this node.
    pub command: String,
    /// What is kept.
    pub keeps: String,
    /// What is lost.
    pub loses: String,
    /// It would be begun at once.
    pub possible: bool,
    /// What the agent would do or wait for, in its own words.
    pub then: String,
}

/// Everything that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// This node.
    pub instance: InstanceId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// What the agent does or awaits now, and why nothing more happens without an operator.
    pub message: String,
    /// An operator must act.
    pub needs_operator: bool,
    /// This node or another sees a living quorum: nothing is to be recovered.
    pub quorum_lives: bool,
    /// The charter's highest record, and whether the store shows it.
    pub record: Option<String>,
    /// By the record quorum can never come back.
    pub quorum_is_lost: bool,
    /// This member's own list of voters, where it differs from the charter's: both, in this order.
    pub voters_differ: Option<(Vec<MemberId>, Vec<MemberId>)>,
    /// The charter's voters, then others that hold data or are silent.
    pub holders: Vec<Holder>,
    /// Snapshots of this history, newest first.
    pub snapshots: Vec<KeptSnapshot>,
    /// Why the list of snapshots is not known.
    pub snapshots_unknown: Option<String>,
    /// The order that is in force, in words.
    pub ordered: Option<String>,
    /// The ways.
    pub ways: Vec<Way>,
}

/// What is known, and what each way would do.
#[must_use]
pub fn of(seen: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> Recovery {
    let s = Situation::new(seen, memory, policy, now);
    let report = planner::plan(seen, memory, policy, now).report;
    let record = s.last_record();
    let facts = record.map(|r| planner::facts_of_recovery(&s, r));
    let holders = holders(&s, record);
    let sees_quorum = s.membership().is_some() || holders.iter().any(|h| h.sees_quorum);
    let snapshots = record.map(|r| snapshots(&s, r)).unwrap_or_default();
    let stored = &seen.snapshots.stored;
    Recovery {
        instance: s.me().clone(),
        cluster: seen.me.cluster.clone(),
        message: report.message.into_owned(),
        needs_operator: report.needs_operator,
        quorum_lives: sees_quorum,
        record: record.map(|r| if s.record() == Some(r) { r.to_string() } else { explain::only_remembered(r) }),
        quorum_is_lost: !sees_quorum && facts.as_ref().is_some_and(|f| f.is_lost),
        voters_differ: facts.and_then(|f| f.voters_differ),
        ways: ways(&s, record, &holders, &snapshots),
        holders,
        snapshots,
        snapshots_unknown: stored.fresh().is_none().then(|| stored.why_not_fresh().into_owned()),
        ordered: s.order().as_ref().map(explain::command),
    }
}

/// Why an order to recover is not accepted at all: it would be void, or could never be carried out as it is.
#[must_use]
pub fn refusal(order: &Order, seen: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> Option<String> {
    let s = Situation::new(seen, memory, policy, now);
    let known = of(seen, memory, policy, now);
    if known.quorum_lives {
        return Some(refusal::quorum_lives());
    }
    match order {
        Order::RecoverReattachedVolume if !seen.me.role.ways().runs_etcd => Some(refusal::distribution_moves_no_volume()),
        Order::RecoverReattachedVolume if seen.local.reattached.is_none() => Some(refusal::no_reattached_volume()),
        Order::RecoverSurvivor { although_voters_differ: false } => {
            known.voters_differ.map(|(own, charter)| refusal::voters_differ(&own, &charter))
        }
        Order::RecoverSnapshot { key: Some(key) } if known.snapshots_unknown.is_none() => {
            let usable = known.snapshots.iter().any(|kept| kept.key == *key && kept.refused.is_none());
            (!usable).then(|| s.last_record().map_or_else(|| refusal::no_charter_tells(key), |r| planner::why_not(&s, r, key)))
        }
        _ => None,
    }
}

/// What the agent would do first, or wait for, under this order.
#[must_use]
pub fn under(order: Order, seen: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> String {
    let memory = Memory { kept: crate::memory::PersistentState { order: Some(order), ..memory.kept.clone() }, ..memory.clone() };
    planner::plan(seen, &memory, policy, now).report.message.into_owned()
}

/// The charter's voters, then every other instance that holds data or of which nothing is known.
fn holders(s: &Situation<'_>, record: Option<&Record>) -> Vec<Holder> {
    let listed = record.into_iter().flat_map(|r| &r.voters);
    let mut all: Vec<Holder> = listed.map(|v| holder(s, &v.instance, Some(v.member))).collect();
    let known = |id: &InstanceId| record.is_some_and(|r| r.lists(id));
    let others = s.others().into_iter().chain([s.me().clone()]).filter(|id| !known(id)).map(|id| holder(s, &id, None));
    all.extend(others.filter(|h| h.life != Life::Gone && (h.life == Life::Silent || h.data != DataClaim::None)));
    all
}

fn holder(s: &Situation<'_>, instance: &InstanceId, listed: Option<MemberId>) -> Holder {
    let (instance, here) = (instance.clone(), instance == s.me());
    if here {
        let (data, sees_quorum) = (crate::peer_answer::data_claim(s.seen), s.membership().is_some());
        return Holder { instance, listed, life: Life::Here, sees_quorum, data };
    }
    match s.peer(&instance) {
        _ if s.is_gone(&instance) => Holder { instance, listed, life: Life::Gone, sees_quorum: false, data: DataClaim::Unknown },
        Some(answer) => {
            let (data, sees_quorum) = (answer.data.clone(), answer.quorum.is_some());
            Holder { instance, listed, life: Life::Answers, sees_quorum, data }
        }
        None => Holder { instance, listed, life: Life::Silent, sees_quorum: false, data: DataClaim::Unknown },
    }
}

fn snapshots(s: &Situation<'_>, record: &Record) -> Vec<KeptSnapshot> {
    let listing = s.seen.snapshots.stored.last();
    let of_lineage = planner::of_lineage(record, listing.map(|l| &l.snapshots[..]).unwrap_or_default());
    let kept = |stored: &crate::snapshot::Stored| KeptSnapshot {
        key: stored.key.clone(),
        revision: stored.manifest.revision,
        age_s: s.now.since(stored.stored_at).as_secs(),
        refused: s.memory.snapshots.refused.get(&stored.key).cloned(),
    };
    of_lineage.map(kept).collect()
}

fn ways(s: &Situation<'_>, record: Option<&Record>, holders: &[Holder], snapshots: &[KeptSnapshot]) -> Vec<Way> {
    let moved = s.seen.local.reattached.as_ref().filter(|_| s.ways().runs_etcd).map(|moved| reattached_volume(s, moved));
    let survivor = record.filter(|_| s.data().is_some()).map(|r| survivor(s, r, holders));
    moved.into_iter().chain(survivor).chain(snapshot(s, holders, snapshots)).chain([fresh(s)]).collect()
}

/// What the planner would do under `order`.
fn way(s: &Situation<'_>, order: Order, keeps: String, loses: String) -> Way {
    let command = format!("quorate {} --cluster {}", explain::command(&order), s.seen.me.cluster);
    let mut memory = s.memory.clone();
    memory.kept.order = Some(order);
    let plan = planner::plan(s.seen, &memory, s.policy, s.now);
    let possible = matches!(plan.step, Some(Step::CreateRecord(_) | Step::FetchSnapshot { .. } | Step::AdoptData { .. }));
    Way { command, keeps, loses, possible, then: plan.report.message.into_owned() }
}

fn reattached_volume(s: &Situation<'_>, moved: &ReattachedVolume) -> Way {
    let owner = &moved.owner;
    way(s, Order::RecoverReattachedVolume, explain::keeps_reattached_volume(owner), explain::loses_by_reattached_volume(owner))
}

fn survivor(s: &Situation<'_>, record: &Record, holders: &[Holder]) -> Way {
    let (revision, applied) = match holders.iter().find(|h| h.life == Life::Here).map(|h| &h.data) {
        Some(DataClaim::Holds { revision, applied, .. }) => (*revision, *applied),
        _ => (None, None),
    };
    let keeps = explain::keeps_own_data(revision.zip(applied));
    let left = planner::facts_of_recovery(s, record).left;
    let loses = if quorum::meets_every_quorum(record.voters.len(), left) {
        explain::loses_in_flight()
    } else {
        explain::loses_acknowledged(revision)
    };
    way(s, Order::RecoverSurvivor { although_voters_differ: false }, keeps, loses)
}

fn snapshot(s: &Situation<'_>, holders: &[Holder], snapshots: &[KeptSnapshot]) -> Option<Way> {
    let newest = snapshots.iter().find(|kept| kept.refused.is_none())?;
    let revision = newest.revision;
    let further = |h: &Holder| match h.data {
        DataClaim::Holds { revision: Some(theirs), .. } if theirs > revision => Some((h.instance.clone(), theirs - revision)),
        _ => None,
    };
    let further: Vec<_> = holders.iter().filter_map(further).collect();
    let mute = |h: &&Holder| matches!(h.data, DataClaim::Holds { revision: None, .. }) && h.listed.is_some();
    let mute: Vec<_> = holders.iter().filter(mute).map(|h| h.instance.clone()).collect();
    let loses = explain::loses_by_snapshot(revision, &further, &mute);
    Some(way(s, Order::RecoverSnapshot { key: None }, explain::keeps_snapshot(&newest.key, revision), loses))
}

fn fresh(s: &Situation<'_>) -> Way {
    way(s, Order::RecoverFresh, explain::keeps_nothing(), explain::loses_everything())
}
