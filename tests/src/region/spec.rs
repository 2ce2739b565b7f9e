//! What an operator asks for when a group or a hook is made.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::{GroupName, HookName};

use super::{ActionResult, Tag, Transition, WarmPool};

/// The real API caps every action, even with heartbeats.
const LONGEST_ACTION: Duration = Duration::from_secs(48 * 3600);

/// A lifecycle hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSpec {
    /// Its name, unique in the group.
    pub name: HookName,
    /// The change that it interrupts.
    pub transition: Transition,
    /// How long an action may go without a heartbeat.
    pub heartbeat_timeout: Duration,
    /// The result of an action that times out.
    pub default_result: ActionResult,
    /// Free text that a client may recognise its own hooks by.
    pub metadata: Option<Arc<str>>,
}

impl HookSpec {
    /// A hook with the defaults of the API: one hour, `ABANDON`.
    #[must_use]
    pub fn new(name: &str, transition: Transition) -> Self {
        Self {
            name: HookName::new(name),
            transition,
            heartbeat_timeout: Duration::from_secs(3600),
            default_result: ActionResult::Abandon,
            metadata: None,
        }
    }

    /// The same hook with this heartbeat timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = timeout;
        self
    }

    /// The same hook with this default result.
    #[must_use]
    pub fn default_result(mut self, result: ActionResult) -> Self {
        self.default_result = result;
        self
    }

    /// How long an action of this hook can be kept open by heartbeats at the most.
    #[must_use]
    pub fn global_timeout(&self) -> Duration {
        LONGEST_ACTION.min(self.heartbeat_timeout.saturating_mul(100))
    }
}

/// Which instance a scale-in takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TerminationPolicy {
    /// The one launched first.
    #[default]
    OldestInstance,
    /// The one launched last.
    NewestInstance,
}

/// An Auto Scaling group.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    /// Its name.
    pub name: GroupName,
    /// Never fewer instances than these.
    pub min: u32,
    /// Never more instances than these (a refresh may go one above).
    pub max: u32,
    /// The number of instances wanted.
    pub desired: u32,
    /// Its tags, which each instance carries too.
    pub tags: Vec<Tag>,
    /// Its zones, filled evenly; `<region>a` when empty.
    pub zones: Vec<String>,
    /// Its hooks.
    pub hooks: Vec<HookSpec>,
    /// Instance lifecycle policy: an abandoned terminating hook keeps the machine (`Terminating:Retained`).
    pub retain_on_abandon: bool,
    /// Whose health checks it believes, as the API writes them: `EC2`, or others beside it.
    pub health_checks: Arc<str>,
    /// Its warm pool, made along with it.
    pub warm_pool: Option<WarmPool>,
    /// A mixed instances policy whose overrides specify images, without which no root volume is replaced.
    pub mixed_instances: bool,
    /// Whether the instances can read their tags in IMDS.
    pub tags_in_metadata: bool,
    /// The IAM role of the instances.
    pub iam_role: Arc<str>,
    /// Which instance a scale-in takes.
    pub termination_policy: TerminationPolicy,
    /// A refresh without preferences launches before it terminates (minimum healthy 100 %).
    pub launch_before_terminate: bool,
}

impl GroupSpec {
    /// A group of exactly `size` instances, with room for one more.
    #[must_use]
    pub fn new(name: &str, size: u32) -> Self {
        Self {
            name: GroupName::new(name),
            min: 0,
            max: size + 1,
            desired: size,
            tags: Vec::new(),
            zones: Vec::new(),
            hooks: Vec::new(),
            retain_on_abandon: false,
            health_checks: "EC2".into(),
            warm_pool: None,
            mixed_instances: false,
            tags_in_metadata: true,
            iam_role: "quorate-lab".into(),
            termination_policy: TerminationPolicy::default(),
            launch_before_terminate: true,
        }
    }

    /// The same group with these sizes.
    #[must_use]
    pub fn sizes(mut self, min: u32, max: u32, desired: u32) -> Self {
        (self.min, self.max, self.desired) = (min, max, desired);
        self
    }

    /// The same group with this tag as well; in place of one with the same key, because AWS knows only one of each.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.retain(|tag| *tag.key != *key);
        self.tags.push(Tag::new(key, value));
        self
    }

    /// The same group, whose instances have this IAM role.
    #[must_use]
    pub fn iam_role(mut self, role: &str) -> Self {
        self.iam_role = role.into();
        self
    }

    /// The same group in this one zone.
    #[must_use]
    pub fn zone(mut self, zone: &str) -> Self {
        self.zones = vec![zone.to_owned()];
        self
    }

    /// The same group with this warm pool.
    #[must_use]
    pub fn warm_pool(mut self, pool: WarmPool) -> Self {
        self.warm_pool = Some(pool);
        self
    }

    /// The same group with this hook as well.
    #[must_use]
    pub fn hook(mut self, hook: HookSpec) -> Self {
        self.hooks.push(hook);
        self
    }
}
