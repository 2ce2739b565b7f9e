//! A region and its time, with the few verbs that the tests are written in.

use std::time::Duration;

use quorate_core::ids::{GroupName, HookName, InstanceId};
use quorate_core::time::Timestamp;
use quorate_lab::region::{
    ActionReference, ActionResult, Api, ApiError, Caller, Delays, Ec2State, Event, GroupSpec, HookSpec, Instance, LifecycleState, Region,
    RegionConfig, Target, Transition,
};

pub(crate) const OPERATOR: Caller = Caller::Operator;

/// The region under test.
pub(crate) struct World {
    pub(crate) region: Region,
    pub(crate) now: Timestamp,
    pub(crate) group: GroupName,
    /// Every event that the host got.
    pub(crate) events: Vec<Event>,
}

/// The delays of these tests: each of another length, so no two moments coincide by accident.
pub(crate) fn delays() -> Delays {
    Delays {
        boot: secs(10),
        prepare: secs(1),
        target: secs(2),
        deregistration: secs(7),
        completion_race: secs(3),
        proceed: secs(1),
        shutdown: secs(60),
        departure: secs(4),
        forget: secs(3600),
        status: secs(20),
        health: secs(30),
        unhealthy: secs(5),
        listing: Duration::ZERO,
        refresh: secs(2),
    }
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn launching() -> HookSpec {
    HookSpec::new("launch", Transition::Launching).timeout(secs(600))
}

pub(crate) fn terminating() -> HookSpec {
    HookSpec::new("terminate", Transition::Terminating).timeout(secs(600))
}

/// A group of that size with a launching and a terminating hook.
pub(crate) fn hooked(size: u32) -> GroupSpec {
    GroupSpec::new("etcd", size).tag("quorate:cluster", "prod").hook(launching()).hook(terminating())
}

/// A group of that size without hooks.
pub(crate) fn plain(size: u32) -> GroupSpec {
    GroupSpec::new("etcd", size).tag("quorate:cluster", "prod")
}

/// The same with what is retained when a hook says `ABANDON`.
pub(crate) fn retaining(size: u32) -> GroupSpec {
    GroupSpec { retain_on_abandon: true, ..hooked(size) }
}

/// A world whose first instance waits for its terminating hook, which can be completed.
pub(crate) fn waiting(spec: GroupSpec) -> (World, InstanceId) {
    let mut world = World::in_service(spec);
    let id = world.ids()[0].clone();
    world.terminate(&id);
    world.pass(10);
    (world, id)
}

impl World {
    pub(crate) fn new(spec: GroupSpec) -> Self {
        Self::with(RegionConfig { delays: delays(), ..RegionConfig::default() }, spec)
    }

    pub(crate) fn with(config: RegionConfig, spec: GroupSpec) -> Self {
        let (mut region, now, group) = (Region::new(config), Timestamp(1_000_000), spec.name.clone());
        region.create_group(spec, now).unwrap();
        Self { region, now, group, events: Vec::new() }
    }

    /// A world whose first instances are in service, their launching hooks completed.
    pub(crate) fn in_service(spec: GroupSpec) -> Self {
        let mut world = Self::new(spec);
        world.settle();
        world
    }

    /// Completes every launching hook that opens, until nothing is on its way into service.
    pub(crate) fn settle(&mut self) {
        for _ in 0..200 {
            self.pass(1);
            for id in self.ids() {
                if self.state(&id) == LifecycleState::PendingWait {
                    let _ = self.complete(&id, "launch", ActionResult::Continue);
                }
            }
            if self.region.members(&self.group).all(|one| one.lifecycle == LifecycleState::InService || one.lifecycle.leaving()) {
                return;
            }
        }
        panic!("the group never came into service: {:?}", self.states());
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now + secs(seconds);
        let events = self.region.advance(self.now);
        self.events.extend(events);
    }

    pub(crate) fn api(&mut self) -> Api<'_> {
        self.region.api(&OPERATOR, self.now)
    }

    pub(crate) fn ids(&self) -> Vec<InstanceId> {
        self.region.members(&self.group).map(|one| one.id.clone()).collect()
    }

    pub(crate) fn states(&self) -> Vec<LifecycleState> {
        self.region.members(&self.group).map(|one| one.lifecycle).collect()
    }

    pub(crate) fn instance(&self, id: &InstanceId) -> &Instance {
        self.region.instance(id).unwrap()
    }

    pub(crate) fn state(&self, id: &InstanceId) -> LifecycleState {
        self.instance(id).lifecycle
    }

    pub(crate) fn ec2(&self, id: &InstanceId) -> Ec2State {
        self.instance(id).ec2
    }

    pub(crate) fn target(&self, id: &InstanceId) -> Option<Target> {
        self.instance(id).metadata.target
    }

    pub(crate) fn terminate(&mut self, id: &InstanceId) {
        self.api().terminate_in_group(id, false).unwrap();
    }

    pub(crate) fn complete(&mut self, id: &InstanceId, hook: &str, result: ActionResult) -> Result<(), ApiError> {
        self.complete_as(&Caller::Instance(id.clone()), id, hook, result)
    }

    pub(crate) fn complete_as(&mut self, caller: &Caller, id: &InstanceId, hook: &str, result: ActionResult) -> Result<(), ApiError> {
        let (group, now) = (self.group.clone(), self.now);
        self.region.api(caller, now).complete(&group, &HookName::new(hook), &ActionReference::from(id), result)
    }

    pub(crate) fn heartbeat(&mut self, id: &InstanceId, hook: &str) -> Result<(), ApiError> {
        let group = self.group.clone();
        self.api().heartbeat(&group, &HookName::new(hook), &ActionReference::from(id))
    }

    /// Whether the host ever got this event.
    pub(crate) fn told(&self, event: &Event) -> bool {
        self.events.contains(event)
    }
}

/// Asserts the code and the sentence of a refusal.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, ApiError>, code: &str, message: &str) {
    let error = answer.expect_err("this should have been refused");
    assert_eq!((error.code, error.message.as_str()), (code, message));
}
