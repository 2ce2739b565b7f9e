//! Founding a generation: the claim, the one-member start, and `established`.

use crate::charter::{ListedVoter, Origin, Record, State};
use crate::explain::claiming as explain;
use crate::explain::{Wait, joining, serving};
use crate::ids::{Generation, SnapshotKey};
use crate::memory::{BackoffKey, Order};
use crate::observation::{LifecycleState, Transition};
use crate::plan::{AsideReason, Start, Step, StopReason};
use crate::report::Phase;
use crate::situation::{Charter, Situation, Word};
use crate::time::Timestamp;

use crate::planner::decision::Decision;
use crate::planner::subjects::restore::Restorable;
use crate::planner::subjects::{certificates, change, disk, hooks, objection, orders, restore};

/// Carries out this node's own `founding` record: starts the one-member cluster, then writes `established`.
pub(in crate::planner) fn found_what_i_claimed(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.founder() == Some(s.me()))?;
    if s.data_generation() == Some(record.generation) {
        if s.data().is_some_and(|d| d.cluster.is_none()) && s.is_stopped() {
            return disk::superseded(s);
        }
        return Some(if s.runs() { establish(s, record) } else { resume_founding(s, record) });
    }
    if s.data().is_some() {
        return put_old_data_aside(s, record);
    }
    if matches!(&record.origin, Origin::Snapshot { key } if s.memory.snapshots.refused.contains_key(key)) {
        return None;
    }
    let claimed_at = s.memory.claimed.filter(|(number, _)| *number == record.number).map(|(_, at)| at)?;
    Some(start_alone(s, record, claimed_at))
}

fn start_alone(s: &Situation<'_>, record: &Record, claimed_at: Timestamp) -> Decision {
    if let Some(objection) = objection::objector(s, record.number, Some(claimed_at)) {
        let wait = explain::may_not_start_yet(record.generation, &objection);
        return objection.holds_up(Phase::Founding, wait).again_in(s.policy.retry / 4);
    }
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Decision::wait(Phase::Founding, joining::started_etcd_just_now(s.last_exit())).again_in(s.policy.retry);
    }
    if let Origin::Snapshot { key } = &record.origin {
        return restore::restore(s, record, key);
    }
    let start = Start::Found { generation: record.generation, token: record.token() };
    Decision::act(Phase::Founding, Step::StartMember(start, record.transport), explain::founds_alone(record.generation))
}

fn resume_founding(s: &Situation<'_>, record: &Record) -> Decision {
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Decision::wait(Phase::Founding, joining::started_etcd_just_now(s.last_exit())).again_in(s.policy.retry);
    }
    let start = Start::Resume { loopback_only: true, server: None };
    Decision::act(Phase::Founding, Step::StartMember(start, record.transport), explain::goes_on(record.generation))
}

fn establish(s: &Situation<'_>, record: &Record) -> Decision {
    let Some((membership, me)) = s.membership().zip(s.my_member()) else {
        return Decision::wait(Phase::Founding, explain::does_not_lead_yet(record.generation)).again_in(s.policy.retry / 4);
    };
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Decision::wait(Phase::Founding, explain::store_refused_established()).again_in(s.policy.retry);
    }
    let next = Record {
        state: State::Established,
        ever_established: Some(record.generation),
        etcd_cluster: Some(membership.cluster),
        voters: vec![ListedVoter { instance: s.me().clone(), member: me.id }],
        authority: record.authority.or_else(|| certificates::own_authority(s)),
        ..change::successor(record)
    };
    let message = explain::establishes(next.generation, &membership.cluster);
    Decision::act(Phase::Founding, Step::CreateRecord(next), message)
}

