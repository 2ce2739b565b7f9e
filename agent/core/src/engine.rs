//! One agent from look to look: what it remembers, what it decides, whether that may be done, and how it ended.
//!
//! The order of a cycle is defined here and nowhere else. The daemon's loop, the simulator and the golden stories drive this one engine, as
//! etcd's raft is driven through its `RawNode` and `Ready`: it does no I/O, and says what has to be durable before anything is done.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::cadence::{self, Query};
use crate::charter::{Record, State, StoreView};
use crate::explain::{self, Wait};
use crate::memory::{Memory, PersistentState};
use crate::observation::Observation;
use crate::plan::{Outcome, Plan, Step};
use crate::planner;
use crate::policy::Policy;
use crate::report::{Phase, Report};
use crate::safety::{Gate, Refusal};
use crate::sources::Sources;
use crate::time::Timestamp;
use crate::tracker;

/// The number of steps without a pause before one is made: a step that changes nothing must not spin.
const STEPS_WITHOUT_PAUSE: u32 = 40;

/// The result of one look.
#[must_use = "a step is taken only after `persist` is written, and its outcome is told to `Engine::done`"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What has to be on the disk before anything else is done, if that changed: confirm it with [`Engine::persisted`], or say with
    /// [`Engine::not_persisted`] that it could not be written.
    pub persist: Option<PersistentState>,
    /// The decision, to be reported to peers, operators and the journal.
    pub plan: Plan,
    /// Since when the decision has been the same.
    pub since: Timestamp,
    /// What is to be done now.
    pub next: Next,
}

/// What is to be done after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Take this step, which passed the gate, and report its outcome to [`Engine::done`].
    Act(Step),
    /// The gate refused the plan's step: nothing is done.
    Refused {
        /// Why.
        refusal: Refusal,
        /// How long to sleep before the next look.
        look_again: Duration,
    },
    /// There is nothing to do.
    Wait {
        /// How long to sleep before the next look.
        look_again: Duration,
    },
}

/// What follows a step.
#[must_use = "what has to be remembered is to be written"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followup {
    /// What has to be on the disk now, if that changed: confirm it with [`Engine::persisted`].
    pub persist: Option<PersistentState>,
    /// The other side's refusal is harmless: it was only too early, or another agent has done the same.
    pub only_early: bool,
    /// How long to sleep before the next look.
    pub look_again: Duration,
}

/// The decision of the last look.
#[derive(Clone, Debug)]
struct Decided {
    phase: Phase,
    message: Cow<'static, str>,
    since: Timestamp,
}

/// One agent's decisions, with everything that they depend on.
///
/// # Flow
/// [`look`](Self::look) takes in an observation, decides, and asks the gate. The caller writes what has to be durable
/// ([`persisted`](Self::persisted)), takes the step if there is one, reports its outcome to [`done`](Self::done), and looks again.
///
/// # Guarantees
/// Pure and deterministic: the same observations, outcomes and times give the same steps. A step that the gate refuses is never handed out. At most
/// one step at a time.
///
/// # Assumptions
/// Time never runs backwards. A step is taken only once [`Ready::persist`] is on the disk. After a restart the engine is built again from what was
/// persisted.
///
/// # Example
/// A node that has just started knows nothing, so it waits; it does not act on ignorance.
/// ```
/// use std::sync::Arc;
///
/// use quorate_core::engine::{Engine, Next};
/// use quorate_core::memory::PersistentState;
/// use quorate_core::observation::{Me, Observation};
/// use quorate_core::policy::Policy;
/// use quorate_core::role::Role;
/// use quorate_core::time::Timestamp;
///
/// let me = Me {
///     instance: "i-0a".into(),
///     address: [10, 0, 0, 4].into(),
///     group: "etcd".into(),
///     account: "123456789012".into(),
///     region: "eu-central-1".into(),
///     cluster: "demo".into(),
///     role: Role::Etcd,
///     launched: Timestamp(0),
/// };
/// let now = Timestamp(60_000);
/// let mut engine = Engine::new(Arc::new(Policy::default()), PersistentState::new(me.instance.clone()), now);
///
/// let seen = Observation::unknown(me, "not asked yet");
/// let ready = engine.look(&seen, now);
///
/// assert!(matches!(ready.next, Next::Wait { .. }));
/// println!("{}", ready.plan.report);
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Arc<Policy>,
    memory: Memory,
    gate: Gate,
    /// What the caller has written.
    stored: Option<PersistentState>,
    /// The charter is kept in a store, as far as the last look could tell.
    has_store: bool,
    decided: Option<Decided>,
    steps_in_a_row: u32,
}

