//! Carrying out a [`Sabotage`]: what the node believes, or what it decides, is bent.

use quorate_core::agent_key::AgentKey;
use quorate_core::ids::{InstanceId, SnapshotKey};
use quorate_core::observation::{ControlPlane, DataClaim, Draining, Ec2Answer, Ec2State, Notices, PeerAnswer, Saved, Taken};
use quorate_core::plan::{HookResult, NodeStep, Plan, Start, Step, StopReason, Via};
use quorate_core::planner;
use quorate_core::reading::Reading;
use quorate_core::report::Phase;
use quorate_core::snapshot::{SnapshotOrder, Trigger};
use quorate_core::time::Timestamp;

use super::Agent;
use crate::simulator::sabotage::Sabotage;
use crate::simulator::world::World;

impl Agent {
    /// Bends what it sees.
    pub(crate) fn sabotage_view(&mut self, sabotage: Option<Sabotage>) {
        let at = self.seen.target.at().unwrap_or_default();
        let silent = || self.seen.peers.iter().filter(|(_, r)| r.fresh().is_none()).map(|(id, _)| id.clone());
        match sabotage {
            Some(Sabotage::RemoveReceivers) => {
                let received = |(id, reading): (&InstanceId, &Reading<PeerAnswer>)| Some((id.clone(), reading.fresh()?.clone()));
                for (id, said) in
                    self.seen.peers.iter().filter_map(received).filter(|(_, said)| said.received.is_some()).collect::<Vec<_>>()
                {
                    self.seen.peers.insert(id, Reading::Fresh(PeerAnswer { received: None, ..said }, at));
                }
            }
            Some(Sabotage::SilenceIsConsent) => {
                for id in silent().collect::<Vec<_>>() {
                    let said = PeerAnswer {
                        instance: id.clone(),
                        phase: Phase::Waiting,
                        record: None,
                        data: DataClaim::None,
                        quorum: None,
                        control_plane: ControlPlane::default(),
                        etcd: None,
                        refused: None,
                        received: None,
                        leaving: false,
                        leave_within_ms: None,
                        signed_by: Some(AgentKey::new([0; 32])),
                        certificates: None,
                        certified: false,
                    };
                    self.seen.peers.insert(id, Reading::Fresh(said, at));
                }
            }
            Some(Sabotage::SilentIsGone) => {
                for id in silent().collect::<Vec<_>>() {
                    let answer = Ec2Answer::Known { state: Ec2State::Terminated, address: None, launched: None };
                    self.seen.cloud.asked.insert(id, Reading::Fresh(answer, at));
                }
            }
            Some(Sabotage::ListsAreAll) => {
                let listed = self.seen.cloud.listed.last().into_iter().flatten().map(|(id, _)| id.clone());
                let me = self.seen.me.instance.clone();
                self.seen.cloud.tagged = Reading::Fresh(listed.chain([me]).collect(), at);
            }
            Some(Sabotage::LeaveUndrained) => {
                self.seen.kubernetes.draining = Draining::Over { message: "was never begun".to_owned(), at: Timestamp(u64::MAX) }
            }
            Some(Sabotage::DeafToNotices) => self.seen.notices = Notices::unknown("it is deaf"),
            _ => {}
        }
    }
}

impl World {
    /// Bends what it decides.
    pub(crate) fn sabotage_plan(&mut self, n: usize, agent: &Agent, plan: &mut Plan) {
        let Some(sabotage) = self.sabotage else { return };
        let forced = match sabotage {
            Sabotage::CompleteBeforeLeaving if plan.report.phase == Phase::Leaving => self.forced_completion(n, agent, false),
            Sabotage::CompleteBeforeVoting if self.etcd.serves(n) => self.forced_completion(n, agent, true),
            Sabotage::PromoteWithoutRecord => forced_promotion(agent),
            Sabotage::NameNoServer => without_server(plan),
            Sabotage::DeleteLivingNode if plan.step.is_none() => deletion_of_another(agent),
            Sabotage::RemoveTheSilent => forced_removal(agent),
            Sabotage::ChangeWithoutSnapshot => self.change_at_once(agent, plan),
            Sabotage::PruneNewest if plan.step.is_none() => deletion_of_newest(agent),
            Sabotage::StopWithoutLeaving if plan.report.phase == Phase::Leaving && self.etcd.servers[n].run.is_some() => {
                Some(Step::StopMember(StopReason::Left))
            }
            _ => None,
        };
        let dropped = match (sabotage, &plan.step) {
            (Sabotage::NameNoServer, Some(Step::Node(NodeStep::PointAt { .. }))) => true,
            (Sabotage::NeverStandIn, Some(Step::MoveLeader { to, .. })) => self.etcd.member_id(n) == Some(*to),
            (Sabotage::RestOnMemory, Some(_)) => self.nodes[n].state_full,
            (Sabotage::NoHeartbeat, Some(Step::Heartbeat { .. })) => true,
            (Sabotage::NeverPrune, Some(Step::RemoveMember { member, .. })) => self.etcd.member_id(n) != Some(*member),
            _ => false,
        };
        if forced.is_some() || dropped {
            plan.step = forced;
        }
    }

