//! Whether a charter record may be written now.

use std::collections::BTreeSet;

use crate::charter::{ListedVoter, Origin, Record, State, StoreView};
use crate::ids::{Generation, InstanceId, SnapshotKey};
use crate::memory::Order;
use crate::observation::{DataClaim, Hook, LifecycleState, Membership, Saved, Transition, Warmed};
use crate::policy::Recovery;
use crate::quorum;
use crate::snapshot::{Stored, Trigger};

use super::facts::Facts;
use super::giving_up::{has_waited, is_lost, orders_survivor, own_status, quorum_is_lost};
use super::refusal::{
    CharterFault, DataFault, Home, HookFault, InstanceFault, LossFault, MemberFault, NotOrdered, RecordFault, SnapshotFault, Unread,
    VotersFault,
};
use super::verdict::{Verdict, forbid, require};
use super::{certificates, consent, last_voter, notices, reattached, snapshots, version};

pub(super) fn record(f: &Facts<'_>, record: &Record) -> Verdict {
    require(record.belongs_to(&f.seen.me), RecordFault::OfAnotherCluster(Home::of(record)))?;
    let remembered = f.memory.kept.record.as_ref();
    if remembered == Some(record) && f.shown()? != remembered {
        return rewrite(f, record);
    }
    // An ordered fresh start is the only way on from a charter that cannot be trusted.
    let highest = if is_ordered_fresh(f, record) { f.shown()? } else { f.highest()? };
    let number = highest.map_or(1, |r| r.number + 1);
    let follows = record.number == number && record.previous == highest.map(Record::digest);
    let ordered_above = is_ordered_fresh(f, record) && record.number >= number;
    require(follows || ordered_above, RecordFault::DoesNotFollow { number: record.number, highest: highest.map(|r| r.number) })?;
    let later = remembered.filter(|r| r.number >= record.number);
    forbid(later, |r| RecordFault::NotNew { number: record.number, remembered: r.number })?;
    let told = f.records_told().map(|(_, r)| r);
    let ever = highest.into_iter().chain(remembered).chain(told).filter_map(|r| r.ever_established).max();
    forbid(ever.filter(|ever| record.ever_established < Some(*ever)), RecordFault::ForgetsEstablished)?;
    certificates::keeps(f, record, highest)?;
    match (&record.state, highest) {
        (State::Founding { founder }, _) => {
            require(founder == f.me(), RecordFault::ClaimsFor(founder.clone()))?;
            claim(f, record, highest)
        }
        (State::Established, Some(before)) if before.state == State::Established && f.seen.local.reattached.is_some() => {
            moved(f, record, before)
        }
        (State::Established, Some(before)) if before.generation == record.generation => established(f, record, before),
        (State::Established, _) => Err(RecordFault::EstablishesUnclaimed(record.generation).into()),
        (State::Retired { key, revision }, Some(before)) => retired(f, record, before, (key, *revision)),
        (State::Retired { .. }, None) => Err(CharterFault::NothingEstablished.into()),
    }
}

fn is_ordered_fresh(f: &Facts<'_>, record: &Record) -> bool {
    record.origin == Origin::Fresh && f.founds(record) && f.memory.kept.order == Some(Order::RecoverFresh)
}

/// Whether an operator has ordered this node to found, to start afresh or to go on from its own data.
fn is_ordered(f: &Facts<'_>, record: &Record) -> bool {
    match &f.memory.kept.order {
        Some(Order::Bootstrap) => true,
        Some(Order::RecoverFresh) => record.origin == Origin::Fresh,
        Some(Order::RecoverSurvivor { .. }) => matches!(record.origin, Origin::Survivor { .. }),
        Some(Order::RecoverSnapshot { .. } | Order::RecoverReattachedVolume | Order::Leave | Order::RotateAuthority) | None => false,
    }
}

