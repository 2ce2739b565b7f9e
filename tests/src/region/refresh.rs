//! Instance refresh: every instance that was there at the start is replaced, one at a time.

use quorate_core::time::Timestamp;

use super::timers::Timer;
use super::{ApiError, Cause, LifecycleState, Process, RefreshStatus, Region, Strategy};

/// How a refresh proceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPreferences {
    /// The least of the desired capacity that is to be in service.
    pub min_healthy_percentage: u32,
    /// The most of it that there may be. Left out is not 100: then an instance is terminated, and its replacement launched at the same time, whatever the
    /// minimum. Given, an instance is launched first where the minimum lets none be terminated, even if that makes more than the maximum.
    pub max_healthy_percentage: Option<u32>,
    /// What is replaced: instances, or their root volumes.
    pub strategy: Strategy,
}

impl RefreshPreferences {
    /// Launch first, then terminate.
    #[must_use]
    pub const fn launch_before_terminate() -> Self {
        Self { min_healthy_percentage: 100, max_healthy_percentage: Some(110), strategy: Strategy::Rolling }
    }

    /// Terminate, and launch at the same time, as AWS does by default (90 %, and no maximum).
    #[must_use]
    pub const fn terminate_before_launch() -> Self {
        Self { min_healthy_percentage: 90, max_healthy_percentage: None, strategy: Strategy::Rolling }
    }

    /// Replace root volumes, one after the other.
    #[must_use]
    pub const fn root_volumes() -> Self {
        Self { strategy: Strategy::ReplaceRootVolume, ..Self::terminate_before_launch() }
    }

    /// Whether a group of this size launches before it terminates.
    fn launches_first(self, desired: u32) -> bool {
        let least = (desired * self.min_healthy_percentage).div_ceil(100);
        self.max_healthy_percentage.is_some() && desired.saturating_sub(1) < least
    }
}

/// One refresh of one group.
#[derive(Clone, Debug)]
pub struct InstanceRefresh {
    /// Its id.
    pub id: String,
    /// How far it has come.
    pub status: RefreshStatus,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it proceeds.
    pub preferences: RefreshPreferences,
    /// How much of it is done.
    pub percentage: u32,
    /// How many instances are still to be replaced.
    pub remaining: u32,
    total: u32,
    /// Instances below this slot are the old ones.
    first_new: usize,
    leaving: Option<usize>,
    /// Old instances that have another root volume by now.
    renewed: Vec<usize>,
    resume_at: Timestamp,
}

impl Region {
    pub(super) fn start_refresh(&mut self, group: usize, preferences: RefreshPreferences) -> Result<String, ApiError> {
        if self.active_refresh(group).is_some() {
            return Err(ApiError::new(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            ));
        }
        if preferences.strategy == Strategy::ReplaceRootVolume {
            self.check_root_volumes(group)?;
        }
        let id = self.identities.token().to_string();
        let resume_at = self.now + self.config.delays.refresh;
        let total = self.live(group).count() as u32;
        self.groups[group].refreshes.push(InstanceRefresh {
            id: id.clone(),
            status: RefreshStatus::Pending,
            started_at: self.now,
            ended_at: None,
            preferences,
            percentage: 0,
            remaining: total,
            total,
            first_new: self.instances.len(),
            leaving: None,
            renewed: Vec::new(),
            resume_at,
        });
        self.timers.set(resume_at, Timer::Refresh { group });
        Ok(id)
    }

    pub(super) fn cancel_refresh(&mut self, group: usize) -> Result<String, ApiError> {
        let Some(refresh) = self.active_refresh(group) else {
            let name = &self.groups[group].name;
            let message = format!("No in progress or pending Instance Refresh found for Auto Scaling group {name}");
            return Err(ApiError::new("ActiveInstanceRefreshNotFound", message));
        };
        let id = refresh.id.clone();
        self.end_refresh(group, RefreshStatus::Cancelled);
        self.balance(group);
        Ok(id)
    }

