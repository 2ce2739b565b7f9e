//! When to ask the AWS control plane, and what: at boot, on a change, and on a slow jittered cadence while serving.
//!
//! Auto Scaling has one token bucket per account and region, which a thousand nodes must not empty. In steady state a voter asks only
//! for its groups, six times an hour by default.

mod worker;

use std::time::Duration;

use crate::ids::{GroupName, InstanceId};
use crate::memory::Memory;
use crate::observation::{LifecycleState, ListedInstance, Observation};
use crate::planner;
use crate::policy::Policy;
use crate::situation::Situation;
use crate::time::Timestamp;

/// One question to the AWS control plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// DescribeAutoScalingGroups by the cluster's tags: groups and the instances that they list.
    Groups,
    /// DescribeInstances by the tag `quorate:cluster`, in every state except `terminated`.
    Tagged,
    /// DescribeInstances of these ids.
    Instances(Vec<InstanceId>),
    /// DescribeAutoScalingInstances of these dead instances, whose hooks are to be completed for them.
    Places(Vec<InstanceId>),
    /// DescribeLifecycleHooks of the cluster's groups.
    Hooks,
    /// DescribeAutoScalingInstances of this instance.
    OwnState,
}

/// The pace slackens the longer something has been awaited: after the first number of hurried pauses, only one question in the second number is asked.
const SLACK: &[(u32, u32)] = &[(24, 6), (240, 24), (720, 120)];

/// The questions to ask before the next decision. The asker passes each to [`crate::tracker::note_asked`], answered or not.
#[must_use]
pub fn due(observation: &Observation, memory: &Memory, policy: &Policy, now: Timestamp) -> Vec<Query> {
    let s = Situation::new(observation, memory, policy, now);
    if !s.ways().has_member {
        return worker::due(&s);
    }
    let mut queries = Vec::new();
    let pace = pace(&s);
    let is_due = |asked: Option<Timestamp>, every: Duration| asked.is_none_or(|at| now.since(at) >= every);
    let notice = memory.leaving_since().is_some_and(|since| memory.asked.groups.is_none_or(|at| at < since));
    if is_due(memory.asked.groups, pace) || notice {
        queries.push(Query::Groups);
    }
    let hurried = policy.aws_hurry.min(pace);
    // Asked last before an empty cluster is claimed, and never otherwise.
    if planner::awaits_tagged(&s) && is_due(memory.asked.tagged, slackened(&s, hurried)) {
        queries.push(Query::Tagged);
    }
    let unknown = to_ask_by_id(&s);
    if !unknown.is_empty() && is_due(memory.asked.instances, slackened(&s, hurried)) {
        queries.push(Query::Instances(unknown));
    }
    let (dead, since) = places_to_look_at(&s);
    let unasked = memory.asked.places.is_none_or(|at| since.is_some_and(|since| at <= since));
    if !dead.is_empty() && (unasked || is_due(memory.asked.places, slackened(&s, hurried))) {
        queries.push(Query::Places(dead));
    }
    let hooks_pace = if lacks_hooks(&s) { slackened(&s, hurried) } else { policy.aws_cadence * 6 };
    let leaving_now = memory.leaving_since().is_some_and(|since| memory.asked.hooks.is_none_or(|at| at < since));
    if s.own_group().is_some() && (is_due(memory.asked.hooks, jittered(&s, hooks_pace)) || leaving_now) {
        queries.push(Query::Hooks);
    }
    let own_pace = slackened(&s, if is_launching(&s) { hurried / LAUNCH_HURRY } else { hurried });
    let notice = memory.leaving_since().is_some_and(|since| memory.asked.own_state.is_none_or(|at| at < since));
    if awaits_own_state(&s) && (is_due(memory.asked.own_state, own_pace) || notice) {
        queries.push(Query::OwnState);
    }
    queries
}

/// How much faster a launch is asked about: it is in `Pending` for seconds, once in an instance's life, and everything waits for it.
const LAUNCH_HURRY: u32 = 5;

fn is_launching(s: &Situation<'_>) -> bool {
    matches!(s.seen.cloud.own_state.last(), None | Some(LifecycleState::Pending))
}

/// No hook was ever read; or an instance waits in a hook's state and no hook of its group is known, because an empty view was believed or the group
/// is younger than the last look. That instance is this one, or a dead one whose hooks this agent has to complete.
fn lacks_hooks(s: &Situation<'_>) -> bool {
    let Some(hooks) = s.seen.cloud.hooks.last() else { return true };
    let is_unknown = |group: &GroupName| !hooks.iter().any(|h| h.hook.group == *group);
    let waits = s.launch_is_open() || s.termination_is_open();
    (waits && is_unknown(&s.seen.me.group)) || groups_of_the_dead(s).any(is_unknown)
}

/// The groups in which a departed instance waits for its hooks to be completed, where that is this node's duty.
fn groups_of_the_dead<'a>(s: &'a Situation<'_>) -> impl Iterator<Item = &'a GroupName> {
    waiting_dead(s).map(|(_, i)| &i.group)
}

fn waiting_dead<'a>(s: &'a Situation<'_>) -> impl Iterator<Item = (&'a InstanceId, &'a ListedInstance)> {
    let listed = s.seen.cloud.listed.last().filter(|_| s.leads()).into_iter().flatten();
    let waits = |state| matches!(state, LifecycleState::TerminatingWait | LifecycleState::PendingWait);
    listed.filter(move |(id, i)| *id != s.me() && waits(i.state) && s.is_departed(id))
}

