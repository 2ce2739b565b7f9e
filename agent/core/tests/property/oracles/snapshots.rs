//! What must be true where a snapshot is taken, or some are deleted.

use quorate_core::charter::{Origin, Record, State};
use quorate_core::ids::SnapshotKey;
use quorate_core::memory::Order;
use quorate_core::observation::DataClaim;
use quorate_core::policy::{OnTotalLoss, Recovery};
use quorate_core::snapshot::{SnapshotOrder, StrayKind, Trigger};

use super::facts::Facts;
use super::{Judgement, founding, must};

pub(super) fn take(f: &Facts<'_>, order: &SnapshotOrder) -> Judgement {
    let record = f.stored().ok_or("there is no record")?;
    if order.unconfirmed {
        let own = f.own_member() == Some(order.via.member) && f.data().and_then(|d| d.cluster) == Some(order.etcd_cluster);
        must(own && order.trigger == Trigger::Final, "it would be of another's data")?;
        must(f.cluster().is_none() && f.is_leaving() && f.is_told_to_leave(), "a quorum could confirm it")?;
        must(f.nobody_else_votes(), "others are left who may know more")?;
    } else {
        must(f.cluster() == Some(order.etcd_cluster), "it would be of an etcd cluster that does not answer")?;
    }
    must(record.etcd_cluster == Some(order.etcd_cluster) && record.generation == order.generation, "its manifest would not be true")
}

/// The snapshots that are left reach as far as the deleted ones did, in every history.
pub(super) fn prune(f: &Facts<'_>, keys: &[SnapshotKey], abandoned: &[String]) -> Judgement {
    let record = f.stored().ok_or("there is no record")?;
    must(record.state == State::Established, "a recovery may want any of them")?;
    must(!matches!(&record.origin, Origin::Snapshot { key } if keys.contains(key)), "the generation's own origin would go")?;
    let listing = f.w.seen.snapshots.stored.fresh().ok_or("they were not listed")?;
    let (gone, left): (Vec<_>, Vec<_>) = listing.snapshots.iter().partition(|s| keys.contains(&s.key));
    must(gone.len() == keys.len(), "it would delete what it does not know")?;
    for old in &gone {
        let history = |m: &quorate_core::snapshot::Manifest| (m.generation, m.etcd_cluster);
        let best = left.iter().filter(|s| history(&s.manifest) == history(&old.manifest)).map(|s| s.manifest.revision).max();
        must(best >= Some(old.manifest.revision), "the newest of its history would go")?;
    }
    let of_now = |s: &&&quorate_core::snapshot::Stored| {
        Some(s.manifest.etcd_cluster) == record.etcd_cluster && s.manifest.generation == record.generation
    };
    let touched = gone.iter().filter(of_now).count() > 0;
    must(!touched || left.iter().filter(of_now).count() >= f.w.policy.snapshots.retention.at_least, "too few would be left")?;
    let is_remains = |at: &String| listing.strays.iter().any(|s| s.at == *at && s.why == StrayKind::Unfinished);
    must(abandoned.iter().all(is_remains), "it would delete another's object")
}

/// The node is a living voter's, and a drill is wanted again.
pub(super) fn drill(f: &Facts<'_>, key: &SnapshotKey) -> Judgement {
    let every = f.w.policy.snapshots.drill_interval.ok_or("no drill is asked for")?;
    must(f.votes() && f.is_the_charters_cluster(), "it does not vote in the charter's cluster")?;
    let leader = f.w.seen.etcd.membership.fresh().and_then(|m| m.leader);
    must(f.voters()?.len() == 1 || (leader.is_some() && leader != f.own_member()), "every write would wait for its disk")?;
    let drills = &f.w.seen.snapshots.drills;
    let rests = drills.last.iter().any(|last| last.failed.is_none() && f.w.now < last.at + every);
    must(drills.running.is_none() && !rests, "there was one a moment ago, or one is running")?;
    let known = f.w.seen.snapshots.stored.fresh().is_some_and(|l| l.snapshots.iter().any(|s| s.key == *key));
    must(known, "it would read what is not there")
}

