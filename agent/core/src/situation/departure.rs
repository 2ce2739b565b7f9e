//! Why this node is to leave, and by when. Notices combine: the nearest deadline holds, and a later notice restarts nothing.

use crate::explain::departure as explain;
use crate::memory::Order;
use crate::observation::{EventCode, EventState, LifecycleState, ScheduledEvent, ShutdownKind, SpotAction, Transition};
use crate::policy::OnRebalance;
use crate::time::Timestamp;

use super::Situation;

/// One notice to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaveReason {
    /// Its group terminates it.
    GroupTerminates,
    /// Its group detached it.
    GroupDetached,
    /// Its group gave it up and keeps its machine.
    GroupRetains,
    /// It moves to the warm pool.
    WarmPool,
    /// An operator ordered it.
    Order,
    /// Its machine powers off.
    PowerOff,
    /// Its root volume is replaced.
    RootVolume,
    /// EC2 terminates its spot instance.
    SpotTerminates,
    /// EC2 stops its spot instance.
    SpotStops,
    /// EC2 hibernates its spot instance.
    SpotHibernates,
    /// EC2 takes its spot instance back in a way that this code does not know.
    SpotTaken,
    /// EC2 retires its machine.
    Retirement,
    /// EC2 stops its machine for a scheduled event.
    ScheduledStop,
    /// EC2 recommends rebalancing it.
    Rebalance,
}

/// All notices, the one with the nearest deadline first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveReasons(Vec<LeaveReason>);

impl LeaveReasons {
    /// There is no other.
    #[must_use]
    pub fn is_only(&self, reason: LeaveReason) -> bool {
        self.0 == [reason]
    }

    /// Each of them.
    #[must_use]
    pub fn all(&self) -> &[LeaveReason] {
        &self.0
    }
}

/// Why this node is to leave, and by when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The notices.
    pub why: LeaveReasons,
    /// The nearest deadline, a hook's counted from accepted heartbeats only; absent for an operator's order.
    pub deadline: Option<Timestamp>,
    /// The instance itself ends, not just its membership.
    pub instance_goes: bool,
    /// A replacement may come before it has gone, and is worth waiting for.
    pub replacement_may_come: bool,
    /// The instance stays until this agent lets it go: a hook or a shutdown waits for the agent. Otherwise it ends at the deadline, however early
    /// its member is out.
    pub held_up: bool,
}

impl Departure {
    /// A departure for this reason, of an instance that stays, without a deadline.
    fn of(why: LeaveReason) -> Self {
        Self { why: LeaveReasons(vec![why]), deadline: None, instance_goes: false, replacement_may_come: true, held_up: true }
    }

    /// Both notices at once.
    fn and(self, other: Self) -> Self {
        let is_later = |a: &Self, b: &Self| a.deadline.is_none_or(|a| b.deadline.is_some_and(|b| b < a));
        let (first, second) = if is_later(&self, &other) { (other, self) } else { (self, other) };
        Self {
            why: LeaveReasons(first.why.0.iter().chain(&second.why.0).copied().collect()),
            deadline: first.deadline,
            instance_goes: first.instance_goes || second.instance_goes,
            replacement_may_come: first.replacement_may_come || second.replacement_may_come,
            held_up: first.held_up || second.held_up,
        }
    }
}