/// The dead whose own entries were not read since another agent could last have completed their hooks; and the latest of those times.
fn places_to_look_at(s: &Situation<'_>) -> (Vec<InstanceId>, Option<Timestamp>) {
    let is_completed = |id: &InstanceId| s.memory.hooks.completed.iter().any(|(_, done)| done == id);
    let due = waiting_dead(s).filter(|(id, _)| !is_completed(id) && planner::place_of_the_dead(s, id).is_none());
    let due: Vec<_> = due.filter_map(|(id, _)| Some((id.clone(), planner::others_may_have_acted_until(s, id)?))).collect();
    let ripe = due.into_iter().filter(|(_, until)| s.now > *until);
    ripe.fold((Vec::new(), None), |(mut ids, latest), (id, until)| {
        ids.push(id);
        (ids, latest.max(Some(until)))
    })
}

/// Whether anything is awaited from AWS; asked by [`crate::tracker::absorb`], which remembers since when.
pub(crate) fn awaits_aws(s: &Situation<'_>) -> bool {
    let votes = s.my_member().is_some_and(|m| !m.learner);
    !votes || awaits_own_state(s) || !to_ask_by_id(s).is_empty() || dead_are_listed(s) || stranger_asks(s) || learner_is_unknown(s)
}

/// A learner was added at an address where no instance is known, and has not started: its agent cannot be asked how far it has come before AWS has said where
/// it is, and the learner would be taken for one that makes no progress.
fn learner_is_unknown(s: &Situation<'_>) -> bool {
    let learner = s.membership().filter(|_| s.leads()).and_then(|m| m.learner());
    learner.is_some_and(|m| !m.is_stranger() && s.instance_of(m).is_none())
}

/// A group still lists a dead instance: the agent beside the leader, which completes its hooks, watches the group until it is dropped.
fn dead_are_listed(s: &Situation<'_>) -> bool {
    s.leads() && s.seen.cloud.listed.last().is_some_and(|l| l.keys().any(|id| id != s.me() && s.is_gone(id)))
}

/// A new server asks this agent, which is to admit it and cannot ask back: only AWS can say where it is, and that it is this cluster's.
fn stranger_asks(s: &Situation<'_>) -> bool {
    s.leads() && s.memory.servers.callers.await_aws(s.seen.cloud.listed.at())
}

fn pace(s: &Situation<'_>) -> Duration {
    if awaits_aws(s) { slackened(s, s.policy.aws_hurry) } else { jittered(s, s.policy.aws_cadence) }
}

fn slackened(s: &Situation<'_>, hurried: Duration) -> Duration {
    // A notice to leave begins a new wait: a spare may have been in no hurry for days.
    let waited = s.for_how_long(s.memory.asked.fast_poll_since.max(s.memory.leaving_since()));
    let slack = SLACK.iter().rev().find(|(after, _)| waited >= hurried * *after).map_or(1, |(_, slack)| *slack);
    jittered(s, hurried * slack)
}

/// `pause`, varied by up to a fifth by this node's name and the number of its questions, so no two nodes stay in step.
fn jittered(s: &Situation<'_>, pause: Duration) -> Duration {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ s.memory.asked.count;
    for byte in s.me().as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let percent = 80 + u32::try_from((hash >> 32) % 41).unwrap_or(20);
    pause * percent / 100
}

/// Whether this instance's own place matters: from launch until it is in service, and again once it is to leave.
fn awaits_own_state(s: &Situation<'_>) -> bool {
    match s.seen.cloud.own_state.last() {
        None
        | Some(
            LifecycleState::Pending | LifecycleState::PendingWait | LifecycleState::PendingProceed | LifecycleState::RootVolumeReplaced,
        ) => true,
        Some(LifecycleState::TerminatingProceed | LifecycleState::Terminated) => false,
        Some(_) => s.departure().is_some_and(|d| d.instance_goes),
    }
}

/// Instances whose end or address must be learned from EC2 by id: those with no known address, and those that do not answer.
fn to_ask_by_id(s: &Situation<'_>) -> Vec<InstanceId> {
    let voters = s.membership().into_iter().flat_map(|m| m.members.iter()).filter_map(|m| s.instance_of(m));
    let members = s.others().into_iter().chain(voters).filter(|id| id != s.me() && needs_asking(s, id));
    let mut ids: Vec<InstanceId> = members.chain(silent_nodes(s)).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Nodes that are not ready, for the agent beside the leader: are their instances still there?
fn silent_nodes(s: &Situation<'_>) -> impl Iterator<Item = InstanceId> {
    let nodes = s.seen.kubernetes.nodes.fresh().filter(|_| s.leads()).into_iter().flatten().filter(|node| !node.ready);
    let ids: Vec<InstanceId> = nodes.filter_map(|node| InstanceId::parse(&node.name).ok()).collect();
    ids.into_iter().filter(|id| id != s.me() && !s.is_gone(id))
}

fn needs_asking(s: &Situation<'_>, id: &InstanceId) -> bool {
    if s.is_gone(id) {
        return false;
    }
    let matters = s.membership().is_some_and(|m| m.members.iter().any(|m| s.instance_of(m).as_ref() == Some(id)))
        || s.last_record().is_some_and(|r| r.lists(id))
        || s.seen.cloud.listed.last().is_none_or(|l| l.contains_key(id))
        || s.membership().is_none();
    if !matters {
        return false;
    }
    let no_address = s.memory.kept.seen.get(id).is_none_or(|seen| seen.address.is_none());
    let silent = s.memory.silent_for(id, s.now) > s.policy.stale_after;
    let never_heard = !s.memory.instances.heard.contains_key(id);
    no_address || silent || (never_heard && s.memory.silent_for(id, s.now) > s.policy.cycle)
}
