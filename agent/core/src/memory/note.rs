//! Taking in what became of a step or of a question.

use std::time::Duration;

use crate::cadence::Query;
use crate::plan::{NodeStep, Outcome, Start, Step, StopReason};
use crate::policy::Policy;
use crate::time::Timestamp;

use super::{Beat, Deregistration, Memory};

impl Memory {
    /// Takes in what became of a step.
    pub fn note(&mut self, step: &Step, outcome: &Outcome, policy: &Policy, now: Timestamp) {
        let done = *outcome == Outcome::Done;
        if let Outcome::Refused(why) | Outcome::NotOpen(why) | Outcome::Unclear(why) = outcome {
            if !self.is_only_early(step, outcome, policy, now) {
                self.last_trouble = Some(why.clone());
            }
            if let Some((kind, pause)) = pause_after(step, policy) {
                self.not_before.insert(kind, now + pause);
            }
        }
        if done && !matches!(step, Step::Heartbeat { .. } | Step::CompleteHook { .. } | Step::DeregisterTarget { .. }) {
            self.acted = Some(now);
        }
        match step {
            Step::Heartbeat { hook } => {
                let beat = self.beats.entry(hook.clone()).or_insert(Beat { opened: now, accepted: None, tried: None });
                beat.tried = Some(now);
                if done {
                    beat.accepted = Some(now);
                }
            }
            Step::CompleteHook { hook, instance, .. } if done => {
                self.completed.insert((hook.clone(), instance.clone()));
            }
            Step::CompleteHook { hook, instance, .. } => {
                self.hook_not_before.insert((hook.clone(), instance.clone()), now + policy.aws_hurry);
                if *instance != self.kept.instance {
                    self.tried_for.insert(instance.clone(), now);
                }
            }
            Step::DeregisterTarget { group } => {
                let tries = self.deregistrations.get(group).map_or(0, |before| before.tries) + 1;
                self.deregistrations.insert(group.clone(), Deregistration { accepted: done, tries, tried: now });
            }
            Step::ReportUnhealthy => self.reported_unhealthy = done,
            Step::CreateRecord(record) => {
                if record.founder() == Some(&self.kept.instance) {
                    self.claimed = Some((record.number, now));
                }
                if done {
                    self.remember(record.clone());
                }
            }
            Step::StartMember(start) => {
                self.rests = false;
                // Whoever is served again may write what the snapshot lacks.
                self.retiring = matches!(start, Start::Alone);
                self.final_snapshot = None;
                // What was refused did not start: it says nothing of whether the member is broken.
                if !matches!(outcome, Outcome::Refused(_)) {
                    self.starts.push(now);
                }
                // A start that ends at once must not be tried in a tight loop: each one waits longer.
                let count = u32::try_from(self.starts.len()).unwrap_or(u32::MAX).max(1);
                self.not_before.insert("start", now + policy.retry * count.saturating_mul(2));
            }
            Step::StopMember(reason) if done && *reason != StopReason::NotAnswering => {
                self.starts.clear();
                self.not_before.remove("start");
                self.rests = *reason == StopReason::LastVoterLeaves;
                self.retiring = *reason == StopReason::Retire || (self.rests && self.retiring && self.final_snapshot.is_some());
            }
            Step::StopMember(_) if done => self.local_silent = None,
            Step::Node(NodeStep::AnnotateRemoval { .. }) if done => self.removal_asked = Some(self.removal_asked.unwrap_or(now)),
            Step::ForgetOrder => self.kept.order = None,
            Step::SetPause { pause, .. } if done => self.kept.pausing.read(Some(pause)),
            Step::ClearPause { .. } if done => self.kept.pausing.read(None),
            _ => {}
        }
    }

    /// AWS knows of no such action although it is about to open, which passes by itself within seconds; or another agent, or the time, has ended
    /// an action of somebody else, which is as good. No trouble either way.
    #[must_use]
    pub fn is_only_early(&self, step: &Step, outcome: &Outcome, policy: &Policy, now: Timestamp) -> bool {
        let is_young = |hook| self.beats.get(hook).is_none_or(|beat| now.since(beat.opened) < policy.aws_hurry * 2);
        match (outcome, step) {
            (Outcome::NotOpen(_), Step::Heartbeat { hook }) => self.beats.get(hook).is_none_or(|b| b.accepted.is_none()) && is_young(hook),
            (Outcome::NotOpen(_), Step::CompleteHook { hook, instance, .. }) => *instance != self.kept.instance || is_young(hook),
            _ => false,
        }
    }

    /// Takes in that a question was put to AWS, whether or not it was answered.
    pub fn note_asked(&mut self, query: &Query, now: Timestamp) {
        self.asked.count += 1;
        match query {
            Query::Groups => self.asked.groups = Some(now),
            Query::Tagged => self.asked.tagged = Some(now),
            Query::Instances(_) => self.asked.instances = Some(now),
            Query::Places(_) => self.asked.places = Some(now),
            Query::Hooks => self.asked.hooks = Some(now),
            Query::OwnState => self.asked.own_state = Some(now),
        }
    }
}

/// What a refused step is called in [`Memory::not_before`], and how long it waits.
fn pause_after(step: &Step, policy: &Policy) -> Option<(&'static str, Duration)> {
    Some(match step {
        Step::CreateRecord(_) => ("record", policy.retry),
        Step::AddLearner { .. } => ("add", policy.retry),
        Step::Promote { .. } => ("promote", policy.retry),
        Step::RemoveMember { .. } => ("remove", policy.retry),
        Step::MoveLeader { .. } => ("move", policy.retry),
        Step::AdoptData { .. } => ("adopt", policy.retry),
        Step::UpdatePeerUrl { .. } => ("peer-url", policy.retry),
        Step::ReportUnhealthy => ("unhealthy", policy.aws_hurry),
        Step::AcquireLock { .. } => ("lock", policy.retry),
        Step::SetPause { .. } | Step::ClearPause { .. } => ("pause", policy.cycle),
        Step::Node(step) => (step.kind(), policy.retry * 2),
        Step::TakeSnapshot(_) => ("snapshot", policy.snapshots.retry),
        Step::FetchSnapshot { .. } => ("fetch", policy.retry),
        Step::RestoreSnapshot { .. } | Step::RestoreOwnData { .. } => ("restore", policy.retry * 4),
        Step::DrillSnapshot { .. } => ("drill", policy.snapshots.retry),
        Step::PruneSnapshots { .. } => ("prune-snapshots", policy.snapshots.retry),
        _ => return None,
    })
}