/// An order may be forgotten once it is carried out, or once a living quorum makes it void.
pub(super) fn forget_order(f: &Facts<'_>) -> Verdict {
    let seen_by_others = f.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some());
    match &f.memory.kept.order {
        Some(Order::Bootstrap) => {
            let record = f.highest()?.ok_or(CharterFault::NothingEstablished)?;
            require(record.state == State::Established, CharterFault::NotEstablished(record.number))
        }
        Some(Order::RecoverFresh) => {
            let done = f.highest()?.is_some_and(|r| r.origin == Origin::Fresh && f.data().and_then(|d| d.generation) == Some(r.generation));
            if done || seen_by_others { Ok(()) } else { f.membership().map(|_| ()) }
        }
        Some(Order::RecoverSnapshot { .. } | Order::RecoverSurvivor { .. } | Order::RecoverReattachedVolume) => {
            if seen_by_others {
                Ok(())
            } else {
                f.membership().map(|_| ())
            }
        }
        Some(Order::RotateAuthority) => {
            let record = f.charter()?;
            require(record.rotation.is_some() || record.authority.is_none(), NotOrdered::Withdrawal)
        }
        Some(Order::Leave) | None => Err(NotOrdered::Withdrawal.into()),
    }
}

fn rewrite(f: &Facts<'_>, record: &Record) -> Verdict {
    let proven = f.disk_is_empty() || f.membership().is_ok_and(|m| record.etcd_cluster.is_none_or(|c| c == m.cluster));
    require(proven, RecordFault::RewriteUnproven(record.number))?;
    let continues = match f.seen.store.fresh() {
        Some(StoreView::Absent) => record.number == 1,
        Some(StoreView::Charter(log)) => {
            let before = log.highest().is_some_and(|r| r.belongs_to(&f.seen.me) && r.precedes(record));
            log.number(record.number).is_none() && (before || log.number(record.number + 1).is_some_and(|next| record.precedes(next)))
        }
        Some(StoreView::NotConfigured | StoreView::Foreign { .. }) | None => false,
    };
    require(continues, RecordFault::RewriteUnlinked(record.number))
}

fn claim(f: &Facts<'_>, record: &Record, highest: Option<&Record>) -> Verdict {
    let generation = record.generation;
    let before = highest.into_iter().chain(&f.memory.kept.record).map(|r| r.generation).max().unwrap_or(Generation(0));
    // A peer may remember a later generation than this node and its store do. An ordered fresh start may go above that too.
    let ordered_above = is_ordered_fresh(f, record) && generation > before;
    require(generation == before.next() || ordered_above, RecordFault::GenerationNotNext { generation, highest: before })?;
    let taken = f.records_told().find(|(_, r)| r.generation >= generation);
    forbid(taken, |(by, r)| RecordFault::GenerationTaken { generation, by: by.clone(), record: r.number })?;
    f.needs_no_quorum()?;
    require(f.has_store() || is_ordered(f, record), NotOrdered::Founding)?;
    let listed = f.seen.cloud.listed.fresh().ok_or(Unread::Instances)?;
    require(listed.contains_key(f.me()) || is_detached_survivor(f, record), InstanceFault::NotInGroup)?;
    if !matches!(record.origin, Origin::Survivor { .. }) {
        stands(f)?;
    }
    match &record.origin {
        Origin::Empty | Origin::Fresh => version::founds(f)?,
        Origin::Survivor { .. } => version::restores_own(f)?,
        Origin::Snapshot { key } => version::restores(f, key)?,
    }
    origin(f, record, highest)?;
    consent::everyone_consents(f, record)
}

