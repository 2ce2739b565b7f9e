//! The end of a cluster: its last voter stops its clients, saves all that it holds, says so in the charter, and leaves. A node that comes after it
//! continues from there.

use crate::charter::{Record, State};
use crate::explain::ending::{self as explain, Last, obstacle};
use crate::explain::hooks::Standing;
use crate::explain::snapshots::missing;
use crate::explain::{Message, Wait};
use crate::ids::MemberId;
use crate::memory::BackoffKey;
use crate::observation::{Member, Process, Saved, Taken};
use crate::plan::{AsideReason, HookResult, Start, Step, StopReason, Via};
use crate::report::Phase;
use crate::situation::{Charter, Departure, Situation};
use crate::snapshot::{SnapshotOrder, Trigger};

use crate::planner::decision::Decision;
use crate::planner::subjects::{change, completion, departing};

/// Continues to its end what was begun: nothing else is worth anything once the clients are stopped. It also continues after the agent has been restarted,
/// if the charter says `retired`.
pub(in crate::planner) fn go_on(s: &Situation<'_>, departure: &Departure) -> Option<Decision> {
    if !departure.instance_goes {
        return None;
    }
    if let Some(record) = retired(s) {
        return Some(finish(s, departure, record));
    }
    // An heir was added just before the clients were stopped: they are served again, so it can be promoted.
    let goes_on = s.memory.ending.is_retiring() && !departing::has_heir(s, departure);
    let record = savable(s).ok().filter(|_| goes_on)?;
    Some(save(s, departure, record))
}

/// Saves what the last voter holds, if that is possible, when it leaves and no node takes over.
pub(in crate::planner) fn end(s: &Situation<'_>, departure: &Departure, last: Last) -> Decision {
    if s.is_stopped() && s.memory.ending.is_stopped() {
        return without_saving(s, departure, last, "");
    }
    let record = match savable(s) {
        Ok(record) => record,
        Err(Obstacle::Lasting(obstacle)) => return without_saving(s, departure, last, obstacle),
        Err(Obstacle::Passing(obstacle)) => {
            return wait(departure, explain::cannot_save_yet(last, &obstacle), s);
        }
    };
    // This agent, being the one beside the leader, removes the others from the charter, and needs the lock for that.
    if is_alone(s) && record.voters.iter().any(|v| v.instance != *s.me() && !s.is_gone(&v.instance)) {
        return wait(departure, explain::charter_names_others(last), s);
    }
    if let Some(via) = s.via_any().filter(|_| s.holds_lock()) {
        return Decision::act(Phase::Leaving, Step::ReleaseLock { via }, explain::releases_the_lock());
    }
    if !is_alone(s) {
        return save_what_is_left(s, departure, record, last);
    }
    save(s, departure, record)
}

/// Ends without saving: stops the clients first, so none sees another acknowledgement, then completes the hook.
pub(in crate::planner) fn without_saving(s: &Situation<'_>, departure: &Departure, last: Last, obstacle: &str) -> Decision {
    let newest = s.memory.snapshots.newest.as_ref().map(|(key, _)| key);
    if s.runs() {
        let message = explain::data_ends(last, obstacle, newest);
        return Decision::act(Phase::Leaving, Step::StopMember(StopReason::LastVoterLeaves), message);
    }
    let decision = completion::complete(s, departure, HookResult::Continue, Standing::Last(last));
    if s.disk_is_empty() || s.memory.snapshots.covering_all.is_some() {
        return decision;
    }
    let message = explain::data_ends_too(&decision.message, newest);
    decision.told(message)
}