/// Moves to the trash data older than an operator's `recover --fresh`, and data that a restored snapshot replaces. A survivor's data is restored
/// instead, by the rule before this one.
fn put_old_data_aside(s: &Situation<'_>, record: &Record) -> Option<Decision> {
    // A member without a label belongs to no record, whether its etcd runs or not. The claim cannot be carried out beside it.
    if s.data().is_some_and(|d| d.cluster.is_some() && d.generation.is_none()) {
        return Some(Decision::halt(Phase::Halted, serving::data_is_not_ours()));
    }
    let (message, why) = match &record.origin {
        Origin::Fresh => (explain::puts_older_data_aside(), AsideReason::RecoverFresh),
        Origin::Snapshot { key } => {
            if let Some(first) = before_it_gives_up(s, record, key)? {
                return Some(first);
            }
            (explain::puts_data_aside_for(key), AsideReason::RecoverSnapshot)
        }
        Origin::Empty | Origin::Survivor { .. } => return None,
    };
    if s.data_generation().is_none() {
        return Some(Decision::halt(Phase::Halted, serving::data_is_not_ours()));
    }
    Some(if s.runs() {
        Decision::act(Phase::Founding, Step::StopMember(StopReason::PutAside), message)
    } else {
        Decision::act(Phase::Founding, Step::PutDataAside { why }, message)
    })
}

/// What must happen before this node gives up its own data: every other node was asked again since the claim, and the snapshot on this disk is verified.
/// None where the claim is not to be carried out.
fn before_it_gives_up(s: &Situation<'_>, record: &Record, key: &SnapshotKey) -> Option<Option<Decision>> {
    let claimed_at = s.memory.claimed.filter(|(number, _)| *number == record.number).map(|(_, at)| at)?;
    if s.memory.snapshots.refused.contains_key(key) || !orders::gives_up_data(s) {
        return None;
    }
    if let Some(objection) = objection::objector(s, record.number, Some(claimed_at)) {
        let wait = explain::may_not_give_up_yet(record.generation, &objection);
        return Some(Some(objection.holds_up(Phase::Founding, wait).again_in(s.policy.retry / 4)));
    }
    Some(restore::fetch(s, key, Phase::Founding).err())
}

/// Opens the founder's client port by a restart. Until the record said `established` it served loopback only.
pub(in crate::planner) fn open_to_clients(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record().filter(|r| r.state == State::Established)?;
    if !s.runs_on_loopback() || s.data_generation() != Some(record.generation) {
        return None;
    }
    Some(Decision::act(Phase::Founding, Step::StopMember(StopReason::OpenToClients), explain::opens_to_clients()))
}

/// What a claim would found, if the charter permits one at all.
struct Claimable {
    origin: Origin,
    generation: Generation,
    /// An unsigned answer is enough, because nothing can be lost yet or an operator has decided.
    unsigned_will_do: bool,
}

fn claimable(s: &Situation<'_>) -> Option<Claimable> {
    let ordered = |order| s.order() == Some(order);
    let fresh = || Claimable { origin: Origin::Fresh, generation: next_generation(s), unsigned_will_do: true };
    match &s.charter {
        // A node that remembers nothing learns from the others what was there: the order is still for a fresh start.
        Charter::Absent | Charter::NoStore if ordered(Order::RecoverFresh) => s.membership().is_none().then(fresh),
        Charter::Absent => Some(Claimable { origin: Origin::Empty, generation: Generation(1), unsigned_will_do: true }),
        Charter::NoStore if ordered(Order::Bootstrap) => {
            Some(Claimable { origin: Origin::Empty, generation: Generation(1), unsigned_will_do: true })
        }
        Charter::Known(record) if ordered(Order::RecoverFresh) && s.membership().is_none() && !fresh_is_under_way(s, record) => {
            Some(fresh())
        }
        Charter::Known(record) => take_over(s, record).or_else(|| restores(s)),
        Charter::Vanished(_) | Charter::Broken(_) if ordered(Order::RecoverFresh) && s.membership().is_none() => Some(fresh()),
        Charter::NoStore | Charter::Unreadable(..) | Charter::Vanished(_) | Charter::Broken(_) | Charter::Foreign(_) => None,
    }
}

