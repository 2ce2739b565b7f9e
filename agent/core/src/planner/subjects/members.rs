//! Entries of etcd's list that keep others out: members that belong to no node of this cluster, and one whose volume was moved.

use crate::explain::{Message, joining, serving};
use crate::ids::{InstanceId, MemberId};
use crate::observation::{Alarm, Membership};
use crate::situation::{Situation, Stranger};

use crate::planner::decision::Decision;
use crate::planner::subjects::certificates;

/// A voter whose instance is at another address than etcd lists: a node that joined now could not reach it.
pub(in crate::planner) fn not_at_its_address(s: &Situation<'_>, membership: &Membership) -> Option<(MemberId, InstanceId)> {
    membership.voters().find_map(|member| {
        let instance = member.name.clone()?;
        let address = s.memory.kept.seen.get(&instance)?.address?;
        (!member.peer_url.is_of(address)).then_some((member.id, instance))
    })
}

/// What is said of the first stranger, with the command that removes it; where its instance runs, also how that becomes one of the group's own.
fn stranger(s: &Situation<'_>) -> Option<Message> {
    s.strangers().next().map(|(member, why)| match why {
        Stranger::Nobody => joining::stranger_is_listed(member),
        Stranger::UnknownToEc2(instance) => joining::instance_is_unknown(member, &instance),
        Stranger::Unattached(instance) => joining::instance_is_unattached(member, &instance, &s.seen.me.group),
    })
}

/// A voter's instance whose agent has not answered for long, and whether its etcd serves; only the agent beside the leader reports it.
fn silent_agent(s: &Situation<'_>) -> Option<(InstanceId, bool)> {
    let others = s.membership().filter(|_| s.leads())?.voters().filter_map(|m| Some((s.instance_of(m)?, s.is_healthy(m.id))));
    let mut silent = others.filter(|(i, _)| i != s.me() && s.peer(i).is_none() && !s.is_leaving(i));
    silent.find(|(i, _)| s.memory.silent_for(i, s.now) >= s.policy.wait_patience)
}

/// Adds to a decision at rest what is wrong with the cluster and only an operator can fix: a stranger in etcd's list, etcd's own alarms, and an
/// agent that has ended.
pub(in crate::planner) fn noted(s: &Situation<'_>, decision: Decision) -> Decision {
    let corrupt = s.has_alarm(Alarm::Corrupt).then(serving::data_differs);
    let no_space = s.has_alarm(Alarm::NoSpace).then(serving::is_out_of_space);
    let silent = silent_agent(s).map(|(instance, serves)| serving::agent_is_silent(&instance, serves));
    let certificates = certificates::trouble(s);
    stranger(s).into_iter().chain(corrupt).chain(no_space).chain(silent).chain(certificates).fold(decision, |decision, trouble| {
        let message = serving::troubled(&decision.message, &trouble);
        Decision { message, needs_operator: true, ..decision }
    })
}
