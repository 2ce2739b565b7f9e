//! One AWS account in one region, as a pure model: Auto Scaling groups, their instances, their hooks, and what IMDS says.
//!
//! No clock, no I/O, no randomness: the time is passed to every call, ids come from a counter and a seed. The same
//! model serves virtual time (the simulator) and real time (the wire). It refuses what AWS refuses, in AWS's words.
//!
//! # Flow
//!
//! 1. Make a [`Region`], then a group with [`Region::create_group`].
//! 2. Call [`Region::advance`] when [`Region::next_timer`] is due, or often; do what the [`Event`]s say.
//! 3. Call the API through [`Region::api`]; pull the plug with [`Region::hard_kill`]; read [`Region::instance`].
//!
//! # Not here
//!
//! Load balancers (only their target groups, and the deregistration delay of an attached one), scaling policies,
//! launch templates, spot requests (only the notices).

mod action;
mod addresses;
mod api;
mod calls;
mod capacity;
mod config;
mod describe;
mod error;
mod event;
mod faults;
mod fire;
mod group;
mod hooks;
mod identity;
mod instance;
mod launch;
mod machine;
mod operations;
mod probes;
mod refresh;
mod root_volume;
mod sigv4;
mod spec;
mod standby;
mod sts;
mod targets;
mod terminate;
mod timers;
mod view;
mod warm;
mod words;

use std::collections::BTreeMap;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;

pub use action::{ActionStatistics, Conclusion, Ending, LateCompletion, LifecycleAction};
pub use api::{ActionReference, Api};
pub use calls::{CallCounts, Caller};
pub use config::{AddressRange, Delays, RegionConfig, Tag};
pub use describe::{GroupFilter, GroupView, InstanceFilter, InstanceView, MemberView};
pub use error::ApiError;
pub use event::Event;
pub use group::{Activity, Cause, Group, Sizes};
pub use identity::Token;
pub use instance::{Instance, Look, MaintenanceEvent, Metadata, SpotAction};
pub use probes::ApplicationCheck;
pub use refresh::{InstanceRefresh, RefreshPreferences};
pub use sigv4::{Signature, SignedRequest};
pub use spec::{GroupSpec, HookSpec, TerminationPolicy};
pub use sts::{CallerIdentity, InstanceKeys};
pub use targets::{Deregistered, RegisteredTarget, TargetGroup};
pub use view::{Service, View, ViewId, ViewRule};
pub use warm::WarmPool;
pub use words::{ActionResult, Call, Ec2State, Health, LifecycleState, PoolState, Process, RefreshStatus, Strategy, Target, Transition};

use addresses::Addresses;
use identity::Identities;
use timers::{Timer, Timers};

/// One account in one region.
#[derive(Debug)]
pub struct Region {
    config: RegionConfig,
    now: Timestamp,
    identities: Identities,
    addresses: Addresses,
    groups: Vec<Group>,
    instances: Vec<Instance>,
    by_id: BTreeMap<InstanceId, usize>,
    actions: Vec<LifecycleAction>,
    target_groups: Vec<TargetGroup>,
    application_checks: Vec<ApplicationCheck>,
    timers: Timers,
    events: Vec<Event>,
    views: Vec<(ViewId, ViewRule)>,
    calls: CallCounts,
}

impl Region {
    /// An empty region.
    #[must_use]
    pub fn new(config: RegionConfig) -> Self {
        Self {
            identities: Identities::new(config.seed),
            addresses: Addresses::new(config.addresses),
            config,
            now: Timestamp::default(),
            groups: Vec::new(),
            instances: Vec::new(),
            by_id: BTreeMap::new(),
            actions: Vec::new(),
            target_groups: Vec::new(),
            application_checks: Vec::new(),
            timers: Timers::default(),
            events: Vec::new(),
            views: Vec::new(),
            calls: CallCounts::default(),
        }
    }

    /// Fires everything due and says what the host has to do, in order.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Event> {
        self.settle(now);
        std::mem::take(&mut self.events)
    }

    /// When [`Region::advance`] has something to do next; it may turn out that nothing happens then.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        if self.events.is_empty() { self.timers.next() } else { Some(self.now) }
    }

    /// What the region is made of.
    #[must_use]
    pub fn config(&self) -> &RegionConfig {
        &self.config
    }

    /// The time up to which everything was fired.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The instance with that id, even if it has long been gone.
    #[must_use]
    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.by_id.get(id).map(|slot| &self.instances[*slot])
    }

    /// Every instance that there ever was, in launch order.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The group of that name.
    #[must_use]
    pub fn group(&self, name: &GroupName) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == *name)
    }

    /// Every group, in the order of their making.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group that launched this instance.
    #[must_use]
    pub fn group_of(&self, instance: &Instance) -> &Group {
        &self.groups[instance.group]
    }

    /// The instances on that group's list, in launch order.
    pub fn members(&self, group: &GroupName) -> impl Iterator<Item = &Instance> {
        self.group(group).into_iter().flat_map(|group| group.members.iter().map(|slot| &self.instances[*slot]))
    }

    /// What the metadata service of that instance says.
    #[must_use]
    pub fn metadata(&self, id: &InstanceId) -> Option<&Metadata> {
        self.instance(id).map(|instance| &instance.metadata)
    }

    /// The same, to be changed by a test.
    pub fn metadata_mut(&mut self, id: &InstanceId) -> Option<&mut Metadata> {
        self.by_id.get(id).map(|slot| &mut self.instances[*slot].metadata)
    }

    /// Every lifecycle action that there ever was, in the order of their opening.
    #[must_use]
    pub fn actions(&self) -> &[LifecycleAction] {
        &self.actions
    }

    /// How many lifecycle actions there were, and how they ended.
    #[must_use]
    pub fn action_statistics(&self) -> ActionStatistics {
        ActionStatistics::of(&self.actions)
    }

    /// Actions that another caller tried to complete after they were completed.
    pub fn double_completed(&self) -> impl Iterator<Item = &LifecycleAction> {
        self.actions.iter().filter(|action| action.double_completed())
    }

    /// The number of calls by caller and kind.
    #[must_use]
    pub fn calls(&self) -> &CallCounts {
        &self.calls
    }

    fn after(&mut self, delay: std::time::Duration, timer: Timer) {
        self.timers.set(self.now + delay, timer);
    }
}
