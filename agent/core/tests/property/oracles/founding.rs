//! Charter records, founding, recovery and starting again, naively.

use std::collections::BTreeSet;

use quorate_core::charter::{Origin, Record, State, StoreView};
use quorate_core::ids::{Generation, InstanceId, MemberId, SnapshotKey};
use quorate_core::memory::Order;
use quorate_core::observation::{DataClaim, LifecycleState, Saved, Transition, Warmed};
use quorate_core::policy::Recovery;
use quorate_core::snapshot::Trigger;

use super::facts::Facts;
use super::{Judgement, must, snapshots};

pub(super) fn record(f: &Facts<'_>, record: &Record) -> Judgement {
    let known = f.charters();
    if f.w.memory.kept.record.as_ref() == Some(record) && f.stored() != Some(record) {
        let proven = f.disk_is_empty() || f.cluster().is_some();
        must(proven, "a node with data rewrites a record without a quorum's word")?;
        return must(fits_in(f, record), "it does not continue the store's records, nor they it");
    }
    must(known.iter().all(|r| r.number < record.number), "its number is taken")?;
    must(known.iter().all(|r| r.ever_established <= record.ever_established), "it forgets what was established")?;
    must(f.w.seen.store.fresh().is_some(), "the store was not read")?;
    match &record.state {
        State::Founding { founder } => {
            must(*founder == f.w.seen.me.instance, "another is the founder")?;
            claim(f, record)
        }
        State::Established if f.w.seen.local.reattached.is_some() => moved(f, record),
        State::Established => established(f, record),
        State::Retired { key, revision } => retired(f, record, key, *revision),
    }
}

/// The one member is listed here instead of where its volume was; nothing else changes.
fn moved(f: &Facts<'_>, record: &Record) -> Judgement {
    must(record.voters.len() == 1 && record.voters[0].instance == f.w.seen.me.instance, "it lists another")?;
    let before = super::volume(f, record.voters[0].member)?;
    let same = (before.generation, &before.origin, before.etcd_cluster, &before.ancestors);
    must((record.generation, &record.origin, record.etcd_cluster, &record.ancestors) == same, "it tells another story")
}

/// No client is left that could write and no member that could vote, and the snapshot that the record names was taken since then.
fn retired(f: &Facts<'_>, record: &Record, key: &SnapshotKey, revision: u64) -> Judgement {
    let before = f.stored().filter(|r| f.is_established(r)).ok_or("nothing is established")?;
    must(f.can_trust() && is_alone_in(f, before), "its data is not the record's, or others vote")?;
    must(
        before.voters == record.voters && before.generation == record.generation && before.origin == record.origin,
        "it tells another story",
    )?;
    must(before.etcd_cluster == record.etcd_cluster && before.ancestors == record.ancestors, "it tells another story")?;
    must(f.is_stopped() && f.is_leaving() && f.is_told_to_leave(), "it serves on")?;
    must(f.nobody_else_votes(), "others vote")?;
    let names = |s: &Saved| s.key == *key && s.revision == revision;
    let taken = f.w.seen.snapshots.taken.as_ref().filter(|t| t.trigger == Trigger::Final).and_then(|t| t.result.as_ref().ok());
    must(taken.is_some_and(names) && f.covers_all(names), "it names what may lack a write")
}

/// This node is the record's only voter that has not ended, and its data is here.
pub(super) fn is_alone_in(f: &Facts<'_>, record: &Record) -> bool {
    let me = &f.w.seen.me.instance;
    let others = record.voters.iter().filter(|v| v.instance != *me);
    let data = f.data().is_some_and(|d| d.generation == Some(record.generation) && d.cluster.is_some() && d.cluster == record.etcd_cluster);
    data && record.lists(me) && others.into_iter().all(|v| f.is_gone(&v.instance))
}

/// All data here is in the snapshot that the record names.
pub(super) fn is_retired_from(f: &Facts<'_>, record: &Record) -> bool {
    let same = f.data().is_some_and(|d| d.generation == Some(record.generation) && d.cluster == record.etcd_cluster);
    same && matches!(record.state, State::Retired { .. })
}

/// There is a place for it: directly after the highest, directly before another, or at the very beginning.
fn fits_in(f: &Facts<'_>, record: &Record) -> bool {
    let Some(StoreView::Charter(log)) = f.w.seen.store.fresh() else { return record.number == 1 };
    let taken = log.records.iter().any(|r| r.number == record.number);
    let after = log.records.last().is_some_and(|r| record.previous.as_ref() == Some(&r.digest()) && record.number == r.number + 1);
    let above = record.origin == Origin::Fresh && record.founder().is_some() && log.records.iter().all(|r| r.number < record.number);
    let digest = record.digest();
    let fresh = |r: &Record| r.origin == Origin::Fresh && r.founder().is_some();
    let before = log.records.iter().any(|r| r.number == record.number + 1 && (r.previous.as_ref() == Some(&digest) || fresh(r)));
    !taken && (after || above || before)
}

