//! The life of lifecycle actions: opened side by side, kept open by heartbeats, ended by completion or time.

use quorate_core::ids::HookName;
use quorate_core::time::Timestamp;

use super::action::{Ending, LateCompletion};
use super::timers::Timer;
use super::{ActionReference, ActionResult, ApiError, Caller, Conclusion, LifecycleAction, LifecycleState, Region, Transition};

impl Region {
    /// Opens one action per hook of that transition; false when there are none.
    pub(super) fn open_actions(&mut self, slot: usize, transition: Transition) -> bool {
        self.instances[slot].waiting_since = self.now;
        let group = self.instances[slot].group;
        for index in 0..self.groups[group].hooks.len() {
            if self.groups[group].hooks[index].transition == transition {
                self.open_action(slot, index);
            }
        }
        !self.instances[slot].actions.is_empty()
    }

    fn open_action(&mut self, slot: usize, hook: usize) {
        let group = &self.groups[self.instances[slot].group];
        let (name, hook) = (group.name.clone(), group.hooks[hook].clone());
        let index = self.actions.len();
        let deadline = self.now + hook.heartbeat_timeout;
        self.actions.push(LifecycleAction {
            token: self.identities.token(),
            group: name,
            instance: self.instances[slot].id.clone(),
            opened_at: self.now,
            deadline,
            cap: self.now + hook.global_timeout(),
            hook: hook.name,
            transition: hook.transition,
            heartbeats: 0,
            ending: None,
            late_completions: Vec::new(),
            heartbeat_timeout: hook.heartbeat_timeout,
            default_result: hook.default_result,
            slot,
        });
        self.instances[slot].actions.push(index);
        self.timers.set(deadline, Timer::Deadline { action: index });
    }

    /// The deadline that was set is reached: the end, or the start of the wait for the one that heartbeats moved it to.
    pub(super) fn deadline(&mut self, index: usize) {
        let action = &self.actions[index];
        if !action.open() {
            return;
        }
        if action.deadline > self.now {
            self.timers.set(action.deadline, Timer::Deadline { action: index });
            return;
        }
        let result = action.default_result;
        self.end_action(index, Conclusion::TimedOut(result), None);
        self.after_ending(index, result);
    }

    /// The open action that a call means. While the `:Wait` state is young AWS does not find it yet.
    fn find_action(&self, slot_hint: Option<usize>, hook: &HookName, reference: &ActionReference) -> Option<usize> {
        let race = self.config.delays.completion_race;
        let ripe = |index: &usize| {
            let action = &self.actions[*index];
            action.open() && action.hook == *hook && self.now >= action.opened_at + race
        };
        match reference {
            ActionReference::Instance(_) => self.instances[slot_hint?].actions.iter().copied().find(ripe),
            ActionReference::Token(token) => {
                (0..self.actions.len()).filter(ripe).find(|index| self.actions[*index].token.to_string() == *token)
            }
        }
    }

    fn slot_of(&self, reference: &ActionReference) -> Option<usize> {
        match reference {
            ActionReference::Instance(id) => self.by_id.get(id).copied(),
            ActionReference::Token(_) => None,
        }
    }

    pub(super) fn heartbeat(&mut self, group: usize, hook: &HookName, reference: &ActionReference) -> Result<(), ApiError> {
        let index = self.action_of(group, hook, reference).ok_or_else(|| ApiError::no_active_action(reference))?;
        let now = self.now;
        let action = &mut self.actions[index];
        action.heartbeats += 1;
        // Accepted to the end, but beyond the cap it no longer moves the deadline.
        action.deadline = (now + action.heartbeat_timeout).min(action.cap);
        Ok(())
    }

    pub(super) fn complete(
        &mut self,
        group: usize,
        hook: &HookName,
        reference: &ActionReference,
        result: ActionResult,
        caller: &Caller,
    ) -> Result<(), ApiError> {
        let Some(index) = self.action_of(group, hook, reference) else {
            self.note_late_completion(hook, reference, caller);
            return Err(ApiError::no_active_action(reference));
        };
        self.end_action(index, Conclusion::Completed(result), Some(caller.clone()));
        self.after_ending(index, result);
        Ok(())
    }