/// A node that is leaving, is warm, or has not proved that it can keep its own launch open founds nothing new.
fn stands(f: &Facts<'_>) -> Verdict {
    notices::stays(f)?;
    require(!matches!(f.seen.target.last(), Some(Some(LifecycleState::Warmed(_)))), InstanceFault::Warm)?;
    let waits = matches!(f.seen.cloud.own_state.last(), Some(LifecycleState::PendingWait | LifecycleState::Warmed(Warmed::Waiting)));
    let hooks = f.seen.cloud.hooks.last().ok_or(Unread::Hooks)?;
    let mut open = hooks.iter().filter(|h| waits && h.transition == Transition::Launching && h.hook.group == f.seen.me.group);
    let proven = |h: &Hook| {
        let done = f.memory.hooks.completed.contains(&(h.hook.clone(), f.me().clone()));
        done || f.memory.hooks.heartbeats.get(&h.hook).is_some_and(|b| b.accepted.is_some())
    };
    forbid(open.find(|h| !proven(h)), |h| HookFault::NoHeartbeat(h.hook.clone()))
}

/// Whether this is a survivor that its group has detached, as IMDS freshly says. It still holds the data; a new founder would hold none.
fn is_detached_survivor(f: &Facts<'_>, record: &Record) -> bool {
    let detached = matches!(f.seen.target.fresh(), Some(Some(LifecycleState::Detached)));
    detached && record.origin == (Origin::Survivor { instance: f.me().clone() })
}

fn origin(f: &Facts<'_>, record: &Record, highest: Option<&Record>) -> Verdict {
    let ever = highest.into_iter().chain(&f.memory.kept.record).filter_map(|r| r.ever_established).max();
    match &record.origin {
        Origin::Empty => {
            forbid(ever, RecordFault::EmptyAfter)?;
            // The charter may have been deleted, and a node that holds the data may be on no group's list. A list without this instance proves nothing.
            let tagged = f.seen.cloud.tagged.fresh().ok_or(Unread::Tagged)?;
            require(tagged.contains(f.me()), InstanceFault::NotTagged)?;
            f.needs_an_empty_disk()?;
            forbid(highest.filter(|r| !consent::takeover(f, r)), consent::stands)
        }
        Origin::Fresh => {
            let ordered = f.memory.kept.order == Some(Order::RecoverFresh);
            let repeats = highest.is_some_and(|r| r.origin == Origin::Fresh && consent::takeover(f, r) && f.disk_is_empty());
            require(ordered || repeats, NotOrdered::Fresh)
        }
        Origin::Survivor { instance } => {
            require(instance == f.me(), RecordFault::SurvivorIsAnother(instance.clone()))?;
            survivor(f, highest, ever)
        }
        Origin::Snapshot { key } => snapshots::claim(f, record, highest, key),
    }
}

fn survivor(f: &Facts<'_>, highest: Option<&Record>, ever: Option<Generation>) -> Verdict {
    let mine = f.data().and_then(|d| d.generation);
    require(mine.is_some() && mine == ever, DataFault::NotEstablished { data: mine, established: ever })?;
    match own_status(f) {
        Some(status) => forbid(status.leader, MemberFault::HasLeader)?,
        // After a restart without quorum etcd answers nothing. An operator's order then takes the place of its answer.
        None => require(orders_survivor(f).is_some(), Unread::OwnStatus)?,
    }
    let before = highest.ok_or(CharterFault::NothingEstablished)?;
    // Only a listed voter may go on from its data.
    require(before.lists(f.me()), CharterFault::NotListed { record: before.number, instance: f.me().clone() })?;
    let void = before.state == State::Established || consent::takeover(f, before) || founder_lost_its_data(f, before);
    require(void, consent::stands(before))?;
    survivors(f, before)
}

/// Requires that quorum is lost by this member's own list, which must match the charter's, and that the voters left meet every possible quorum.
fn survivors(f: &Facts<'_>, before: &Record) -> Verdict {
    if let Some(although_voters_differ) = orders_survivor(f) {
        return chosen_survivor(f, before, although_voters_differ);
    }
    require(f.policy.recovery != Recovery::Halt, NotOrdered::Recovery)?;
    let list = f.seen.etcd.local_list.fresh().ok_or(Unread::OwnList)?;
    let mut own: Vec<_> = list.iter().filter(|m| !m.learner).map(|m| m.id).collect();
    let mut charter: Vec<_> = before.voters.iter().map(|v| v.member).collect();
    own.sort();
    charter.sort();
    let voters = own.len();
    forbid((own != charter).then_some(own), |own| LossFault::ListsDiffer { own, charter })?;
    let left =
        before.voters.iter().filter(|v| v.instance == *f.me() || !(f.has_ended(&v.instance) || f.denies(&v.instance, v.member))).count();
    is_lost(voters, left)?;
    if f.policy.recovery == Recovery::Any && !quorum::meets_every_quorum(voters, left) {
        return best_survivor(f, before);
    }
    require(quorum::meets_every_quorum(voters, left), LossFault::WritesMayBeMissing { left, voters })
}

