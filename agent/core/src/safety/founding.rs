//! Charter records: whether this one may be written now.

use std::collections::BTreeSet;

use crate::charter::{ListedVoter, Origin, Record, State, StoreView};
use crate::ids::{InstanceId, SnapshotKey};
use crate::memory::Order;
use crate::observation::{DataClaim, Hook, LifecycleState, Saved, Transition, Warmed};
use crate::policy::Recovery;
use crate::quorum;
use crate::snapshot::{Stored, Trigger};

use super::facts::Facts;
use super::giving_up::{has_waited, is_lost, orders_survivor, own_list_is_lost, own_status};
use super::verdict::{Verdict, require};
use super::{consent, last_voter, moved, notices, snapshots, version};

pub(super) fn record(f: &Facts<'_>, record: &Record) -> Verdict {
    require(record.belongs_to(&f.seen.me), "it belongs to another account, region or cluster")?;
    let remembered = f.memory.kept.record.as_ref();
    if remembered == Some(record) && f.shown()? != remembered {
        return rewrite(f, record);
    }
    // An ordered fresh start is the one way on from a charter that cannot be trusted.
    let highest = if is_ordered_fresh(f, record) { f.shown()? } else { f.highest()? };
    let number = highest.map_or(1, |r| r.number + 1);
    let follows = record.number == number && record.previous == highest.map(Record::digest);
    let ordered_above = is_ordered_fresh(f, record) && record.number >= number;
    require(follows || ordered_above, "it does not follow the store's highest record")?;
    require(remembered.is_none_or(|r| r.number < record.number), "a record with its number is remembered")?;
    let ever = highest.into_iter().chain(remembered).chain(f.records_told()).filter_map(|r| r.ever_established).max();
    require(record.ever_established >= ever, "it forgets that a generation was established")?;
    match (&record.state, highest) {
        (State::Founding { founder }, _) => {
            require(founder == f.me(), "only the founder itself may claim")?;
            claim(f, record, highest)
        }
        (State::Established, Some(before)) if before.state == State::Established && f.seen.local.moved.is_some() => {
            moved(f, record, before)
        }
        (State::Established, Some(before)) if before.generation == record.generation => established(f, record, before),
        (State::Established, _) => Err("a generation is established only by its founder, after its own founding record"),
        (State::Retired { key, revision }, Some(before)) => retired(f, record, before, (key, *revision)),
        (State::Retired { .. }, None) => Err("nothing was established"),
    }
}

fn is_ordered_fresh(f: &Facts<'_>, record: &Record) -> bool {
    record.origin == Origin::Fresh && f.founds(record) && f.memory.kept.order == Some(Order::RecoverFresh)
}

/// The operator has ordered this node to found, or to start afresh.
fn is_ordered(f: &Facts<'_>, record: &Record) -> bool {
    match &f.memory.kept.order {
        Some(Order::Bootstrap) => true,
        Some(Order::RecoverFresh) => record.origin == Origin::Fresh,
        Some(Order::RecoverSurvivor { .. }) => matches!(record.origin, Origin::Survivor { .. }),
        Some(Order::RecoverSnapshot { .. } | Order::RecoverMovedVolume | Order::Leave) | None => false,
    }
}

/// An order is forgotten when it is carried out, or when a living quorum makes it void.
pub(super) fn forget_order(f: &Facts<'_>) -> Verdict {
    let seen_by_others = f.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.quorum.is_some());
    match &f.memory.kept.order {
        Some(Order::Bootstrap) => require(f.highest()?.is_some_and(|r| r.state == State::Established), "nothing is established yet"),
        Some(Order::RecoverFresh) => {
            let done = f.highest()?.is_some_and(|r| r.origin == Origin::Fresh && f.data().and_then(|d| d.generation) == Some(r.generation));
            if done || seen_by_others { Ok(()) } else { f.membership().map(|_| ()) }
        }
        Some(Order::RecoverSnapshot { .. } | Order::RecoverSurvivor { .. } | Order::RecoverMovedVolume) => {
            if seen_by_others {
                Ok(())
            } else {
                f.membership().map(|_| ())
            }
        }
        Some(Order::Leave) | None => Err("only the operator takes it back"),
    }
}