/// It is neither leaving nor warm, and a launch hook that waits for it has accepted a heartbeat.
fn stands(f: &Facts<'_>) -> bool {
    let warm = matches!(f.w.seen.target.last(), Some(Some(LifecycleState::Warmed(_))));
    let waits = matches!(f.w.seen.cloud.own_state.last(), Some(LifecycleState::PendingWait));
    let hooks = f.w.seen.cloud.hooks.last().into_iter().flatten().filter(|h| h.transition == Transition::Launching);
    let heard = |hook| f.w.memory.hooks.heartbeats.get(hook).is_some_and(|b| b.accepted.is_some()) || f.has_completed(hook);
    !f.is_leaving() && !warm && (!waits || hooks.map(|h| &h.hook).all(heard))
}

fn claim(f: &Facts<'_>, record: &Record) -> Judgement {
    must(f.can_trust() || f.w.memory.kept.order == Some(Order::RecoverFresh), "it rests on a charter that cannot be trusted")?;
    must(matches!(record.origin, Origin::Survivor { .. }) || stands(f), "it leaves, is warm, or cannot keep its launch open")?;
    must(f.cluster().is_none(), "a quorum is alive")?;
    must(f.charters().iter().chain(&f.told()).all(|r| r.generation < record.generation), "its generation is taken")?;
    must(f.told().iter().all(|r| r.ever_established <= record.ever_established), "it forgets what a peer says was established")?;
    let ever = f.charters().iter().any(|r| r.ever_established.is_some());
    let ordered = f.w.memory.kept.order == Some(Order::RecoverFresh);
    let bootstrap = f.w.memory.kept.order == Some(Order::Bootstrap);
    let survivor = matches!((&f.w.memory.kept.order, &record.origin), (Some(Order::RecoverSurvivor { .. }), Origin::Survivor { .. }));
    let stored = !matches!(f.w.seen.store.fresh(), Some(StoreView::NotConfigured));
    must(stored || bootstrap || survivor || (ordered && record.origin == Origin::Fresh), "there is no store, and no operator ordered it")?;
    let before = f.stored();
    let takes_over = before.is_none_or(|r| match &r.state {
        State::Founding { founder } => *founder == f.w.seen.me.instance || f.is_gone(founder),
        State::Established | State::Retired { .. } => false,
    });
    match &record.origin {
        Origin::Empty => {
            must(!ever, "origin `empty` after a generation was established")?;
            must(takes_over && f.disk_is_empty(), "another founder lives, or there is data")?;
            let tagged = f.w.seen.cloud.tagged.fresh();
            must(tagged.is_some_and(|t| t.contains(&f.w.seen.me.instance)), "who else bears the cluster's tag is not known")?;
        }
        Origin::Fresh => must(ordered || (takes_over && before.is_some_and(|r| r.origin == Origin::Fresh)), "no operator ordered it")?,
        Origin::Survivor { .. } => survives(f, record)?,
        Origin::Snapshot { key } => snapshots::claim(f, record, before, key)?,
    }
    everyone_agrees(f, record, None)
}

/// Before etcd is stopped for a recovery, and before its data is restored: the claim stands, no quorum lives, and every other instance agrees.
pub(super) fn survivor(f: &Facts<'_>) -> Judgement {
    let record = f.stored().filter(|r| f.founds(r)).ok_or("no claim of its own stands")?;
    must(matches!(record.origin, Origin::Survivor { .. }), "the claim is no survivor's")?;
    must(f.cluster().is_none(), "a quorum is alive")?;
    everyone_agrees(f, record, None)
}

pub(super) fn restore(f: &Facts<'_>, generation: Generation) -> Judgement {
    must(f.is_stopped(), "etcd is not known to be stopped")?;
    must(f.stored().is_some_and(|r| r.generation == generation), "the claim is another generation's")?;
    survivor(f)
}