impl Situation<'_> {
    /// All notices to leave together, if there is one.
    #[must_use]
    pub fn departure(&self) -> Option<Departure> {
        let all = [self.group_or_order(), self.root_volume(), self.spot(), self.scheduled(), self.power_off(), self.recommendation()];
        all.into_iter().flatten().reduce(Departure::and)
    }

    /// The notice of the group or of an operator.
    fn group_or_order(&self) -> Option<Departure> {
        let notice = |why| Some(self.hooked(why));
        let target = self.seen.target.last().copied().flatten();
        let state = self.seen.cloud.own_state.last().copied();
        match (target, state) {
            // It keeps running without a deadline until an operator terminates it.
            _ if self.is_retained() => Some(Departure::of(LeaveReason::GroupRetains)),
            (Some(LifecycleState::Terminated), _) => notice(LeaveReason::GroupTerminates),
            (_, Some(s)) if s.is_terminating() => notice(LeaveReason::GroupTerminates),
            _ if self.is_listed_as_terminating() => notice(LeaveReason::GroupTerminates),
            // A detached instance keeps running, and no hook is waited for.
            (Some(LifecycleState::Detached), _) => Some(Departure::of(LeaveReason::GroupDetached)),
            (Some(LifecycleState::Warmed(_)), _) => notice(LeaveReason::WarmPool),
            _ if self.order() == Some(Order::Leave) => Some(Departure::of(LeaveReason::Order)),
            _ => None,
        }
    }

    /// A departure of an instance that ends when its hooks are completed or run out.
    fn hooked(&self, why: LeaveReason) -> Departure {
        Departure { deadline: Some(self.hook_deadline()), instance_goes: true, ..Departure::of(why) }
    }

    /// The machine powers off. The group learns of it only when it is off, so no replacement is launched before.
    fn power_off(&self) -> Option<Departure> {
        let shutdown = self.seen.local.shutdown.filter(|shutdown| shutdown.kind == ShutdownKind::PowerOff)?;
        let off = Departure { instance_goes: true, replacement_may_come: false, ..Departure::of(LeaveReason::PowerOff) };
        Some(Departure { deadline: Some(shutdown.deadline), ..off })
    }

    /// The same instance comes back with another root volume, which is empty, so its member cannot come back. IMDS is not known to announce this,
    /// and this instance's own state is not asked for while it serves, so the group's list may be the first to show it.
    fn root_volume(&self) -> Option<Departure> {
        let replaces =
            |state: LifecycleState| matches!(state, LifecycleState::ReplacingRootVolume | LifecycleState::ReplacingRootVolumeWait);
        let own = &self.seen.cloud.own_state;
        let listed = self.seen.cloud.listed.fresh().and_then(|l| l.get(self.me())).map(|i| i.state).filter(|_| own.fresh().is_none());
        let told = [own.last().copied(), listed, self.seen.target.last().copied().flatten()];
        told.into_iter().flatten().any(replaces).then(|| {
            let replacement_may_come = self.replacement_is_coming();
            Departure { replacement_may_come, ..self.hooked(LeaveReason::RootVolume) }
        })
    }

    /// EC2 takes a spot instance back. One that stops or hibernates may come back, but is silent for long enough to be as good as gone.
    fn spot(&self) -> Option<Departure> {
        let spot = self.seen.notices.spot.last()?.as_ref()?;
        let why = match spot.action {
            SpotAction::Terminate => LeaveReason::SpotTerminates,
            SpotAction::Stop => LeaveReason::SpotStops,
            SpotAction::Hibernate => LeaveReason::SpotHibernates,
            SpotAction::Other => LeaveReason::SpotTaken,
        };
        Some(self.taken(why, spot.at))
    }

    /// A scheduled event that takes the instance away. It is announced weeks ahead, so it counts only shortly before it begins.
    fn scheduled(&self) -> Option<Departure> {
        let event = self.taking_events().filter(|e| self.is_near(e)).min_by_key(|e| e.not_before)?;
        let retires = event.code == EventCode::InstanceRetirement;
        let why = if retires { LeaveReason::Retirement } else { LeaveReason::ScheduledStop };
        Some(self.taken(why, event.not_before))
    }

    fn taken(&self, why: LeaveReason, at: Timestamp) -> Departure {
        let replacement_may_come = self.replacement_is_coming();
        Departure { deadline: Some(at), instance_goes: true, replacement_may_come, held_up: false, ..Departure::of(why) }
    }

    /// EC2 sees a risk. Where the policy says so it is a reason to leave, once the launch is over: a group with capacity rebalancing has
    /// a replacement on its way. Nothing says that the instance will end, so its data is not ended for this.
    fn recommendation(&self) -> Option<Departure> {
        let recommended = self.seen.notices.rebalance.last().copied().flatten().is_some();
        let leaves = recommended && self.policy.on_rebalance == OnRebalance::Leave && !self.launch_is_open();
        leaves.then(|| Departure::of(LeaveReason::Rebalance))
    }

    /// A recommendation is the only reason to leave.
    #[must_use]
    pub fn is_only_recommended(&self) -> bool {
        self.departure().is_some_and(|d| d.why.is_only(LeaveReason::Rebalance))
    }

    fn taking_events(&self) -> impl Iterator<Item = &ScheduledEvent> {
        let all = self.seen.notices.scheduled.last().into_iter().flatten();
        all.filter(|e| e.state == EventState::Active && takes_the_instance(&e.code))
    }

    fn is_near(&self, event: &ScheduledEvent) -> bool {
        self.now + self.policy.scheduled_lead >= event.not_before
    }

    /// A replacement is on its way. The group replaces an instance that EC2 takes only once it is gone; but another notice may have begun that, or another
    /// node may be joining.
    fn replacement_is_coming(&self) -> bool {
        let launching =
            |state: LifecycleState| matches!(state, LifecycleState::Pending | LifecycleState::PendingWait | LifecycleState::PendingProceed);
        let listed = self.seen.cloud.listed.last().into_iter().flatten().any(|(id, i)| id != self.me() && launching(i.state));
        let joining = || self.seen.peers.values().filter_map(|p| p.fresh()).any(|p| p.phase.is_on_its_way_in());
        listed || joining()
    }

    /// What is known of its future that changes nothing by itself, for the report.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let standby = matches!(self.seen.target.last(), Some(Some(LifecycleState::Standby)));
        let mut all: Vec<String> = standby.then(explain::is_in_standby).into_iter().collect();
        if let Some(Some(at)) = self.seen.notices.rebalance.last() {
            all.push(explain::rebalance_is_recommended(*at));
        }
        let active = self.seen.notices.scheduled.last().into_iter().flatten().filter(|e| e.state == EventState::Active);
        all.extend(active.map(|event| match takes_the_instance(&event.code) {
            true => explain::leaves_before(event, self.policy.scheduled_lead),
            false => explain::outlives(event),
        }));
        all
    }

    /// Its group gave it up and keeps its machine, because its termination was abandoned.
    #[must_use]
    pub fn is_retained(&self) -> bool {
        let listed = self.seen.cloud.listed.fresh().and_then(|l| l.get(self.me())).map(|i| i.state);
        let own = self.seen.cloud.own_state.last().copied();
        own.or(listed) == Some(LifecycleState::TerminatingRetained)
    }

    /// Its group detached it. Only IMDS can say so, because the group no longer lists it.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        matches!(self.seen.target.fresh(), Some(Some(LifecycleState::Detached)))
    }

    /// The group's list says that it is terminating: a second source in case IMDS fails just then.
    fn is_listed_as_terminating(&self) -> bool {
        self.seen.cloud.listed.fresh().and_then(|l| l.get(self.me())).is_some_and(|i| i.state.is_terminating())
    }

    /// When the earliest of our own termination hooks runs out: its timeout after the last accepted heartbeat, and never after its cap.
    fn hook_deadline(&self) -> Timestamp {
        let since = self.memory.leaving_since().unwrap_or(self.now);
        let hooks = self.seen.cloud.hooks.last().into_iter().flatten();
        let own = hooks.filter(|h| h.transition == Transition::Terminating && h.hook.group == self.seen.me.group);
        let ends = own.map(|h| {
            let beat = self.memory.hooks.heartbeats.get(&h.hook);
            let opened = beat.map_or(since, |b| b.opened);
            let accepted = beat.and_then(|b| b.accepted).unwrap_or(opened);
            (accepted + h.heartbeat_timeout).min(opened + h.global_timeout)
        });
        ends.min().unwrap_or(since + self.policy.unhooked_leave)
    }
}

/// This event takes the instance away. The others pass, and the member comes back from them on its own.
fn takes_the_instance(code: &EventCode) -> bool {
    matches!(code, EventCode::InstanceRetirement | EventCode::InstanceStop)
}
