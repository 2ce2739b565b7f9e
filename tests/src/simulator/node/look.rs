//! One cycle of the agent's loop, as the daemon's: observe, drive the engine, answer the peers, act.

use std::time::Duration;

use quorate_core::agent_key::AgentKey;
use quorate_core::engine::{Next, Ready};
use quorate_core::ids::InstanceId;
use quorate_core::memory::PersistentState;
use quorate_core::observation::PeerAnswer;
use quorate_core::plan::{NodeStep, Outcome, Plan, Step};
use quorate_core::report::RuleId;
use quorate_core::time::Timestamp;

use super::Agent;
use crate::simulator::queue::Event;
use crate::simulator::rng::hash;
use crate::simulator::sabotage::Sabotage;
use crate::simulator::story::describe;
use crate::simulator::world::World;

/// No two disks ever get the same.
fn new_key(instance: &InstanceId, now: Timestamp) -> AgentKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&hash(instance.as_str(), now.0).to_be_bytes());
    AgentKey::new(bytes)
}

impl World {
    /// A new process of the agent, with what its disk remembers.
    pub(crate) fn start_agent(&mut self, n: usize) {
        if self.nodes[n].agent_gone {
            return;
        }
        let now = self.now;
        let node = &mut self.nodes[n];
        let agent = Agent::new(&self.policy, &node.me, node.disk.kept.clone(), now);
        let key = *node.disk.key.get_or_insert_with(|| new_key(&node.me.instance, now));
        let said = PeerAnswer { signed_by: Some(key), ..PeerAnswer::before_the_first_look(agent.memory()) };
        node.answer = Some(super::Answer { record_version: u64::from(node.epoch) << 32, said });
        node.agent = Some(Box::new(agent));
        node.able_since = now;
        let epoch = node.epoch;
        self.queue.set(now, Event::Look { node: n, epoch });
    }

    /// The process ends without notice; its etcd runs on.
    pub(crate) fn kill_agent(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.epoch += 1;
        node.agent = None;
        node.answer = None;
        node.able_since = self.now;
        self.break_off_upload(n);
    }

    /// Looks and decides; the step, if there is one, takes effect a little later.
    pub(crate) fn look(&mut self, n: usize) {
        let Some(mut agent) = self.nodes[n].agent.take() else { return };
        self.stats.looks += 1;
        let slow = self.observe(n, &mut agent);
        self.note_holder(n);
        agent.sabotage_view(self.sabotage);
        let mut plan = agent.engine.decide(&agent.seen, self.now);
        self.sabotage_plan(n, &agent, &mut plan);
        self.tell_report(n, &plan);
        agent.report = Some(plan.report.clone());
        agent.answer(&mut self.nodes[n].answer, self.now);
        self.sabotage_answer(n, &agent);
        self.check_cover_of_admission(n, &agent);
        self.note_admission(&agent);
        let pause = self.take_up(n, &mut agent, plan, slow);
        self.nodes[n].agent = Some(agent);
        if let Some(pause) = pause {
            let epoch = self.nodes[n].epoch;
            self.queue.set(self.now + pause, Event::Look { node: n, epoch });
        }
    }

    /// Puts the step in hand, or says how long to sleep.
    fn take_up(&mut self, n: usize, agent: &mut Agent, plan: Plan, slow: bool) -> Option<Duration> {
        let ready = agent.engine.check(&agent.seen, plan, self.now);
        let Ready { persist, plan, next, .. } = match self.nodes[n].state_full && ready.persist.is_some() {
            true => {
                self.stats.not_written += 1;
                agent.engine.not_persisted(ready, "no space left on device", self.now)
            }
            false => ready,
        };
        if plan.report.rule != RuleId::Heartbeat {
            agent.verdict = Some(plan.report.clone());
        }
        self.persist(n, agent, persist);
        let step = match (next, plan.step) {
            (Next::Act(step), _) => step,
            // The invariants have to notice a broken rule without the gate's help.
            (Next::Refused { .. }, Some(step)) if self.sabotage.is_some() => step,
            (Next::Refused { refusal, look_again }, _) => {
                self.stats.refused_by_gate += 1;
                self.tell(n, || refusal.to_string());
                return Some(look_again);
            }
            (Next::Wait { look_again }, _) => return Some(look_again + if slow { self.weather.timeout } else { Duration::ZERO }),
        };
        self.check_cover(n, agent, &step);
        agent.pending = Some(step);
        let lag = self.lag(slow);
        let epoch = self.nodes[n].epoch;
        self.queue.set(self.now + lag, Event::Act { node: n, epoch });
        None
    }

