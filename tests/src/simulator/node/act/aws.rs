//! Calls of Auto Scaling.

use quorate_core::ids::InstanceId;
use quorate_core::observation::HookRef;
use quorate_core::plan::{HookResult, Outcome};

use super::{Fate, no_answer};
use crate::region::{ActionReference, ActionResult, ApiError, Health, Transition};
use crate::simulator::world::World;

impl World {
    fn reaches_aws(&mut self, n: usize) -> Option<Fate> {
        self.stats.aws_calls += 1;
        let fate = self.fate();
        (!self.nodes[n].aws_down && fate != Fate::LostBefore).then_some(fate)
    }

    fn aws_outcome(&mut self, fate: Fate, result: Result<(), ApiError>) -> Outcome {
        match result {
            _ if fate == Fate::LostAfter => no_answer(),
            Ok(()) => Outcome::Done,
            Err(error) if error.is_no_active_action() => Outcome::NotOpen(error.to_string()),
            Err(error) => self.refused(&error.to_string()),
        }
    }

    pub(super) fn heartbeat(&mut self, n: usize, hook: &HookRef) -> Outcome {
        let Some(fate) = self.reaches_aws(n) else { return no_answer() };
        let me = ActionReference::from(&self.nodes[n].me.instance);
        let result = self.region.api(&self.nodes[n].caller, self.now).heartbeat(&hook.group, &hook.name, &me);
        self.aws_outcome(fate, result)
    }

    pub(super) fn complete(&mut self, n: usize, hook: &HookRef, instance: &InstanceId, result: HookResult) -> Outcome {
        let Some(fate) = self.reaches_aws(n) else { return no_answer() };
        let reference = ActionReference::from(instance);
        let how = match result {
            HookResult::Continue => ActionResult::Continue,
            HookResult::Abandon => ActionResult::Abandon,
        };
        let before = self.deadline_of(instance, hook);
        let result = self.region.api(&self.nodes[n].caller, self.now).complete(&hook.group, &hook.name, &reference, how);
        let tried_again = |region: &crate::region::Region| region.double_completed().count() as u64;
        self.stats.completed_again = self.stats.completed_again.max(tried_again(&self.region));
        if result.is_ok() {
            self.after_completion(n, hook, instance, how, before);
        }
        self.aws_outcome(fate, result)
    }

    fn after_completion(
        &mut self,
        n: usize,
        hook: &HookRef,
        instance: &InstanceId,
        how: ActionResult,
        deadline: Option<quorate_core::time::Timestamp>,
    ) {
        let own = *instance == self.nodes[n].me.instance;
        *(if own { &mut self.stats.completed } else { &mut self.stats.completed_for_the_dead }) += 1;
        self.stats.completed_across_groups += u64::from(hook.group != self.nodes[n].me.group);
        let transition = self.region.group(&hook.group).and_then(|g| g.hooks.iter().find(|h| h.name == hook.name)).map(|h| h.transition);
        match (transition, how) {
            (Some(Transition::Launching), ActionResult::Continue) => self.check_launched(instance),
            (Some(Transition::Launching), ActionResult::Abandon) => self.stats.abandoned += 1,
            (Some(Transition::Terminating), _) => self.check_let_go(instance, deadline),
            (None, _) => {}
        }
    }

    pub(super) fn report_unhealthy(&mut self, n: usize) -> Outcome {
        let Some(fate) = self.reaches_aws(n) else { return no_answer() };
        let id = self.nodes[n].me.instance.clone();
        let result = self.region.api(&self.nodes[n].caller, self.now).set_instance_health(&id, Health::Unhealthy);
        self.aws_outcome(fate, result)
    }

    fn deadline_of(&self, instance: &InstanceId, hook: &HookRef) -> Option<quorate_core::time::Timestamp> {
        self.region.action_deadline(instance, &hook.name)
    }
}