    fn action_of(&self, group: usize, hook: &HookName, reference: &ActionReference) -> Option<usize> {
        let index = self.find_action(self.slot_of(reference), hook, reference)?;
        (self.instances[self.actions[index].slot].group == group).then_some(index)
    }

    fn note_late_completion(&mut self, hook: &HookName, reference: &ActionReference, caller: &Caller) {
        let late = LateCompletion { at: self.now, by: caller.clone() };
        let mut newest_first = self.actions.iter_mut().rev();
        let over = newest_first.find(|action| action.hook == *hook && reference.names(action));
        if let Some(action) = over.filter(|action| !action.open()) {
            action.late_completions.push(late);
        }
    }

    fn end_action(&mut self, index: usize, how: Conclusion, by: Option<Caller>) {
        let slot = self.actions[index].slot;
        let (at, ec2, powered) = (self.now, self.instances[slot].ec2, self.instances[slot].powered);
        self.actions[index].ending = Some(Ending { at, how, by, ec2, powered });
        self.instances[slot].actions.retain(|open| *open != index);
    }

    /// What the end of one action means for its instance: CONTINUE waits for the other hooks, ABANDON does not.
    fn after_ending(&mut self, index: usize, result: ActionResult) {
        let (slot, transition) = (self.actions[index].slot, self.actions[index].transition);
        let more = result == ActionResult::Continue && !self.instances[slot].actions.is_empty();
        match (self.instances[slot].lifecycle, result) {
            _ if more => return,
            (LifecycleState::WarmedPendingWait, ActionResult::Continue) => return self.warmed_proceed(slot),
            (LifecycleState::WarmedPendingWait, ActionResult::Abandon) => return self.abandon_warming(slot, transition),
            (LifecycleState::WarmedTerminatingWait, _) => return self.spare_terminating_proceed(slot),
            (LifecycleState::ReplacingRootVolumeWait, _) => return self.root_volume_proceed(slot),
            _ => {}
        }
        match (transition, result) {
            (Transition::Launching, ActionResult::Abandon) => self.abandon_launch(slot),
            (Transition::Terminating, ActionResult::Abandon) => self.abandon_termination(slot),
            (Transition::Launching, ActionResult::Continue) => self.pending_proceed(slot),
            (Transition::Terminating, ActionResult::Continue) => self.terminating_proceed(slot),
        }
    }

    fn pending_proceed(&mut self, slot: usize) {
        self.set_lifecycle(slot, LifecycleState::PendingProceed);
        self.member_after(self.config.delays.proceed, slot, super::timers::MemberChange::Proceed);
    }

    /// Ends every open action of an instance that is taken elsewhere.
    pub(super) fn supersede_actions(&mut self, slot: usize) {
        for index in std::mem::take(&mut self.instances[slot].actions) {
            self.end_action(index, Conclusion::Superseded, None);
        }
    }

    /// Deleting a hook completes its open actions: ABANDON for a launch, CONTINUE for a termination.
    pub(super) fn delete_hook(&mut self, group: usize, hook: &HookName) {
        self.groups[group].hooks.retain(|known| known.name != *hook);
        for index in 0..self.actions.len() {
            let action = &self.actions[index];
            if action.open() && action.hook == *hook && self.instances[action.slot].group == group {
                let result = match action.transition {
                    Transition::Launching => ActionResult::Abandon,
                    Transition::Terminating => ActionResult::Continue,
                };
                self.end_action(index, Conclusion::HookDeleted(result), None);
                self.after_ending(index, result);
            }
        }
    }

    /// When an open action of this instance and hook times out if nothing comes.
    #[must_use]
    pub fn action_deadline(&self, id: &quorate_core::ids::InstanceId, hook: &HookName) -> Option<Timestamp> {
        let instance = self.instance(id)?;
        let open = instance.actions.iter().map(|index| &self.actions[*index]);
        open.filter(|action| action.hook == *hook).map(|action| action.deadline).next()
    }
}