    fn active_refresh(&mut self, group: usize) -> Option<&mut InstanceRefresh> {
        self.groups[group].refreshes.last_mut().filter(|refresh| refresh.status.active())
    }

    pub(super) fn refresh_due(&mut self, group: usize) {
        let now = self.now;
        if let Some(refresh) = self.active_refresh(group)
            && refresh.resume_at <= now
        {
            refresh.status = RefreshStatus::InProgress;
            self.step_refresh(group);
        }
    }

    /// Looks at the group as it is and does the next thing, if it is time for one.
    pub(super) fn step_refresh(&mut self, group: usize) {
        let now = self.now;
        let Some(refresh) = self.active_refresh(group) else { return };
        if refresh.status != RefreshStatus::InProgress || refresh.resume_at > now {
            return;
        }
        if let Some(slot) = refresh.leaving {
            self.await_departure(group, slot);
        } else if !self.groups[group].is_suspended(Process::InstanceRefresh) {
            self.replace_next(group);
        }
    }

    /// The next instance has to wait until this one is gone from the group, and a little longer.
    fn await_departure(&mut self, group: usize, slot: usize) {
        let instance = &self.instances[slot];
        let renewed = instance.lifecycle == LifecycleState::InService;
        if instance.member && instance.lifecycle != LifecycleState::TerminatingRetained && !renewed {
            return;
        }
        if let Some(refresh) = self.active_refresh(group).filter(|_| renewed) {
            refresh.renewed.push(slot);
        }
        let resume_at = self.now + self.config.delays.refresh;
        self.report_progress(group);
        if let Some(refresh) = self.active_refresh(group) {
            refresh.leaving = None;
            refresh.resume_at = resume_at;
        }
        self.timers.set(resume_at, Timer::Refresh { group });
    }

    fn report_progress(&mut self, group: usize) {
        let remaining = self.old(group).count() as u32;
        if let Some(refresh) = self.active_refresh(group) {
            refresh.remaining = remaining;
            refresh.percentage = (refresh.total.saturating_sub(remaining) * 100).checked_div(refresh.total).unwrap_or(100);
        }
    }

    fn old(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let refresh = self.groups[group].refreshes.last();
        let is_old = move |slot: &usize| refresh.is_some_and(|refresh| *slot < refresh.first_new && !refresh.renewed.contains(slot));
        self.live(group).filter(is_old)
    }

    fn replace_next(&mut self, group: usize) {
        let wanted = self.groups[group].sizes.desired;
        let desired = wanted as usize;
        let Some(victim) = self.old(group).next() else {
            if self.in_service_count(group) >= desired {
                self.report_progress(group);
                self.end_refresh(group, RefreshStatus::Successful);
            }
            return;
        };
        if self.groups[group].refreshes.last().is_some_and(|r| r.preferences.strategy == Strategy::ReplaceRootVolume) {
            return self.renew(group, victim, desired);
        }
        let launch_first = self.groups[group].refreshes.last().is_some_and(|r| r.preferences.launches_first(wanted));
        let surge = u32::from(launch_first);
        if self.groups[group].surge != surge {
            self.groups[group].surge = surge;
            self.balance(group);
        }
        if self.in_service_count(group) >= desired + surge as usize {
            self.replace(group, victim);
        }
    }

    fn renew(&mut self, group: usize, victim: usize, desired: usize) {
        if self.in_service_count(group) >= desired
            && let Some(refresh) = self.active_refresh(group)
        {
            refresh.leaving = Some(victim);
            self.begin_root_volume(victim);
        }
    }

    fn replace(&mut self, group: usize, victim: usize) {
        self.groups[group].surge = 0;
        self.begin_termination(victim, Cause::Refresh);
        if let Some(refresh) = self.active_refresh(group) {
            refresh.leaving = Some(victim);
        }
        self.balance(group);
    }

    fn end_refresh(&mut self, group: usize, status: RefreshStatus) {
        let now = self.now;
        self.groups[group].surge = 0;
        if let Some(refresh) = self.active_refresh(group) {
            refresh.status = status;
            refresh.ended_at = Some(now);
        }
    }
}