/// Quorum is lost for good, policy allows it, and what survives meets every majority of the charter's voters.
fn survives(f: &Facts<'_>, record: &Record) -> Judgement {
    let ordered = survivor_order(f);
    must(ordered.is_some() || f.w.policy.recovery != Recovery::Halt, "policy forbids it")?;
    must(f.generation().is_some() && f.generation() == record.ever_established, "its data is of another generation")?;
    let own = f.own_member().ok_or("its member is not known")?;
    let status = f.w.seen.etcd.statuses.get(&own).and_then(|s| s.fresh());
    must(status.map_or(ordered.is_some(), |s| s.leader.is_none()), "its member knows a leader, or does not answer")?;
    let before = f.stored().ok_or("there is no charter")?;
    must(before.lists(&f.w.seen.me.instance), "the charter does not list it")?;
    let claimed_by = before.founder().filter(|founder| **founder != f.w.seen.me.instance);
    must(claimed_by.is_none_or(|other| f.is_gone(other) || lost_all(f, before, other)), "another has claimed, and may restore yet")?;
    if let Some(although_they_differ) = ordered {
        return survives_by_order(f, before, although_they_differ);
    }
    let list = f.w.seen.etcd.local_list.fresh().ok_or("its own list is not known")?;
    let ids = |all: &mut dyn Iterator<Item = MemberId>| all.collect::<BTreeSet<_>>();
    let mine = ids(&mut list.iter().filter(|m| !m.learner).map(|m| m.id));
    must(mine == ids(&mut before.voters.iter().map(|v| v.member)), "its list differs from the charter's")?;
    let left = list.iter().filter(|m| !m.learner && (m.id == own || !f.is_lost(m))).count();
    must(2 * left <= mine.len(), "quorum is not lost")?;
    if f.w.policy.recovery == Recovery::Any && !every_majority_has_a_survivor(mine.len(), left) {
        return survives_by_any(f, before, status.and_then(|s| s.revision));
    }
    must(every_majority_has_a_survivor(mine.len(), left), "an acknowledged write may be missing")
}

/// Whether the order to continue from its own data says that the voters may differ.
fn survivor_order(f: &Facts<'_>) -> Option<bool> {
    match &f.w.memory.kept.order {
        Some(Order::RecoverSurvivor { although_voters_differ }) => Some(*although_voters_differ),
        _ => None,
    }
}

/// The operator chose it: but it must be a voter's data, and no quorum may be able to come back, by the charter and by its own list.
fn survives_by_order(f: &Facts<'_>, before: &Record, although_they_differ: bool) -> Judgement {
    let own = f.own_member();
    must(before.voters.iter().any(|v| Some(v.member) == own && v.instance == f.w.seen.me.instance), "its data never voted")?;
    must(can_never_come_back(f, before), "quorum may come back")?;
    let Some(list) = f.w.seen.etcd.local_list.fresh() else { return Ok(()) };
    let mine: BTreeSet<MemberId> = list.iter().filter(|m| !m.learner).map(|m| m.id).collect();
    let charter: BTreeSet<MemberId> = before.voters.iter().map(|v| v.member).collect();
    must(mine == charter || although_they_differ, "its list differs from the charter's, and no operator has chosen")?;
    let left = list.iter().filter(|m| !m.learner && (Some(m.id) == own || !f.is_lost(m))).count();
    must(2 * left <= mine.len(), "by its own list quorum may come back")
}

/// The charter's voters that may still have their data are no majority.
pub(super) fn can_never_come_back(f: &Facts<'_>, record: &Record) -> bool {
    let lost = |v: &quorate_core::charter::ListedVoter| match v.instance == f.w.seen.me.instance {
        true => f.disk_is_empty(),
        false => f.is_gone(&v.instance) || (f.is_its_own(&v.instance) && f.disowns(&v.instance, v.member)),
    };
    2 * record.voters.iter().filter(|v| !lost(v)).count() <= record.voters.len()
}

/// After ten minutes, from data than which no survivor and no snapshot is known to have more.
fn survives_by_any(f: &Facts<'_>, before: &Record, mine: Option<u64>) -> Judgement {
    let mine = mine.ok_or("its own revision is not known")?;
    must(waited(f), "it has not waited")?;
    for id in before.voters.iter().map(|v| &v.instance).filter(|id| **id != f.w.seen.me.instance && !f.is_gone(id)) {
        let data = f.w.seen.peers.get(id).and_then(|p| p.fresh()).map(|p| &p.data);
        must(!matches!(data, Some(DataClaim::Holds { revision: None, .. })), "how far a survivor goes is not known")?;
    }
    if !f.w.policy.snapshots.enabled || matches!(f.w.seen.store.fresh(), Some(StoreView::NotConfigured)) {
        return Ok(());
    }
    let listing = f.w.seen.snapshots.stored.fresh().ok_or("the snapshots were not listed")?;
    let data = f.data().ok_or("there is no data")?;
    let same = |m: &quorate_core::snapshot::Manifest| Some(m.generation) == data.generation && Some(m.etcd_cluster) == data.cluster;
    let further = listing.snapshots.iter().filter(|s| same(&s.manifest) && s.manifest.revision > mine);
    must(further.clone().all(|s| f.w.memory.snapshots.refused.contains_key(&s.key)), "a snapshot goes further")
}