/// The snapshot is the best that is left of this cluster's data, once no instance holds any; the latter is required of every claim.
pub(super) fn claim(f: &Facts<'_>, record: &Record, before: Option<&Record>, key: &SnapshotKey) -> Judgement {
    let retired_to = before.and_then(|r| match &r.state {
        State::Retired { key, .. } => Some(key),
        _ => None,
    });
    let named = match &f.w.memory.kept.order {
        Some(Order::RecoverSnapshot { key: Some(named) }) => named == key,
        _ => false,
    };
    let gives_up = may_give_up(f, record);
    let chosen = gives_up || is_ordered(f, key);
    must(chosen || retired_to.is_some() || f.w.policy.on_total_loss == OnTotalLoss::Restore, "the operator forbade it")?;
    let refused = |to: &SnapshotKey| f.w.memory.snapshots.refused.contains_key(to);
    must(chosen || retired_to.is_none_or(|to| to == key || refused(to)), "it was retired to another")?;
    must(gives_up || f.disk_is_empty(), "there is data here")?;
    let before = before.ok_or("there was nothing to lose")?;
    let (me, origin) = (&f.w.seen.me.instance, &before.origin);
    let open = match &before.state {
        State::Established | State::Retired { .. } => before.ever_established.is_some(),
        State::Founding { founder } => !matches!(origin, Origin::Empty | Origin::Fresh) && (founder == me || f.is_gone(founder)),
    };
    must(open, "another may found yet, or there was nothing to lose")?;
    let listing = f.w.seen.snapshots.stored.fresh().ok_or("they were not listed")?;
    must(f.w.seen.snapshots.fetched.as_ref() == Some(key), "it was not proved here")?;
    let was = |generation, cluster| {
        let own = before.generation == generation && before.etcd_cluster == Some(cluster);
        own || before.ancestors.iter().any(|a| a.generation == generation && a.etcd_cluster == cluster)
    };
    let ours: Vec<_> = listing.snapshots.iter().filter(|s| was(s.manifest.generation, s.manifest.etcd_cluster)).collect();
    let chosen = ours.iter().find(|s| s.key == *key).ok_or("it is another history's")?;
    must(record.ancestors.iter().all(|a| was(a.generation, a.etcd_cluster)), "it makes up ancestors")?;
    let worth = |s: &quorate_core::snapshot::Stored| (s.manifest.generation, s.manifest.revision);
    let better = ours.iter().filter(|s| worth(s) > worth(chosen));
    must(named || better.clone().all(|s| f.w.memory.snapshots.refused.contains_key(&s.key)), "a better one is passed over")
}

fn is_ordered(f: &Facts<'_>, key: &SnapshotKey) -> bool {
    matches!(&f.w.memory.kept.order, Some(Order::RecoverSnapshot { key: wanted }) if wanted.as_ref().is_none_or(|wanted| wanted == key))
}

/// What is left of the data can never have quorum again, and an operator has chosen, or the policy by what every instance says.
pub(super) fn may_give_up(f: &Facts<'_>, record: &Record) -> bool {
    let Origin::Snapshot { key } = &record.origin else { return false };
    let policy = f.w.policy.recovery == Recovery::Any && (f.stored() == Some(record) || goes_further_than_all(f, record, key));
    founding::can_never_come_back(f, record) && (is_ordered(f, key) || policy)
}

/// Its revision is above that of every survivor, each of which says so, and above this node's own.
fn goes_further_than_all(f: &Facts<'_>, record: &Record, key: &SnapshotKey) -> bool {
    let listing = f.w.seen.snapshots.stored.fresh();
    let Some(revision) = listing.and_then(|l| l.snapshots.iter().find(|s| s.key == *key)).map(|s| s.manifest.revision) else {
        return false;
    };
    let own = f.own_member().and_then(|m| f.w.seen.etcd.statuses.get(&m)).and_then(|s| s.fresh()).and_then(|s| s.revision);
    let others = record.voters.iter().map(|v| &v.instance).filter(|id| **id != f.w.seen.me.instance && !f.is_gone(id));
    let data = |id| f.w.seen.peers.get(id).and_then(|p| p.fresh()).map(|p| &p.data);
    let less = |id| match data(id) {
        Some(DataClaim::Holds { revision: Some(theirs), .. }) => *theirs < revision,
        Some(DataClaim::None) => true,
        _ => false,
    };
    founding::waited(f) && own.is_some_and(|own| own < revision) && others.into_iter().all(less)
}

/// A snapshot may replace the data here: it is older, the snapshot is verified here, and every other instance was asked again.
pub(super) fn takes_its_place(f: &Facts<'_>) -> Judgement {
    let record = f.stored().filter(|r| f.founds(r)).ok_or("nothing is claimed here")?;
    let Origin::Snapshot { key } = &record.origin else { return Err("no snapshot is claimed") };
    must(f.can_trust(), "the charter cannot be trusted")?;
    must(f.generation().is_some_and(|g| g < record.generation), "it is not older")?;
    must(may_give_up(f, record), "it was not given up")?;
    must(f.w.seen.snapshots.fetched.as_ref() == Some(key), "the snapshot was not proved here")?;
    let (number, at) = f.w.memory.claimed.ok_or("the claim is another run's")?;
    must(number == record.number, "the claim is another run's")?;
    founding::everyone_agrees(f, record, Some(at.0))
}

pub(super) fn restore(f: &Facts<'_>, key: &SnapshotKey, generation: quorate_core::ids::Generation, token: &str) -> Judgement {
    founding::start(f, generation, token)?;
    must(f.stored().is_some_and(|r| r.origin == Origin::Snapshot { key: key.clone() }), "another was claimed")?;
    must(f.w.seen.snapshots.fetched.as_ref() == Some(key), "it was not proved here")
}