/// A repeated claim, where the founder of the first is gone or is this node. Without a store nothing keeps two nodes from repeating it at once, so that
/// takes an operator's order, as the first claim did.
fn take_over(s: &Situation<'_>, record: &Record) -> Option<Claimable> {
    let founder = record.founder()?;
    let repeats = matches!(record.origin, Origin::Empty | Origin::Fresh);
    let open = founder == s.me() || s.is_gone(founder);
    let ordered = matches!(s.order(), Some(Order::Bootstrap | Order::RecoverFresh));
    let generation = next_generation(s);
    (repeats && open && (ordered || s.has_store())).then(|| Claimable {
        origin: record.origin.clone(),
        generation,
        unsigned_will_do: ordered,
    })
}

/// The claim to restore a snapshot, where every voter's data is lost and there is one.
fn restores(s: &Situation<'_>) -> Option<Claimable> {
    let Restorable::From(stored) = restore::restorable(s) else { return None };
    let origin = Origin::Snapshot { key: stored.key.clone() };
    let unsigned_will_do = orders::snapshot_wanted(s).is_some();
    Some(Claimable { origin, generation: next_generation(s), unsigned_will_do })
}

/// This node has already claimed the operator's fresh start, or it is the cluster's only voter and only has to be started.
fn fresh_is_under_way(s: &Situation<'_>, record: &Record) -> bool {
    let alone = record.state == State::Established && record.voters.iter().all(|v| v.instance == *s.me());
    let mine = alone && s.data_generation() == Some(record.generation);
    mine || (record.origin == Origin::Fresh && record.founder() == Some(s.me()))
}

/// Every record that a claim must not fall behind: the store's and the remembered one, and also the peers' where an operator orders a fresh start
/// over a charter that may be lost.
fn known_records<'a>(s: &Situation<'a>) -> impl Iterator<Item = &'a Record> {
    let told = s.seen.peers.values().filter_map(|p| p.fresh()).filter_map(|p| p.record.as_ref());
    let ordered = s.order() == Some(Order::RecoverFresh);
    s.record().into_iter().chain(&s.memory.kept.record).chain(told.filter(move |_| ordered))
}

/// The same without the records of another cluster, which has its own generations.
fn own_records<'a>(s: &Situation<'a>) -> impl Iterator<Item = &'a Record> {
    known_records(s).filter(|r| r.belongs_to(&s.seen.me))
}

/// The generation after all known ones.
fn next_generation(s: &Situation<'_>) -> Generation {
    own_records(s).map(|r| r.generation).max().map_or(Generation(1), Generation::next)
}

pub(in crate::planner) fn claim(s: &Situation<'_>) -> Option<Decision> {
    let claimable = claimable(s)?;
    if s.data().is_some() && s.order() != Some(Order::RecoverFresh) && orders::snapshot_wanted(s).is_none() {
        return None;
    }
    // It would claim what it could never found: the gate refuses data of unknown generation.
    if s.data().is_some_and(|d| d.cluster.is_some() && d.generation.is_none()) {
        return Some(Decision::halt(Phase::Halted, serving::data_is_not_ours()));
    }
    if let Err(wait) = ready_to_claim(s, &claimable) {
        return Some(wait.again_in(s.policy.retry));
    }
    if let Some(unseen) = unseen_by_tag(s, &claimable) {
        return Some(unseen);
    }
    let since = s.memory.may_claim.unwrap_or(s.now);
    // A node that an operator has chosen comes first.
    let rank = if orders::snapshot_wanted(s).is_some() { 0 } else { rank(s) };
    let at = since + s.policy.rank_delay * rank;
    if s.now < at {
        return Some(Decision::wait(Phase::Waiting, explain::others_come_first()).until(Some(at)).again_in(s.policy.retry));
    }
    if let Origin::Snapshot { key } = &claimable.origin
        && let Err(fetch) = restore::fetch(s, key, Phase::Recovering)
    {
        return Some(fetch);
    }
    if s.memory.waits(BackoffKey::Record, s.now) {
        return Some(Decision::wait(Phase::Waiting, explain::store_refused_claim()).again_in(s.policy.retry));
    }
    let record = first_record(s, claimable);
    let (phase, message) = match &record.origin {
        Origin::Snapshot { key } => (Phase::Recovering, explain::claims_to_restore(record.generation, key, &orders::given_up(s))),
        Origin::Empty | Origin::Fresh | Origin::Survivor { .. } => (Phase::Waiting, explain::claims(record.generation)),
    };
    Some(Decision::act(phase, Step::CreateRecord(record), message))
}