/// Under policy `any`, a survivor goes on after the grace, and only if no snapshot goes further than its data. `consent.rs` asks the other survivors how far
/// theirs goes.
fn best_survivor(f: &Facts<'_>, before: &Record) -> Verdict {
    require(has_waited(f), LossFault::TooShort { since: f.gate.lost_since(), grace: f.policy.quorum_loss_grace })?;
    let mine = own_status(f).and_then(|s| s.revision).ok_or_else(|| Unread::Revision(f.me().clone()))?;
    let told = |id: &InstanceId| !matches!(f.peer(id).map(|p| &p.data), Some(DataClaim::Holds { revision: None, .. }));
    let mut others = before.voters.iter().filter(|v| v.instance != *f.me() && !f.has_ended(&v.instance));
    forbid(others.find(|v| !told(&v.instance)), |v| Unread::Revision(v.instance.clone()))?;
    if !f.has_store() || !f.policy.snapshots.enabled {
        return Ok(());
    }
    let listing = f.seen.snapshots.stored.fresh().ok_or(Unread::Snapshots)?;
    let own = f.data().and_then(|d| d.generation.zip(d.cluster));
    let newer = |s: &&Stored| Some((s.manifest.generation, s.manifest.etcd_cluster)) == own && s.manifest.revision > mine;
    let passed_over = |s: &Stored| f.memory.snapshots.refused.contains_key(&s.key);
    let left = listing.snapshots.iter().filter(newer).find(|s| !passed_over(s));
    forbid(left, |s| SnapshotFault::NewerLeft(s.key.clone()))
}

/// An operator has chosen this node's data. It must be a listed voter's, and quorum must be lost for good.
fn chosen_survivor(f: &Facts<'_>, before: &Record, although_voters_differ: bool) -> Verdict {
    let mine = f.own_member()?;
    let listed = before.voters.iter().any(|v| v.instance == *f.me() && v.member == mine);
    require(listed, CharterFault::NotListedHere { record: before.number, member: mine })?;
    if let Some(list) = f.seen.etcd.local_list.fresh() {
        let own: BTreeSet<_> = list.iter().filter(|m| !m.learner).map(|m| m.id).collect();
        let charter: BTreeSet<_> = before.voters.iter().map(|v| v.member).collect();
        let differ = own != charter && !although_voters_differ;
        forbid(differ.then_some((own, charter)), |(own, charter)| LossFault::ListsDiffer {
            own: own.into_iter().collect(),
            charter: charter.into_iter().collect(),
        })?;
    }
    quorum_is_lost(f, &before.voters)
}

/// Whether a survivor that claimed says itself that it holds neither the data it is listed with nor what it claimed. A founder that restores a snapshot does
/// not count: it holds nothing on the way.
fn founder_lost_its_data(f: &Facts<'_>, record: &Record) -> bool {
    let Some(founder) = record.founder().filter(|_| matches!(record.origin, Origin::Survivor { .. })) else { return false };
    let lost = match f.peer(founder).map(|p| &p.data) {
        Some(DataClaim::None) => true,
        Some(DataClaim::Holds { member, generation: Some(g), .. }) => {
            *g < record.generation && !record.voters.iter().any(|v| v.instance == *founder && v.member == *member)
        }
        _ => false,
    };
    lost && f.came_from(founder) && f.signs_as_before(founder)
}