/// Why what this node holds cannot be saved.
enum Obstacle {
    /// Nothing will change it.
    Lasting(&'static str),
    /// It may pass before the deadline.
    Passing(String),
}

/// The established record of this disk's data.
fn savable<'a>(s: &Situation<'a>) -> Result<&'a Record, Obstacle> {
    if !s.has_store() {
        return Err(Obstacle::Lasting(obstacle::NO_STORE));
    }
    if !s.policy.snapshots.enabled {
        return Err(Obstacle::Lasting(obstacle::NO_SNAPSHOTS));
    }
    let record = match &s.charter {
        Charter::Known(record) => *record,
        Charter::Unreadable(_, why) => return Err(Obstacle::Passing(obstacle::charter_was_not_read(why))),
        Charter::Broken(why) | Charter::Foreign(why) => return Err(Obstacle::Passing(why.clone())),
        Charter::Vanished(record) => return Err(Obstacle::Passing(obstacle::record_vanished(record))),
        Charter::NoStore | Charter::Absent => return Err(Obstacle::Lasting(obstacle::NO_CHARTER)),
    };
    let same_cluster = s.data().is_some_and(|d| d.cluster.is_some() && d.cluster == record.etcd_cluster);
    let mine = record.state == State::Established && s.data_generation() == Some(record.generation) && same_cluster;
    if mine { Ok(record) } else { Err(Obstacle::Lasting(obstacle::NOT_ESTABLISHED)) }
}

/// The record that ended the generation of this node, which was its last voter.
fn retired<'a>(s: &Situation<'a>) -> Option<&'a Record> {
    let ended = s.record().filter(|r| matches!(r.state, State::Retired { .. }) && r.lists(s.me()))?;
    let mine = s.disk_is_empty() || s.data_generation() == Some(ended.generation);
    mine.then_some(ended)
}

/// By every known list no other member votes: etcd has a quorum with this member alone.
fn is_alone(s: &Situation<'_>) -> bool {
    let alone = |members: &Vec<Member>| {
        let own: Vec<MemberId> = s.own_entries(members).map(|m| m.id).collect();
        members.iter().all(|m| m.learner || own.contains(&m.id))
    };
    let list = s.membership().map(|m| &m.members).or(s.seen.etcd.local_list.fresh());
    let by_record = || s.last_record().is_some_and(|r| r.voters.iter().all(|v| v.instance == *s.me()));
    list.map_or_else(by_record, alone)
}

/// No client can write any longer: etcd serves only this node, or it has lost its quorum for good.
pub(crate) fn nobody_is_served(s: &Situation<'_>) -> bool {
    s.runs_on_loopback() || (s.runs() && s.membership().is_none() && !is_alone(s))
}

/// Clients off, all saved, etcd off, `retired`: each only after the one before it.
fn save(s: &Situation<'_>, departure: &Departure, record: &Record) -> Decision {
    match s.seen.local.process.fresh() {
        Some(Process::Running { loopback_only: true, .. }) => match &s.memory.snapshots.covering_all {
            Some(saved) => stop(departure, saved),
            None => take(s, departure, record),
        },
        Some(Process::Running { .. }) => {
            Decision::act(Phase::Leaving, Step::StopMember(StopReason::Retire), explain::stops_clients(&departure.why))
                .until(departure.deadline)
        }
        Some(Process::Stopped { .. }) => match &s.memory.snapshots.covering_all {
            Some(saved) => retire(s, departure, record, saved),
            None => start_alone(s, departure),
        },
        None => wait(departure, explain::process_is_unknown(), s),
    }
}

fn start_alone(s: &Situation<'_>, departure: &Departure) -> Decision {
    if s.memory.waits(BackoffKey::Start, s.now) {
        return wait(departure, explain::started_just_now(), s);
    }
    Decision::act(Phase::Leaving, Step::StartMember(Start::Alone, s.transport()), explain::starts_alone(&departure.why))
        .until(departure.deadline)
}

fn take(s: &Situation<'_>, departure: &Departure, record: &Record) -> Decision {
    let Some(via) = s.membership().and_then(|_| own_endpoint(s)) else {
        return wait(departure, explain::awaits_own_etcd(), s);
    };
    let order = SnapshotOrder::of(record, via, Trigger::Final).map(|order| SnapshotOrder { on_loopback: true, ..order });
    take_as(s, departure, order)
}

