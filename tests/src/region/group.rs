//! An Auto Scaling group: its sizes, its hooks, its members.

use std::sync::Arc;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;

use super::{ApiError, GroupSpec, HookSpec, InstanceRefresh, Process, Tag, TerminationPolicy, WarmPool};

/// A group.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its sizes now.
    pub sizes: Sizes,
    /// Its tags.
    pub tags: Arc<[Tag]>,
    /// Its zones.
    pub zones: Arc<[Arc<str>]>,
    /// Its hooks.
    pub hooks: Vec<HookSpec>,
    /// An abandoned terminating hook keeps the machine.
    pub retain_on_abandon: bool,
    /// Whose health checks it believes, as the API writes them.
    pub health_checks: Arc<str>,
    /// Its spares, if it keeps any.
    pub warm_pool: Option<WarmPool>,
    /// The warm pool is marked for deletion (`PendingDelete`).
    pub warm_pool_ends: bool,
    /// It has a mixed instances policy with images in its overrides.
    pub mixed_instances: bool,
    /// No launch succeeds for now.
    pub capacity_short: bool,
    /// The suspended processes.
    pub suspended: Vec<Process>,
    /// Its refreshes, oldest first.
    pub refreshes: Vec<InstanceRefresh>,
    /// What it did, oldest first.
    pub activities: Vec<Activity>,
    /// The IAM role of its instances.
    pub iam_role: Arc<str>,
    pub(super) tags_in_metadata: bool,
    pub(super) termination_policy: TerminationPolicy,
    pub(super) launch_before_terminate: bool,
    /// How many instances above the desired capacity a refresh wants at the moment.
    pub(super) surge: u32,
    pub(super) instance_tags: Arc<[Tag]>,
    /// The members' slots, in launch order.
    pub(super) members: Vec<usize>,
    pub(super) past_sizes: Vec<(Timestamp, Sizes)>,
}

/// The sizes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// The number wanted.
    pub desired: u32,
}

impl Sizes {
    pub(super) fn check(self) -> Result<(), ApiError> {
        let Self { min, max, desired } = self;
        if min > max {
            return Err(ApiError::validation(format!("Max bound, {max}, must be greater than or equal to min bound, {min}")));
        }
        if !(min..=max).contains(&desired) {
            return Err(ApiError::validation(format!(
                "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
            )));
        }
        Ok(())
    }
}

/// One thing that the group did.
#[derive(Clone, Debug)]
pub struct Activity {
    /// When.
    pub at: Timestamp,
    /// Launched or terminated; `None` is a launch that failed because there was no capacity.
    pub instance: Option<InstanceId>,
    /// Whether it was a launch.
    pub launch: bool,
    /// Why.
    pub cause: Cause,
}

/// Why a group launched or terminated an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// To reach its desired capacity.
    Capacity,
    /// It was found unhealthy, or EC2 had lost it.
    Unhealthy,
    /// The operator asked for this very instance.
    Request,
    /// An instance refresh.
    Refresh,
    /// A launching hook was abandoned.
    LaunchAbandoned,
    /// The group itself was deleted.
    GroupDeleted,
}

impl Group {
    pub(super) fn new(spec: GroupSpec, default_zone: String, now: Timestamp) -> Self {
        let sizes = Sizes { min: spec.min, max: spec.max, desired: spec.desired };
        let zones = if spec.zones.is_empty() { vec![default_zone] } else { spec.zones };
        Self {
            created_at: now,
            sizes,
            instance_tags: instance_tags(&spec.name, &spec.tags),
            name: spec.name,
            tags: Arc::from(spec.tags),
            zones: zones.iter().map(|zone| Arc::from(zone.as_str())).collect(),
            hooks: spec.hooks,
            retain_on_abandon: spec.retain_on_abandon,
            health_checks: spec.health_checks.clone(),
            warm_pool: spec.warm_pool,
            warm_pool_ends: false,
            mixed_instances: spec.mixed_instances,
            capacity_short: false,
            suspended: Vec::new(),
            refreshes: Vec::new(),
            activities: Vec::new(),
            iam_role: spec.iam_role,
            tags_in_metadata: spec.tags_in_metadata,
            termination_policy: spec.termination_policy,
            launch_before_terminate: spec.launch_before_terminate,
            surge: 0,
            members: Vec::new(),
            past_sizes: vec![(now, sizes)],
        }
    }

    /// Whether that process is suspended.
    #[must_use]
    pub fn is_suspended(&self, process: Process) -> bool {
        self.suspended.contains(&process)
    }

    pub(super) fn resize(&mut self, sizes: Sizes, now: Timestamp) {
        self.sizes = sizes;
        self.past_sizes.push((now, sizes));
    }

    /// The sizes at that moment; the first ones before the group was made.
    pub(super) fn sizes_at(&self, at: Timestamp) -> Sizes {
        let past = self.past_sizes.iter().rev().find(|(since, _)| *since <= at);
        past.or(self.past_sizes.first()).map_or(self.sizes, |(_, sizes)| *sizes)
    }
}

fn instance_tags(name: &GroupName, tags: &[Tag]) -> Arc<[Tag]> {
    let own = Tag::new("aws:autoscaling:groupName", name.as_str());
    tags.iter().cloned().chain([own]).collect()
}