/// The last voter's end. Its etcd is stopped, and all that it held is in the snapshot that the record names, which was taken when no client could write any
/// longer.
fn retired(f: &Facts<'_>, record: &Record, before: &Record, (key, revision): (&SnapshotKey, u64)) -> Verdict {
    let (number, previous, state) = (record.number, record.previous.clone(), record.state.clone());
    require(*record == Record { number, previous, state, ..before.clone() }, RecordFault::ChangesMoreThanState)?;
    last_voter::retires(f, before)?;
    f.needs_a_stopped_service()?;
    last_voter::last_voter_leaves(f)?;
    let names = |saved: &Saved| saved.key == *key && saved.revision == revision;
    let taken = f.seen.snapshots.taken.as_ref().filter(|t| t.trigger == Trigger::Final).and_then(|t| t.result.as_ref().ok());
    require(taken.is_some_and(names), SnapshotFault::NotTheFinal(key.clone()))?;
    require(f.gate.covering_all().is_some_and(names), SnapshotFault::WritesAfter(key.clone()))
}

/// The only voter's volume is on this instance now. The record changes nothing except where its member is listed.
fn moved(f: &Facts<'_>, record: &Record, before: &Record) -> Verdict {
    let [voter] = &record.voters[..] else { return Err(VotersFault::MovedIsNotAlone(record.voters.len()).into()) };
    let (number, previous, voters) = (record.number, record.previous.clone(), record.voters.clone());
    require(*record == Record { number, previous, voters, ..before.clone() }, RecordFault::ChangesMoreThanVoters)?;
    require(voter.instance == *f.me(), VotersFault::MovedElsewhere(voter.instance.clone()))?;
    reattached::reattached_here(f, before, voter.member)
}

fn established(f: &Facts<'_>, record: &Record, before: &Record) -> Verdict {
    let membership = f.membership()?;
    let (answers, named) = (membership.cluster, record.etcd_cluster);
    require(named == Some(answers), RecordFault::EtcdCluster { answers, named })?;
    require(record.origin == before.origin, RecordFault::ChangesOrigin(record.generation))?;
    lists_the_members(f, record, membership)?;
    let (listed, voters) = (record.voters.len(), membership.voters().count());
    if before.state == State::Established {
        require(named == before.etcd_cluster, RecordFault::ChangesEtcdCluster(record.generation))?;
        require(listed <= voters + 1, VotersFault::TooMany { listed, voters })?;
        return f.needs_the_lock();
    }
    require(f.founds(before), RecordFault::NotTheFounder(before.founder().cloned()))?;
    let alone = membership.voters().all(|m| f.is_mine(m)) && listed == 1;
    require(alone, VotersFault::FounderNotAlone { listed, voters })?;
    let (generation, cluster) = (f.data().and_then(|d| d.generation), f.data().and_then(|d| d.cluster));
    require(generation == Some(record.generation), DataFault::NotOfRecord { record: record.number, generation, cluster })
}

/// Requires that the record lists every voter, and no member that etcd does not have, each under its own instance. A voter that belongs to no instance cannot be
/// listed; if it kept the record from being written, the others could neither join nor leave beside it.
fn lists_the_members(f: &Facts<'_>, record: &Record, membership: &Membership) -> Verdict {
    let listed = |id| record.voters.iter().any(|v| v.member == id);
    let omitted = membership.voters().find(|m| !listed(m.id) && (f.is_mine(m) || f.instance_behind(m).is_some()));
    forbid(omitted, |m| VotersFault::Omitted(m.id))?;
    let unknown = record.voters.iter().find(|v| membership.get(v.member).is_none());
    forbid(unknown, |v| VotersFault::NoMember(v.member))?;
    let right = |v: &ListedVoter| membership.get(v.member).is_some_and(|m| m.name.as_ref().is_none_or(|name| *name == v.instance));
    let wrong = record.voters.iter().find(|v| !right(v));
    forbid(wrong, |v| VotersFault::UnderAnother { member: v.member, listed: v.instance.clone() })
}