/// Quorum has been lost for ten minutes.
pub(super) fn waited(f: &Facts<'_>) -> bool {
    f.lost_since().is_some_and(|since| f.w.now.0 - since.0 >= 600_000)
}

/// The founder says, credibly, that it has neither its old data nor its new.
fn lost_all(f: &Facts<'_>, before: &Record, founder: &InstanceId) -> bool {
    if matches!(before.origin, Origin::Snapshot { .. }) {
        return false;
    }
    let old = before.voters.iter().filter(|v| v.instance == *founder).all(|v| f.disowns(founder, v.member));
    let data = f.w.seen.peers.get(founder).and_then(|p| p.fresh()).map(|p| &p.data);
    let new = match data {
        Some(DataClaim::None) => false,
        Some(DataClaim::Holds { generation, .. }) => generation.is_none_or(|g| g >= before.generation),
        _ => true,
    };
    f.is_its_own(founder) && old && !new && !f.may_be_an_impostor(founder)
}

fn every_majority_has_a_survivor(voters: usize, left: usize) -> bool {
    let survivors = (1_u32 << left) - 1;
    (0_u32..1 << voters).filter(|set| 2 * set.count_ones() as usize > voters).all(|set| set & survivors != 0)
}

fn established(f: &Facts<'_>, record: &Record) -> Judgement {
    let before = f.stored().ok_or("nothing was claimed")?;
    must(before.generation == record.generation && before.origin == record.origin, "it is of another generation")?;
    must(record.etcd_cluster.is_some() && record.etcd_cluster == f.cluster(), "it names an etcd cluster that does not answer")?;
    let voters = f.voters()?;
    // One that belongs to no instance cannot be listed.
    let somebodys = |id: &&MemberId| f.is_own(**id) || f.entry(**id).is_some_and(|m| f.owner_of(&m).is_some());
    must(voters.iter().filter(somebodys).all(|id| record.voters.iter().any(|v| v.member == *id)), "it leaves out a voter")?;
    let right = |v: &quorate_core::charter::ListedVoter| f.entry(v.member).is_some_and(|m| m.name.is_none_or(|name| name == v.instance));
    must(record.voters.iter().all(right), "it lists one that etcd does not have, or under another's name")?;
    must(record.voters.len() <= voters.len() + 1, "it lists more than the voters and one learner")?;
    match &before.state {
        State::Founding { founder } => {
            must(*founder == f.w.seen.me.instance && f.generation() == Some(record.generation), "only the founder establishes")?;
            must(record.voters.len() == 1, "a founder is alone")
        }
        State::Established => {
            must(before.etcd_cluster == record.etcd_cluster, "the generation changes its etcd cluster")?;
            must(f.holds_lock(), "the lock is not held")
        }
        State::Retired { .. } => Err("the generation was retired"),
    }
}

/// No instance is silent, none remembers more, and none holds data that the new generation would lose.
pub(super) fn everyone_agrees(f: &Facts<'_>, record: &Record, since: Option<u64>) -> Judgement {
    let ordered = f.w.memory.kept.order == Some(Order::RecoverFresh) && record.origin == Origin::Fresh;
    for id in everybody_else(f).iter().filter(|id| !f.is_gone(id)) {
        let reading = f.w.seen.peers.get(id).ok_or("an instance is silent")?;
        let answer = reading.fresh().ok_or("an instance is silent")?;
        must(since.is_none_or(|moment| reading.at().is_some_and(|at| at.0 > moment)), "an instance was not asked again")?;
        must(answer.quorum.is_none(), "an instance sees a quorum")?;
        let first = record.origin == Origin::Empty && record.number == 1;
        let bootstrap = f.w.memory.kept.order == Some(Order::Bootstrap);
        let chosen = matches!(
            (&f.w.memory.kept.order, &record.origin),
            (Some(Order::RecoverSurvivor { .. }), Origin::Survivor { .. }) | (Some(Order::RecoverSnapshot { .. }), Origin::Snapshot { .. })
        );
        let decided = ordered || chosen || (bootstrap && record.origin == Origin::Empty);
        must(decided || !f.has_changed_its_key(id), "another process may answer for it")?;
        let signed = f.is_its_own(id) && !f.may_be_an_impostor(id);
        must(signed || first || ordered || bootstrap || chosen, "it rests on an unsigned answer")?;
        let more = answer.record.as_ref().is_some_and(|r| r.number > record.number || (r.number == record.number && r != record));
        must(!more, "an instance remembers more")?;
        must(ordered || !forbids(f, record, &answer.data, id), "an instance holds data that counts")?;
    }
    Ok(())
}

