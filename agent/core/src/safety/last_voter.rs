//! The last voter that there is: whether this node is it, and goes.

use crate::charter::{ListedVoter, Record, State};
use crate::observation::Member;

use super::facts::Facts;
use super::verdict::{Verdict, require};
use super::{notices, time_left};

/// Every other voter is gone, by a quorum's list, else by its own and the charter's; and nobody is there who could take over in time.
pub(super) fn last_voter_leaves(f: &Facts<'_>) -> Verdict {
    require(notices::is_told_to_leave(f) && f.seen.local.data.fresh().is_some(), "it is not leaving, or its disk is not known")?;
    let is_over = |m: &Member| m.learner || f.is_mine(m) || f.instance_behind(m).is_some_and(|i| f.has_ended(&i) || f.denies(&i, m.id));
    let Some(membership) = f.seen.etcd.membership.fresh() else {
        let list = f.seen.etcd.local_list.fresh();
        let record = f.memory.kept.record.as_ref();
        require(list.is_some() || record.is_some(), "no list of voters is known")?;
        let is_gone = |v: &ListedVoter| v.instance == *f.me() || f.has_ended(&v.instance) || f.denies(&v.instance, v.member);
        require(list.into_iter().flatten().all(is_over), "by its own list other voters are left")?;
        return require(record.into_iter().flat_map(|r| &r.voters).all(is_gone), "by the charter other voters are left");
    };
    require(membership.members.iter().all(is_over), "other voters are left")?;
    let heir = membership.members.iter().any(|m| m.learner && !f.is_mine(m) && f.answers(m.id));
    require(!heir || time_left::little_time_is_left(f), "a learner that lives could take over")
}

/// An established generation whose only voter this is, and whose data lies on this disk.
pub(super) fn retires(f: &Facts<'_>, record: &Record) -> Verdict {
    require(record.state == State::Established, "nothing is established")?;
    let is_over = |v: &ListedVoter| v.instance == *f.me() || f.has_ended(&v.instance);
    require(record.voters.iter().all(is_over) && record.lists(f.me()), "others vote, or this node does not")?;
    let mine = f.data().is_some_and(|d| d.generation == Some(record.generation) && d.cluster.is_some() && d.cluster == record.etcd_cluster);
    require(mine, "its data is not the record's")
}
