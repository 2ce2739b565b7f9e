//! Data on this disk that is dead, or belongs to no member.

use std::cmp::Ordering;

use crate::charter::{Record, State};
use crate::explain::serving;
use crate::observation::Membership;
use crate::plan::{AsideReason, Step, StopReason};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::retire;

/// Moves to the trash data that a quorum read proves to be dead: a removed member's, or that of an older generation.
pub(in crate::planner) fn superseded(s: &Situation<'_>) -> Option<Decision> {
    let data = s.data()?;
    if data.cluster.is_none() && s.is_stopped() {
        let step = Step::PutDataAside { why: AsideReason::NeverStarted };
        return Some(Decision::act(Phase::Joining, step, serving::never_started(s.last_exit())));
    }
    if let Some(retired) = s.record().and_then(|record| retire::put_aside(s, record)) {
        return Some(Decision { phase: Phase::Joining, ..retired });
    }
    let membership = s.membership()?;
    let why = if data.cluster == Some(membership.cluster) {
        let removed = data.member.is_some_and(|id| membership.get(id).is_none()) && was_read_since(s);
        removed.then_some(AsideReason::RemovedMember)?
    } else {
        is_older(s, membership)?
    };
    Some(if s.runs() {
        Decision::act(Phase::Joining, Step::StopMember(StopReason::PutAside), serving::stops_on_dead_data(why))
    } else {
        Decision::act(Phase::Joining, Step::PutDataAside { why }, serving::puts_dead_data_aside(why))
    })
}

/// The list was read since this data appeared. A distribution adds its member on its own, so a list from just before lacks it although it was not removed.
fn was_read_since(s: &Situation<'_>) -> bool {
    let first_seen = s.memory.local.holds.map(|(_, at)| at);
    s.ways().runs_etcd || s.seen.etcd.membership.at().zip(first_seen).is_some_and(|(read, seen)| read > seen)
}

fn is_older(s: &Situation<'_>, membership: &Membership) -> Option<AsideReason> {
    let record = s.record().filter(|r| r.state == State::Established && r.etcd_cluster == Some(membership.cluster))?;
    is_superseded_by(s, record)
}

/// Why the established generation replaces this data, if it does: the data is of an older generation. Should two clusters ever have got the same number, the
/// charter's is the valid one.
pub(in crate::planner) fn is_superseded_by(s: &Situation<'_>, record: &Record) -> Option<AsideReason> {
    let data = s.data()?;
    let generation = data.generation?;
    let twin = data.cluster.zip(record.etcd_cluster).is_some_and(|(ours, theirs)| ours != theirs);
    match generation.cmp(&record.generation) {
        Ordering::Less => Some(AsideReason::OlderGeneration),
        Ordering::Equal if twin => Some(AsideReason::AnotherCluster),
        Ordering::Equal | Ordering::Greater => None,
    }
}