fn forbids(f: &Facts<'_>, record: &Record, data: &DataClaim, id: &InstanceId) -> bool {
    let DataClaim::Holds { generation, voter, applied, .. } = data else { return *data == DataClaim::Unknown };
    let old = generation.is_some() && *generation < record.ever_established;
    if old || *voter == Some(false) {
        return false;
    }
    let survivor = matches!(record.origin, Origin::Survivor { .. });
    let mine = f.own_member().and_then(|m| f.w.seen.etcd.statuses.get(&m)).and_then(|s| s.fresh()).map(|s| s.applied);
    match (*applied, mine) {
        _ if matches!(record.origin, Origin::Snapshot { .. }) => !snapshots::may_give_up(f, record),
        _ if !survivor => true,
        // Among survivors only the charter's voters are compared.
        _ if !record.lists(id) => false,
        (Some(theirs), Some(mine)) if survivor_order(f).is_some() => theirs > mine,
        _ if survivor_order(f).is_some() => false,
        (None, _) => true,
        (Some(theirs), Some(mine)) => theirs > mine || (theirs == mine && *id < f.w.seen.me.instance),
        // Once its etcd is stopped the claim stands for the comparison that was made before it.
        (Some(_), None) => false,
    }
}

/// The instances listed now or once seen, and the charter's voters; but not a machine that is off in the warm pool, unless a charter lists it.
fn everybody_else(f: &Facts<'_>) -> BTreeSet<InstanceId> {
    let listed = f.w.seen.cloud.listed.last();
    let off = |id: &InstanceId| {
        let state = listed.and_then(|l| l.get(id)).map(|i| i.state);
        matches!(state, Some(LifecycleState::Warmed(Warmed::Stopped | Warmed::Hibernated)))
    };
    let tagged = f.w.seen.cloud.tagged.last().into_iter().flatten();
    let seen = listed.into_iter().flat_map(|l| l.keys()).chain(tagged).chain(f.w.memory.kept.seen.keys()).filter(|id| !off(id));
    let voters = f.charters().into_iter().flat_map(|r| r.voters.iter().map(|v| &v.instance));
    seen.chain(voters).filter(|id| **id != f.w.seen.me.instance).cloned().collect()
}

pub(super) fn start(f: &Facts<'_>, generation: Generation, token: &str) -> Judgement {
    must(f.disk_is_empty(), "there is data")?;
    let record = f.stored().filter(|r| f.founds(r)).ok_or("it has claimed nothing")?;
    must(record.generation == generation && record.token() == token, "the claim is another")?;
    let (number, at) = f.w.memory.claimed.ok_or("the claim is another run's")?;
    must(number == record.number, "the claim is another run's")?;
    everyone_agrees(f, record, Some(at.0))
}

pub(super) fn resume(f: &Facts<'_>, loopback_only: bool) -> Judgement {
    must(f.data().is_some_and(|d| d.cluster.is_some() && d.member.is_some()), "there is no log: etcd would begin a cluster of its own")?;
    let generation = f.generation().ok_or("the data's generation is not known")?;
    let remembered = f.w.memory.kept.record.as_ref();
    if f.w.seen.store.fresh().is_none() {
        let permits = remembered.is_some_and(|r| r.generation == generation && f.is_established(r));
        return must(permits && f.w.seen.local.ran_this_boot, "the store cannot be read, and the memory does not permit it");
    }
    must(!matches!(f.w.seen.store.fresh(), Some(StoreView::Foreign { .. })), "the store is another's")?;
    must(f.can_trust(), "the charter cannot be trusted")?;
    let record = f.stored().ok_or("there is no charter")?;
    must(remembered.is_none_or(|r| r.number <= record.number), "a later record is remembered")?;
    must(record.generation == generation, "the record is of another generation")?;
    let same = f.data().and_then(|d| d.cluster).zip(record.etcd_cluster).is_none_or(|(a, b)| a == b);
    must(same, "the data is of another etcd cluster")?;
    must(f.is_established(record) || (f.founds(record) && loopback_only), "the record does not permit it to serve")
}