fn rewrite(f: &Facts<'_>, record: &Record) -> Verdict {
    let proven = f.disk_is_empty() || f.membership().is_ok_and(|m| record.etcd_cluster.is_none_or(|c| c == m.cluster));
    require(proven, "a node with data rewrites a vanished record only after a quorum read")?;
    let continues = match f.seen.store.fresh() {
        Some(StoreView::Absent) => record.number == 1,
        Some(StoreView::Charter(log)) => {
            let before = log.highest().is_some_and(|r| r.belongs_to(&f.seen.me) && r.precedes(record));
            log.number(record.number).is_none() && (before || log.number(record.number + 1).is_some_and(|next| record.precedes(next)))
        }
        Some(StoreView::NotConfigured | StoreView::Foreign { .. }) | None => false,
    };
    require(continues, "what the store shows does not continue the record")
}

fn claim(f: &Facts<'_>, record: &Record, highest: Option<&Record>) -> Verdict {
    let before = highest.into_iter().chain(&f.memory.kept.record).map(|r| r.generation.0).max().unwrap_or(0);
    // A peer may remember more than this node and its store: an ordered fresh start goes above that too.
    let ordered_above = is_ordered_fresh(f, record) && record.generation.0 > before;
    require(record.generation.0 == before + 1 || ordered_above, "its generation is not the next one")?;
    require(f.records_told().all(|r| r.generation < record.generation), "a peer remembers a record of its generation")?;
    require(f.membership().is_err(), "a quorum is alive")?;
    require(
        f.has_store() || is_ordered(f, record),
        "without a store nothing keeps two nodes from claiming at once: an operator's order does",
    )?;
    let listed = f.seen.cloud.listed.fresh().ok_or("the group's instances are not known")?;
    require(listed.contains_key(f.me()) || is_detached_survivor(f, record), "the group does not list this instance")?;
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

/// Who leaves, is warm, or has not proved that it may keep its own launch open founds nothing new.
fn stands(f: &Facts<'_>) -> Verdict {
    require(!notices::is_told_to_leave(f), "it is leaving")?;
    require(!matches!(f.seen.target.last(), Some(Some(LifecycleState::Warmed(_)))), "it is in the warm pool")?;
    let waits = matches!(f.seen.cloud.own_state.last(), Some(LifecycleState::PendingWait | LifecycleState::Warmed(Warmed::Waiting)));
    let hooks = f.seen.cloud.hooks.last().ok_or("the lifecycle hooks are not known")?;
    let mut open = hooks.iter().filter(|h| waits && h.transition == Transition::Launching && h.hook.group == f.seen.me.group);
    let proven = |h: &Hook| {
        let done = f.memory.hooks.completed.contains(&(h.hook.clone(), f.me().clone()));
        done || f.memory.hooks.heartbeats.get(&h.hook).is_some_and(|b| b.accepted.is_some())
    };
    require(open.all(proven), "no heartbeat for its launch hook was accepted yet")
}

/// A survivor that its group has detached, by IMDS's fresh word, holds the data all the same; a new founder would hold none.
fn is_detached_survivor(f: &Facts<'_>, record: &Record) -> bool {
    let detached = matches!(f.seen.target.fresh(), Some(Some(LifecycleState::Detached)));
    detached && record.origin == (Origin::Survivor { instance: f.me().clone() })
}

fn origin(f: &Facts<'_>, record: &Record, highest: Option<&Record>) -> Verdict {
    let ever = highest.into_iter().chain(&f.memory.kept.record).filter_map(|r| r.ever_established).max();
    let ordered = f.memory.kept.order == Some(Order::RecoverFresh);
    match &record.origin {
        Origin::Empty => {
            require(ever.is_none(), "an empty cluster is never founded after one was established")?;
            // The charter may have been deleted, and who holds the data be on no group's list. A list without this instance is no list.
            let tagged = f.seen.cloud.tagged.fresh().ok_or("who bears the cluster's tag is not known")?;
            require(tagged.contains(f.me()), "this instance is not among those that bear the cluster's tag")?;
            require(f.disk_is_empty(), "this disk holds data")?;
            require(highest.is_none_or(|r| consent::takeover(f, r)), "another founder is not gone")
        }
        Origin::Fresh => {
            let repeats = highest.is_some_and(|r| r.origin == Origin::Fresh && consent::takeover(f, r) && f.disk_is_empty());
            require(ordered || repeats, "only an operator's `recover --fresh` founds an empty cluster again")
        }
        Origin::Survivor { instance } => {
            require(instance == f.me(), "a survivor recovers from its own data alone")?;
            let mine = f.data().and_then(|d| d.generation);
            require(mine.is_some() && mine == ever, "its data is not of the established generation")?;
            // After a restart without quorum etcd answers nothing: there an operator's word stands for it.
            let leaderless = own_status(f).map_or(orders_survivor(f).is_some(), |s| s.leader.is_none());
            require(leaderless, "its own member does not say that it has no leader")?;
            let before = highest.ok_or("nothing was established")?;
            require(before.lists(f.me()), "only a listed voter's data goes on")?;
            let void = before.state == State::Established || consent::takeover(f, before) || founder_lost_its_data(f, before);
            require(void, "another's claim stands")?;
            survivors(f, before)
        }
        Origin::Snapshot { key } => snapshots::claim(f, record, highest, key),
    }
}

/// Quorum is lost by this member's own list, which is the charter's, and those that are left meet every possible quorum.
fn survivors(f: &Facts<'_>, before: &Record) -> Verdict {
    if let Some(although_voters_differ) = orders_survivor(f) {
        return chosen_survivor(f, before, although_voters_differ);
    }
    require(f.policy.recovery != Recovery::Halt, "the policy lets nobody recover by itself")?;
    let list = f.seen.etcd.local_list.fresh().ok_or("its own member's list is not known")?;
    let mut own: Vec<_> = list.iter().filter(|m| !m.learner).map(|m| m.id).collect();
    let mut charter: Vec<_> = before.voters.iter().map(|v| v.member).collect();
    own.sort();
    charter.sort();
    require(own == charter, "its own list of voters is not the charter's")?;
    let left =
        before.voters.iter().filter(|v| v.instance == *f.me() || !(f.has_ended(&v.instance) || f.denies(&v.instance, v.member))).count();
    require(quorum::lost(own.len(), left), "quorum is not lost for good")?;
    if f.policy.recovery == Recovery::Any && !quorum::meets_every_quorum(own.len(), left) {
        return best_survivor(f, before);
    }
    require(quorum::meets_every_quorum(own.len(), left), "acknowledged writes could be missing")
}

/// Policy `any`: after the grace, and only if no snapshot goes further than this node's data. That no other survivor's does is asked of each.
fn best_survivor(f: &Facts<'_>, before: &Record) -> Verdict {
    require(has_waited(f), "quorum has not been lost for the grace")?;
    let mine = own_status(f).and_then(|s| s.revision).ok_or("its own revision is not known")?;
    let told = |id: &InstanceId| !matches!(f.peer(id).map(|p| &p.data), Some(DataClaim::Holds { revision: None, .. }));
    let others = before.voters.iter().filter(|v| v.instance != *f.me() && !f.has_ended(&v.instance));
    require(others.into_iter().all(|v| told(&v.instance)), "a survivor's revision is not known")?;
    if !f.has_store() || !f.policy.snapshots.enabled {
        return Ok(());
    }
    let listing = f.seen.snapshots.stored.fresh().ok_or("the store's snapshots were not listed")?;
    let own = f.data().and_then(|d| d.generation.zip(d.cluster));
    let newer = |s: &&Stored| Some((s.manifest.generation, s.manifest.etcd_cluster)) == own && s.manifest.revision > mine;
    let passed_over = |s: &Stored| f.memory.snapshots.refused.contains_key(&s.key);
    require(listing.snapshots.iter().filter(newer).all(passed_over), "a newer snapshot is passed over")
}

/// An operator has chosen this node's data: of a listed voter, where quorum can never come back.
fn chosen_survivor(f: &Facts<'_>, before: &Record, although_voters_differ: bool) -> Verdict {
    let mine = f.data().and_then(|d| d.member).ok_or("its own member is not known")?;
    require(before.voters.iter().any(|v| v.instance == *f.me() && v.member == mine), "only a listed voter's data goes on")?;
    if let Some(list) = f.seen.etcd.local_list.fresh() {
        let own: BTreeSet<_> = list.iter().filter(|m| !m.learner).map(|m| m.id).collect();
        let charter: BTreeSet<_> = before.voters.iter().map(|v| v.member).collect();
        require(own == charter || although_voters_differ, "its own list of voters is not the charter's")?;
    }
    require(is_lost(f, &before.voters) && own_list_is_lost(f), "quorum is not lost for good")
}

/// It says itself that it holds neither what it is listed with nor what it claimed. Who restores a snapshot holds nothing on the way.
fn founder_lost_its_data(f: &Facts<'_>, record: &Record) -> bool {
    let Some(founder) = record.founder().filter(|_| matches!(record.origin, Origin::Survivor { .. })) else { return false };
    let lost = match f.peer(founder).map(|p| &p.data) {
        Some(DataClaim::None) => true,
        Some(DataClaim::Holds { member, generation: Some(g), .. }) => {
            *g < record.generation && !record.voters.iter().any(|v| v.instance == *founder && v.member == *member)
        }
        _ => false,
    };
    lost && f.policy.network_trusted && f.signs_as_before(founder)
}

/// The last voter's end: its etcd is stopped, and all that it held is in the snapshot that the record names, taken when nobody could write any more.
fn retired(f: &Facts<'_>, record: &Record, before: &Record, (key, revision): (&SnapshotKey, u64)) -> Verdict {
    let (number, previous, state) = (record.number, record.previous.clone(), record.state.clone());
    require(*record == Record { number, previous, state, ..before.clone() }, "it changes more than the state")?;
    last_voter::retires(f, before)?;
    require(f.is_stopped(), "etcd is not known to be stopped")?;
    last_voter::last_voter_leaves(f)?;
    let names = |saved: &Saved| saved.key == *key && saved.revision == revision;
    let taken = f.seen.snapshots.taken.as_ref().filter(|t| t.trigger == Trigger::Final).and_then(|t| t.result.as_ref().ok());
    require(taken.is_some_and(names), "it names no final snapshot of this agent")?;
    require(f.gate.covering_all().is_some_and(names), "somebody could write after the snapshot was taken")
}

/// The only voter's volume is on this instance now: nothing changes but where its member is listed.
fn moved(f: &Facts<'_>, record: &Record, before: &Record) -> Verdict {
    let [voter] = &record.voters[..] else { return Err("it lists others than the member that was moved") };
    let (number, previous, voters) = (record.number, record.previous.clone(), record.voters.clone());
    require(*record == Record { number, previous, voters, ..before.clone() }, "it changes more than the voters")?;
    require(voter.instance == *f.me(), "it lists the member on another instance")?;
    moved::moved_here(f, before, voter.member)
}

fn established(f: &Facts<'_>, record: &Record, before: &Record) -> Verdict {
    let membership = f.membership()?;
    require(record.etcd_cluster == Some(membership.cluster), "it names another etcd cluster than the one that answers")?;
    require(record.origin == before.origin, "it changes its generation's origin")?;
    let listed = |id| record.voters.iter().any(|v| v.member == id);
    require(membership.voters().all(|m| listed(m.id)), "it leaves out a voter")?;
    require(record.voters.iter().all(|v| membership.get(v.member).is_some()), "it lists a member that etcd does not have")?;
    let right = |v: &ListedVoter| membership.get(v.member).is_some_and(|m| m.name.as_ref().is_none_or(|name| *name == v.instance));
    require(record.voters.iter().all(right), "it lists a member under another instance")?;
    if before.state == State::Established {
        require(record.etcd_cluster == before.etcd_cluster, "a generation never changes its etcd cluster")?;
        require(record.voters.len() <= membership.voters().count() + 1, "it names more than one learner")?;
        return require(f.lock_outlasts_a_call(), "the list of voters changes only under the lock");
    }
    require(f.founds(before), "only the founder establishes")?;
    let alone = membership.voters().all(|m| f.is_mine(m)) && record.voters.len() == 1;
    require(alone && f.data().and_then(|d| d.generation) == Some(record.generation), "the founder is not alone in its new generation")
}