fn first_record(s: &Situation<'_>, claimable: Claimable) -> Record {
    let me = &s.seen.me;
    let number = known_records(s).map(|r| r.number).max().unwrap_or(0) + 1;
    // A cluster that begins empty has no ancestors: no older snapshot is ever restored over it.
    let goes_on = matches!(claimable.origin, Origin::Snapshot { .. });
    let before = s.last_record().filter(|_| goes_on);
    let ancestors = before.map(Record::lineage).unwrap_or_default();
    // A node that takes this claim over asks the lost voters too.
    let voters = before.map(|r| r.voters.clone()).unwrap_or_default();
    Record {
        number,
        previous: s.last_record().filter(|r| r.number + 1 == number).map(Record::digest),
        account: me.account.clone(),
        region: me.region.clone(),
        cluster: me.cluster.clone(),
        generation: claimable.generation,
        origin: claimable.origin,
        state: State::Founding { founder: s.me().clone() },
        ever_established: own_records(s).filter_map(|r| r.ever_established).max(),
        etcd_cluster: None,
        voters,
        ancestors,
        transport: s.transport(),
        authority: s.last_record().and_then(|r| r.authority),
        rotation: s.last_record().and_then(|r| r.rotation),
    }
}

/// Whether a claim is open to this node. [`crate::tracker::absorb`] asks it and remembers since when, because the delay of its rank counts from there.
pub(crate) fn may_claim(s: &Situation<'_>) -> bool {
    let no_data = s.disk_is_empty() || s.order() == Some(Order::RecoverFresh) || orders::snapshot_wanted(s).is_some();
    let ready = |c: &Claimable| ready_to_claim(s, c).is_ok() && unseen_by_tag(s, c).is_none();
    no_data && s.departure().is_none() && claimable(s).is_some_and(|c| ready(&c))
}

/// Everything else is ready for an empty cluster to be claimed, so EC2 is now asked which instances carry the cluster's tag; asked by [`crate::cadence`].
pub(crate) fn awaits_tagged(s: &Situation<'_>) -> bool {
    s.disk_is_empty() && s.departure().is_none() && claimable(s).is_some_and(|c| c.origin == Origin::Empty && ready_to_claim(s, &c).is_ok())
}

/// The wait for EC2's list of the instances that carry the cluster's tag, which must be read before an empty cluster is claimed: the charter may have been
/// deleted, and the instance that holds the data may be on no group's list. A reading without this very instance shows that instances do not carry the tag,
/// and does not count.
fn unseen_by_tag(s: &Situation<'_>, claimable: &Claimable) -> Option<Decision> {
    if claimable.origin != Origin::Empty {
        return None;
    }
    let tagged = &s.seen.cloud.tagged;
    let Some(ids) = tagged.fresh() else {
        return Some(Decision::wait(Phase::Waiting, explain::tags_were_not_read(&tagged.why_not_fresh())).again_in(s.policy.retry / 2));
    };
    if ids.contains(s.me()) {
        return None;
    }
    let wait = Decision::wait(Phase::Waiting, explain::is_not_tagged(&s.seen.me.cluster)).again_in(s.policy.retry);
    // EC2's lists lag behind a launch.
    let lags = s.now.since(s.memory.started) < s.policy.aws_hurry * TAG_LAG;
    Some(Decision { needs_operator: !lags, ..wait })
}

/// The number of hurried pauses allowed for the lag: a minute.
const TAG_LAG: u32 = 12;

