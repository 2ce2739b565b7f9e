//! Instance refresh: every instance that was there at the start is replaced, one at a time.

use quorate_core::time::Timestamp;

use super::timers::Timer;
use super::{ApiError, Cause, LifecycleState, Process, RefreshStatus, Region, Strategy};

/// How a refresh proceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPreferences {
    /// 100 launches before it terminates; less terminates first.
    pub min_healthy_percentage: u32,
    /// What is replaced: instances, or their root volumes.
    pub strategy: Strategy,
}

impl RefreshPreferences {
    /// Launch first, then terminate.
    #[must_use]
    pub const fn launch_before_terminate() -> Self {
        Self { min_healthy_percentage: 100, strategy: Strategy::Rolling }
    }

    /// Terminate first, as AWS does by default (90 %).
    #[must_use]
    pub const fn terminate_before_launch() -> Self {
        Self { min_healthy_percentage: 90, strategy: Strategy::Rolling }
    }

    /// Replace root volumes, one after the other.
    #[must_use]
    pub const fn root_volumes() -> Self {
        Self { strategy: Strategy::ReplaceRootVolume, ..Self::terminate_before_launch() }
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
    /// How it proceeds.
    pub preferences: RefreshPreferences,
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
        self.groups[group].refreshes.push(InstanceRefresh {
            id: id.clone(),
            status: RefreshStatus::Pending,
            started_at: self.now,
            preferences,
            first_new: self.instances.len(),
            leaving: None,
            renewed: Vec::new(),
            resume_at,
        });
        self.timers.set(resume_at, Timer::Refresh { group });
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
        if let Some(refresh) = self.active_refresh(group) {
            refresh.leaving = None;
            refresh.resume_at = resume_at;
        }
        self.timers.set(resume_at, Timer::Refresh { group });
    }

    fn old(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let refresh = self.groups[group].refreshes.last();
        let is_old = move |slot: &usize| refresh.is_some_and(|refresh| *slot < refresh.first_new && !refresh.renewed.contains(slot));
        self.live(group).filter(is_old)
    }

    fn replace_next(&mut self, group: usize) {
        let desired = self.groups[group].sizes.desired as usize;
        let Some(victim) = self.old(group).next() else {
            if self.in_service_count(group) >= desired {
                self.end_refresh(group);
            }
            return;
        };
        if self.groups[group].refreshes.last().is_some_and(|r| r.preferences.strategy == Strategy::ReplaceRootVolume) {
            return self.renew(group, victim, desired);
        }
        let launch_first = self.groups[group].refreshes.last().is_some_and(|r| r.preferences.min_healthy_percentage >= 100);
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

    fn end_refresh(&mut self, group: usize) {
        self.groups[group].surge = 0;
        if let Some(refresh) = self.active_refresh(group) {
            refresh.status = RefreshStatus::Successful;
        }
    }
}
