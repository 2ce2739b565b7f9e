//! Data on this disk that is dead, or nobody's.

use std::cmp::Ordering;
use std::fmt;

use crate::charter::{Record, State};
use crate::observation::Membership;
use crate::plan::{Step, StopReason};
use crate::report::Phase;
use crate::role::Role;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::retire;

/// Said of data without Quorate's label: nothing is known of its age, so nothing is decided about it.
pub(in crate::planner) const NOT_OURS: &str =
    "the data directory holds an etcd member that Quorate did not make: move it away, or take this node out of the group";

/// Data that a quorum read proves to be dead goes to the trash: a removed member's, or one of an older generation.
pub(in crate::planner) fn superseded(s: &Situation<'_>) -> Option<Decision> {
    let data = s.data()?;
    if data.cluster.is_none() && s.is_stopped() {
        let says = "puts its data directory aside: etcd never got so far as to write its log there, so it holds no member";
        return Some(Decision::act(Phase::Joining, Step::PutDataAside { why: "never-started" }, says));
    }
    if let Some(retired) = s.record().and_then(|record| retire::put_aside(s, record)) {
        return Some(Decision { phase: Phase::Joining, ..retired });
    }
    let membership = s.membership()?;
    let why = if data.cluster == Some(membership.cluster) {
        let removed = data.member.is_some_and(|id| membership.get(id).is_none()) && was_read_since(s);
        removed.then_some("removed-member")?
    } else {
        is_older(s, membership)?
    };
    Some(if s.runs() {
        Decision::act(Phase::Joining, Step::StopMember(StopReason::PutAside), format!("stops etcd on dead data ({why})"))
    } else {
        Decision::act(Phase::Joining, Step::PutDataAside { why }, format!("puts its data aside, as a quorum's word proves it dead ({why})"))
    })
}

/// A distribution adds its member by itself, so that a list from just before lacks it, although nobody has removed it.
fn was_read_since(s: &Situation<'_>) -> bool {
    let first_seen = s.memory.local.holds.map(|(_, at)| at);
    s.seen.me.role == Role::Etcd || s.seen.etcd.membership.at().zip(first_seen).is_some_and(|(read, seen)| read > seen)
}

fn is_older(s: &Situation<'_>, membership: &Membership) -> Option<&'static str> {
    let record = s.record().filter(|r| r.state == State::Established && r.etcd_cluster == Some(membership.cluster))?;
    Some(match is_superseded_by(s, record)? {
        Superseded::OlderGeneration => "older-generation",
        Superseded::AnotherCluster => "another-cluster",
    })
}

/// In what way data is not that of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::planner) enum Superseded {
    OlderGeneration,
    AnotherCluster,
}

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OlderGeneration => "an older generation",
            Self::AnotherCluster => "another etcd cluster",
        })
    }
}

/// The data is of an older generation than the established one. Should two clusters ever have got the same number, the charter's is the one.
pub(in crate::planner) fn is_superseded_by(s: &Situation<'_>, record: &Record) -> Option<Superseded> {
    let data = s.data()?;
    let generation = data.generation?;
    let twin = data.cluster.zip(record.etcd_cluster).is_some_and(|(ours, theirs)| ours != theirs);
    match generation.cmp(&record.generation) {
        Ordering::Less => Some(Superseded::OlderGeneration),
        Ordering::Equal if twin => Some(Superseded::AnotherCluster),
        Ordering::Equal | Ordering::Greater => None,
    }
}