    /// Bends what it answers its peers.
    pub(crate) fn sabotage_answer(&mut self, n: usize, agent: &Agent) {
        let votes = self.etcd.servers[n].live().is_some_and(|(d, run)| run.ready && d.is_voter());
        let holds = self.etcd.holds_lock(&self.nodes[n].me.instance, self.now);
        let bends = match self.sabotage {
            Some(Sabotage::AdmitWithoutLock) => votes && !holds,
            Some(Sabotage::AdmitTwo) => votes && holds,
            _ => false,
        };
        let seeking = agent.seen.peers.iter().filter(|(_, p)| p.fresh().is_some_and(|p| p.control_plane.seeks)).map(|(id, _)| id);
        let seeking: Vec<_> = seeking.cloned().collect();
        let turn = usize::try_from(self.now.0 / 700).unwrap_or(0);
        if let Some(answer) = self.nodes[n].answer.as_mut().filter(|_| bends && !seeking.is_empty()) {
            answer.said.control_plane.admits = Some(seeking[turn % seeking.len()].clone());
        }
    }

    /// What it would do if it had taken a snapshot just now.
    fn change_at_once(&self, agent: &Agent, plan: &Plan) -> Option<Step> {
        if !matches!(plan.step, None | Some(Step::TakeSnapshot(SnapshotOrder { trigger: Trigger::Change, .. }))) {
            return None;
        }
        let mut seen = agent.seen.clone();
        seen.snapshots.taken = Some(Taken {
            trigger: Trigger::Change,
            since: self.now,
            at: self.now,
            result: Ok(Saved { key: SnapshotKey::new("none"), revision: 1 }),
        });
        let step = planner::plan(&seen, agent.memory(), &self.policy, self.now).step;
        step.filter(|s| matches!(s, Step::AcquireLock { .. } | Step::AddLearner { .. } | Step::Promote { .. } | Step::RemoveMember { .. }))
    }

    fn forced_completion(&self, n: usize, agent: &Agent, launch: bool) -> Option<Step> {
        use quorate_core::observation::{LifecycleState, Transition};
        let me = &self.nodes[n].me;
        let (state, transition) = match launch {
            true => (LifecycleState::PendingWait, Transition::Launching),
            false => (LifecycleState::TerminatingWait, Transition::Terminating),
        };
        let open = agent.seen.cloud.own_state.last() == Some(&state);
        let hook = agent.seen.cloud.hooks.last()?.iter().find(|h| h.transition == transition && h.hook.group == me.group)?;
        let done = agent.memory().hooks.completed.contains(&(hook.hook.clone(), me.instance.clone()));
        let step = Step::CompleteHook { hook: hook.hook.clone(), instance: me.instance.clone(), result: HookResult::Continue };
        (open && !done).then_some(step)
    }
}

fn forced_promotion(agent: &Agent) -> Option<Step> {
    let membership = agent.seen.etcd.membership.fresh()?;
    let learner = membership.learner().filter(|l| l.name.is_some())?;
    Some(Step::Promote { via: via(agent)?, member: learner.id })
}

fn forced_removal(agent: &Agent) -> Option<Step> {
    let membership = agent.seen.etcd.membership.fresh()?;
    let silent = membership.voters().find(|m| agent.seen.etcd.statuses.get(&m.id).is_none_or(|s| s.fresh().is_none()))?;
    Some(Step::RemoveMember { via: via(agent)?, member: silent.id })
}

fn deletion_of_newest(agent: &Agent) -> Option<Step> {
    let newest = agent.seen.snapshots.stored.fresh()?.snapshots.last()?;
    Some(Step::PruneSnapshots { keys: vec![newest.key.clone()], abandoned: Vec::new() })
}

fn via(agent: &Agent) -> Option<Via> {
    let membership = agent.seen.etcd.membership.fresh()?;
    let member = membership.get(membership.via)?;
    Some(Via::new(member.id, member.client_url?))
}

fn without_server(plan: &Plan) -> Option<Step> {
    let Some(Step::StartMember(Start::Resume { loopback_only, server: Some(_) }, transport)) = plan.step else { return None };
    Some(Step::StartMember(Start::Resume { loopback_only, server: None }, transport))
}

fn deletion_of_another(agent: &Agent) -> Option<Step> {
    let mut nodes = agent.seen.kubernetes.nodes.fresh()?.iter();
    let node = nodes.find(|node| node.name != agent.seen.me.instance.as_str() && node.ready)?;
    let instance = quorate_core::ids::InstanceId::new(&node.name);
    Some(Step::Node(NodeStep::Delete { instance, uid: node.uid.clone() }))
}