/// Saves what is left when the other voters are gone, and with them the quorum. This member may lack what the others had acknowledged, so the charter is not
/// retired: that would promise that nothing is missing.
fn save_what_is_left(s: &Situation<'_>, departure: &Departure, record: &Record, last: Last) -> Decision {
    let Some(via) = own_endpoint(s).filter(|_| s.runs()) else {
        return without_saving(s, departure, last, obstacle::NOTHING_SERVED);
    };
    let Some(saved) = &s.memory.snapshots.covering_all else {
        let order = SnapshotOrder::of(record, via, Trigger::Final).map(|order| SnapshotOrder { unconfirmed: true, ..order });
        return take_as(s, departure, order);
    };
    let message = explain::stops_with_what_is_left(last, saved);
    Decision::act(Phase::Leaving, Step::StopMember(StopReason::LastVoterLeaves), message)
}

fn own_endpoint(s: &Situation<'_>) -> Option<Via> {
    let member = s.data().and_then(|d| d.member)?;
    let list = s.membership().map(|m| &m.members).or(s.seen.etcd.local_list.fresh())?;
    let url = list.iter().find(|m| m.id == member)?.client_url?;
    Some(Via::new(member, url))
}

fn take_as(s: &Situation<'_>, departure: &Departure, order: Option<SnapshotOrder>) -> Decision {
    if let Some(taking) = s.seen.snapshots.taking {
        return wait(departure, explain::saves(taking), s);
    }
    if let Some(why) = failed(s) {
        return wait(departure, explain::could_not_save(&why), s);
    }
    let Some(order) = order else { return wait(departure, explain::record_names_no_cluster(), s) };
    Decision::act(Phase::Leaving, Step::TakeSnapshot(order), explain::takes_final_snapshot(&departure.why)).until(departure.deadline)
}

/// Why the last try failed, if that was a moment ago. Nothing else is left to be done, so it is tried again soon.
fn failed(s: &Situation<'_>) -> Option<Message> {
    if s.memory.waits(BackoffKey::Snapshot, s.now) {
        return Some(missing::could_not_begin());
    }
    match &s.seen.snapshots.taken {
        Some(Taken { trigger: Trigger::Final, result: Err(why), at, .. }) if s.now.since(*at) < s.policy.cycle => Some(why.clone().into()),
        _ => None,
    }
}

fn stop(departure: &Departure, saved: &Saved) -> Decision {
    let message = explain::all_is_saved(&departure.why, &saved.key);
    Decision::act(Phase::Leaving, Step::StopMember(StopReason::LastVoterLeaves), message).until(departure.deadline)
}

fn retire(s: &Situation<'_>, departure: &Departure, record: &Record, saved: &Saved) -> Decision {
    if s.memory.waits(BackoffKey::Record, s.now) {
        return wait(departure, explain::store_refused_retired(), s);
    }
    let state = State::Retired { key: saved.key.clone(), revision: saved.revision };
    let next = Record { state, ..change::successor(record) };
    Decision::act(Phase::Leaving, Step::CreateRecord(next), explain::retires(saved)).until(departure.deadline)
}

/// Puts the copy on this disk aside and completes the hook: the charter says where all of the data is, so the copy no longer counts.
fn finish(s: &Situation<'_>, departure: &Departure, record: &Record) -> Decision {
    put_aside(s, record).unwrap_or_else(|| completion::complete(s, departure, HookResult::Continue, Standing::IsRetired))
}

/// Puts aside the data of a retired generation, which is in its snapshot.
pub(in crate::planner) fn put_aside(s: &Situation<'_>, record: &Record) -> Option<Decision> {
    let State::Retired { key, .. } = &record.state else { return None };
    let mine = s.data_generation() == Some(record.generation) && s.data().is_some_and(|d| d.cluster == record.etcd_cluster);
    let step = match s.seen.local.process.fresh()? {
        Process::Running { .. } => Step::StopMember(StopReason::PutAside),
        Process::Stopped { .. } => Step::PutDataAside { why: AsideReason::Retired },
    };
    (mine && s.membership().is_none()).then(|| Decision::act(Phase::Leaving, step, explain::puts_retired_data_aside(key)))
}

fn wait(departure: &Departure, wait: Wait, s: &Situation<'_>) -> Decision {
    Decision::wait(Phase::Leaving, wait).until(departure.deadline).again_in(s.policy.retry)
}