impl Engine {
    /// An agent that starts at `now` with what its disk remembers.
    #[must_use]
    pub fn new(policy: Arc<Policy>, kept: PersistentState, now: Timestamp) -> Self {
        Self {
            policy,
            memory: Memory::new(kept, now),
            gate: Gate::default(),
            stored: None,
            has_store: false,
            decided: None,
            steps_in_a_row: 0,
        }
    }

    /// What the operator chose.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Uses another policy from now on.
    pub fn set_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }

    /// Everything remembered.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The gate, with what it remembers.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The phase of the last look, if there was one.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.decided.as_ref().map(|decided| decided.phase)
    }

    /// Takes in what was observed, decides, and has the gate check the step.
    pub fn look(&mut self, seen: &Observation, now: Timestamp) -> Ready {
        let plan = self.decide(seen, now);
        self.check(seen, plan, now)
    }

    /// The first half of [`look`](Self::look): takes in what was observed, and decides. A test that breaks a rule on purpose changes the plan between the
    /// halves.
    pub fn decide(&mut self, seen: &Observation, now: Timestamp) -> Plan {
        tracker::absorb(&mut self.memory, seen, &self.policy, now);
        self.has_store = matches!(seen.store.last(), Some(StoreView::Charter(_) | StoreView::Absent));
        self.gate.absorb(seen, &self.memory, &self.policy, now);
        planner::plan(seen, &self.memory, &self.policy, now)
    }

    /// The second half of [`look`](Self::look): the result of a plan made from this observation.
    pub fn check(&mut self, seen: &Observation, plan: Plan, now: Timestamp) -> Ready {
        let since = self.since(&plan, now);
        let plan = self.with_overdue(plan, now);
        let next = match &plan.step {
            None => Next::Wait { look_again: plan.look_again },
            Some(step) => match self.gate.check(step, seen, &self.memory, &self.policy, now) {
                Ok(()) => Next::Act(step.clone()),
                Err(refusal) => Next::Refused { refusal, look_again: self.policy.retry },
            },
        };
        match &next {
            Next::Act(step) => self.gate.let_through(step),
            Next::Refused { .. } | Next::Wait { .. } => self.steps_in_a_row = 0,
        }
        let persist = if plan.step.is_some() || self.pausing_changed() { self.unwritten() } else { None };
        Ready { persist, plan, since, next }
    }

    /// The same look where what it wanted on the disk could not be written, for this reason. A step that rests on it waits; every other is taken: a full disk
    /// must neither let a hook time out nor keep a member in.
    pub fn not_persisted(&mut self, ready: Ready, why: &str, now: Timestamp) -> Ready {
        let rests = ready.plan.step.as_ref().is_none_or(|step| self.rests_on_memory(step));
        if !rests {
            return Ready { persist: None, ..ready };
        }
        let Wait { awaits, message } = explain::memory_is_not_written(&ready.plan.report.message, why);
        let report = Report { message, awaits: Some(awaits), overdue: None, ..ready.plan.report };
        let plan = Plan { step: None, report, look_again: self.policy.cycle };
        let since = self.since(&plan, now);
        let plan = self.with_overdue(plan, now);
        let next = Next::Wait { look_again: plan.look_again };
        Ready { persist: None, plan, since, next }
    }

    /// A record that only brings the established list of voters in line, or says that all data is saved, is read again from the store after a restart. Nobody
    /// restores a retired cluster before its last voter has ended or says itself that it holds no data.
    fn rests_on_memory(&self, step: &Step) -> bool {
        let established = |record: &Record| record.state == State::Established;
        let goes_on = |record: &Record| established(record) || matches!(record.state, State::Retired { .. });
        match (step, &self.memory.kept.record) {
            (Step::CreateRecord(next), Some(last)) => {
                !(goes_on(next) && established(last) && next.generation == last.generation && self.has_store)
            }
            (step, _) => step.rests_on_memory(),
        }
    }

    /// Takes in the outcome of a step.
    pub fn done(&mut self, step: &Step, outcome: &Outcome, now: Timestamp) -> Followup {
        let only_early = tracker::is_only_early(&self.memory, step, outcome, &self.policy, now);
        tracker::note(&mut self.memory, step, outcome, &self.policy, now);
        Followup { persist: self.unwritten(), only_early, look_again: self.pause_after(outcome) }
    }

    /// Confirms that what [`Ready`] or [`Followup`] wanted on the disk is there.
    pub fn persisted(&mut self, kept: PersistentState) {
        self.stored = Some(kept);
    }

    /// The state that the disk is to hold. To carry out an operator's order, change a copy of it, write that, then [`adopt`](Self::adopt) it.
    #[must_use]
    pub fn kept(&self) -> &PersistentState {
        &self.memory.kept
    }

    /// Continues from what an operator has changed and the caller has written.
    pub fn adopt(&mut self, kept: PersistentState) {
        self.memory.kept = kept.clone();
        self.stored = Some(kept);
    }

    /// What AWS is to be asked now.
    #[must_use]
    pub fn due(&self, seen: &Observation, now: Timestamp) -> Vec<Query> {
        cadence::due(seen, &self.memory, &self.policy, now)
    }

    /// Notes that a question was put to AWS, whether or not it will be answered.
    pub fn asked(&mut self, query: &Query, now: Timestamp) {
        tracker::note_asked(&mut self.memory, query, now);
    }

    /// Which sources can be read. The code that asks them notes the results here.
    pub fn sources(&mut self) -> &mut Sources {
        &mut self.memory.sources
    }

    fn unwritten(&self) -> Option<PersistentState> {
        (self.stored.as_ref() != Some(&self.memory.kept)).then(|| self.memory.kept.clone())
    }

    /// The pause has changed and must be written at once: etcd may be lost before the next step, and the node is to stay paused.
    fn pausing_changed(&self) -> bool {
        let pausing = &self.memory.kept.pausing;
        self.stored.as_ref().map_or(!pausing.is_empty(), |stored| stored.pausing != *pausing)
    }

    /// A wait that has outlasted its patience calls an operator, whatever rule decided.
    fn with_overdue(&mut self, plan: Plan, now: Timestamp) -> Plan {
        tracker::note_wait(&mut self.memory, &plan, &self.policy, now);
        let overdue = tracker::overdue(&self.memory, &plan, &self.policy, now);
        Plan { report: plan.report.called_for(overdue), ..plan }
    }

    fn since(&mut self, plan: &Plan, now: Timestamp) -> Timestamp {
        let report = &plan.report;
        let same = |decided: &&Decided| decided.phase == report.phase && decided.message == report.message;
        let since = self.decided.as_ref().filter(same).map_or(now, |decided| decided.since);
        self.decided = Some(Decided { phase: report.phase, message: report.message.clone(), since });
        since
    }

    fn pause_after(&mut self, outcome: &Outcome) -> Duration {
        if *outcome != Outcome::Done {
            self.steps_in_a_row = 0;
            return self.policy.retry / 4;
        }
        self.steps_in_a_row += 1;
        if self.steps_in_a_row > STEPS_WITHOUT_PAUSE { self.policy.cycle } else { Duration::ZERO }
    }
}