fn ready_to_claim(s: &Situation<'_>, claimable: &Claimable) -> Result<(), Decision> {
    let wait = |wait: Wait| Decision::wait(Phase::Waiting, wait);
    if !s.seen.cloud.listed.fresh().is_some_and(|l| l.contains_key(s.me())) {
        return Err(wait(explain::is_not_listed()));
    }
    launch_is_settled(s).map_err(wait)?;
    let number = if s.order() == Some(Order::RecoverFresh) { u64::MAX } else { s.record().map_or(0, |r| r.number) };
    if let Some(objection) = objection::objector(s, number, None) {
        return Err(objection.holds_up(Phase::Waiting, explain::others_object(&objection)));
    }
    let rests_on_answers = s.others().iter().any(|id| !s.is_gone(id));
    let unsigned = s.rests_on_unproved_answers() || s.others().iter().any(|id| s.word_of(id) == Some(Word::Unsigned));
    if rests_on_answers && !claimable.unsigned_will_do && unsigned {
        return Err(wait(explain::answers_are_unsigned()));
    }
    Ok(())
}

/// Whether the launch is settled. Permissions are proven by use: the group, its hooks and this instance's place in it were read, and a heartbeat was
/// accepted if one is due.
fn launch_is_settled(s: &Situation<'_>) -> Result<(), Wait> {
    if s.seen.cloud.hooks.last().is_none() {
        return Err(explain::hooks_were_not_read(&s.seen.cloud.hooks.why_not_fresh()));
    }
    match s.seen.cloud.own_state.last() {
        None => return Err(explain::own_place_was_not_read(&s.seen.cloud.own_state.why_not_fresh())),
        Some(LifecycleState::Pending) => return Err(explain::launch_is_early()),
        Some(_) => {}
    }
    let unproven =
        hooks::open(s, Transition::Launching).any(|h| s.memory.hooks.heartbeats.get(&h.hook).is_none_or(|b| b.accepted.is_none()));
    if unproven { Err(explain::heartbeat_is_unproven()) } else { Ok(()) }
}

/// The number of living candidates that come before this one by launch time and id.
fn rank(s: &Situation<'_>) -> u32 {
    let mine = (s.seen.me.launched, s.me().clone());
    let before = s.others().into_iter().filter(|id| {
        let stands = s.peer(id).is_some_and(|p| !p.leaving && p.phase != Phase::Warm);
        let launched = s.memory.kept.seen.get(id).and_then(|seen| seen.launched).unwrap_or_default();
        stands && (launched, id.clone()) < mine
    });
    u32::try_from(before.count()).unwrap_or(u32::MAX)
}

pub(in crate::planner) fn wait_for_founder(s: &Situation<'_>) -> Option<Decision> {
    if s.data().is_some() {
        return None;
    }
    match &s.charter {
        Charter::NoStore => Some(Decision::halt(Phase::Waiting, explain::there_is_no_store())),
        Charter::Unreadable(_, why) => Some(Decision::wait(Phase::Waiting, explain::charter_was_not_read(why)).again_in(s.policy.retry)),
        Charter::Known(record) => match &record.state {
            State::Founding { founder } if founder != s.me() && s.peer(founder).is_some_and(|p| p.leaving) => {
                Some(Decision::halt(Phase::Waiting, explain::founder_leaves(founder, record.generation)))
            }
            State::Founding { founder } if !s.has_store() && (founder == s.me() || s.is_gone(founder)) => {
                Some(Decision::halt(Phase::Waiting, explain::founder_cannot(record, founder)))
            }
            State::Founding { founder } if founder != s.me() => {
                Some(Decision::wait(Phase::Waiting, explain::another_founds(founder, record.generation)).again_in(s.policy.retry))
            }
            State::Founding { .. } | State::Established | State::Retired { .. } => None,
        },
        Charter::Absent | Charter::Vanished(_) | Charter::Broken(_) | Charter::Foreign(_) => None,
    }
}