    /// From the look to the effect: short, unless something had to be waited for or the machine stalls.
    fn lag(&mut self, slow: bool) -> Duration {
        let stall = if self.rng.chance(self.weather.stalls) { self.rng.between(200, 3000) } else { 0 };
        let usual = self.rng.between(5, 60);
        Duration::from_millis(usual + stall) + if slow { self.weather.timeout } else { Duration::ZERO }
    }

    /// Writes the memory file.
    fn persist(&mut self, n: usize, agent: &mut Agent, kept: Option<PersistentState>) {
        if let Some(kept) = kept.filter(|_| !self.nodes[n].state_full) {
            self.nodes[n].disk.kept = Some(kept.clone());
            agent.engine.persisted(kept);
        }
    }

    /// The step takes effect; the agent may die right before or right after.
    pub(crate) fn act(&mut self, n: usize) {
        let Some(mut agent) = self.nodes[n].agent.take() else { return };
        let Some(step) = agent.pending.take() else {
            self.nodes[n].agent = Some(agent);
            return;
        };
        if self.rng.chance(self.weather.crashes) {
            self.tell(n, || format!("the agent crashes before {}", step.kind()));
            return self.crash(n);
        }
        self.stats.steps += 1;
        self.check_before(n, &step);
        self.check_server_step(n, &agent, &step);
        let outcome = match &step {
            Step::Node(NodeStep::Drain(limits)) => self.begin_drain(&mut agent, limits),
            step => self.execute(n, step),
        };
        if !matches!((&step, &outcome), (Step::Heartbeat { .. }, Outcome::Done)) {
            self.tell(n, || format!("{} -> {outcome:?}", describe(&step)));
        }
        self.check_after(n, &step, &outcome);
        if self.rng.chance(self.weather.crashes) {
            self.tell(n, || format!("the agent crashes after {}", step.kind()));
            return self.crash(n);
        }
        self.note(n, agent, &step, &outcome);
    }

    fn note(&mut self, n: usize, mut agent: Box<Agent>, step: &Step, outcome: &Outcome) {
        let followup = agent.engine.done(step, outcome, self.now);
        if matches!(step, Step::PruneSnapshots { .. }) {
            agent.listed.tried = None;
        }
        self.persist(n, &mut agent, followup.persist);
        let takes = match outcome {
            Outcome::Done if followup.look_again.is_zero() => Duration::from_millis(self.rng.between(1, 10)),
            Outcome::Done | Outcome::Refused(_) | Outcome::NotOpen(_) => Duration::ZERO,
            Outcome::Unclear(_) => {
                self.stats.unclear += 1;
                self.weather.timeout
            }
        };
        let pause = followup.look_again + takes;
        self.nodes[n].agent = Some(agent);
        let epoch = self.nodes[n].epoch;
        self.queue.set(self.now + pause, Event::Look { node: n, epoch });
    }

    /// The agent dies and systemd starts it again; now and then the whole machine restarts with it.
    fn crash(&mut self, n: usize) {
        self.stats.agent_crashes += 1;
        self.kill_agent(n);
        if self.rng.chance(150) {
            self.crash_machine(n);
        } else {
            let pause = Duration::from_millis(self.rng.between(500, 4000));
            let epoch = self.nodes[n].epoch;
            self.queue.set(self.now + pause, Event::Start { node: n, epoch });
        }
    }

    /// Whether this rule is broken on purpose.
    pub(crate) fn is_sabotaged(&self, by: Sabotage) -> bool {
        self.sabotage == Some(by)
    }
}
