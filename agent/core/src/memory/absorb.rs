//! Taking in an observation: who was heard, what EC2 said, how long a state has lasted.

use crate::cadence;
use crate::charter::{Record, StoreView};
use crate::ids::InstanceId;
use crate::observation::{DataClaim, Ec2Answer, Ec2State, FetchFailure, Observation, PeerAnswer, Process, Taken};
use crate::planner;
use crate::policy::Policy;
use crate::reading::Reading;
use crate::situation::{Charter, Situation};
use crate::snapshot::Trigger;
use crate::time::Timestamp;

use super::{Beat, Memory, Seen};

impl Memory {
    /// Takes in what was observed, before a decision. Pure; the caller writes [`Memory::kept`] to disk if it changed, before any step.
    pub fn absorb(&mut self, seen: &Observation, policy: &Policy, now: Timestamp) {
        self.forget_silence_while_blind(policy, now);
        self.absorb_instances(seen, policy, now);
        self.absorb_peers(seen, now);
        self.absorb_leader(seen, now);
        self.absorb_keys(seen);
        self.absorb_callers(seen, policy, now);
        self.absorb_record(seen, policy, now);
        self.absorb_pause(seen);
        self.absorb_snapshots(seen, now);
        self.absorb_final_snapshot(seen, policy, now);
        self.absorb_lasting(seen, policy, now);
        self.absorb_refusals(seen, policy, now);
        self.absorbed = Some(now);
    }

    /// Silence does not count while this node itself was not looking: suspended, frozen, or starved.
    fn forget_silence_while_blind(&mut self, policy: &Policy, now: Timestamp) {
        let gap = self.absorbed.map_or(std::time::Duration::ZERO, |at| now.since(at));
        let Some(blind) = gap.checked_sub(policy.stale_after * 2) else { return };
        let shift = |at: &mut Timestamp| *at = *at + blind;
        self.heard.values_mut().chain(self.watched.values_mut()).for_each(shift);
        let lasting = [&mut self.quorum_lost, &mut self.quorumless, &mut self.local_silent, &mut self.may_claim];
        lasting.into_iter().flatten().for_each(shift);
        self.learner.iter_mut().for_each(|watch| shift(&mut watch.progress_at));
        // The lead may have been another's meanwhile.
        self.led = None;
    }

    fn absorb_instances(&mut self, seen: &Observation, policy: &Policy, now: Timestamp) {
        for (id, instance) in seen.cloud.listed.fresh().into_iter().flatten() {
            if let Some(known) = self.come_to_know(id) {
                known.group.get_or_insert_with(|| instance.group.clone());
            }
        }
        for id in seen.cloud.tagged.fresh().into_iter().flatten() {
            self.come_to_know(id);
        }
        for (id, answer) in &seen.cloud.asked {
            let Reading::Fresh(answer, at) = answer else { continue };
            match answer {
                Ec2Answer::Known { state: Ec2State::Terminated, .. } => {
                    self.terminated.insert(id.clone());
                    self.kept.seen.remove(id);
                    self.not_found.remove(id);
                }
                Ec2Answer::Known { .. } if is_another_roles_node(seen, id) => {
                    self.not_found.remove(id);
                }
                Ec2Answer::Known { address, launched, .. } => {
                    self.not_found.remove(id);
                    if let Some(known) = self.come_to_know(id) {
                        known.address = address.or(known.address);
                        known.launched = launched.or(known.launched);
                    }
                }
                Ec2Answer::NotFound => {
                    // A gap in the asking starts the hour anew.
                    let (first, last) = self.not_found.entry(id.clone()).or_insert((*at, *at));
                    if at.since(*last) > policy.aws_cadence * 2 {
                        *first = *at;
                    }
                    *last = *at;
                }
            }
        }
        // An instance that answers is known after all, and so is one that its group watches.
        let listed = seen.cloud.listed.fresh();
        let is_watched = |id: &InstanceId| listed.and_then(|l| l.get(id)).is_some_and(|i| i.state.is_watched());
        self.not_found.retain(|id, _| !is_watched(id) && seen.peers.get(id).and_then(|p| p.fresh()).is_none());
        for id in self.kept.seen.keys() {
            if !self.watched.contains_key(id) {
                self.watched.insert(id.clone(), now);
            }
        }
    }

    /// Remembers an instance, unless it has ended.
    fn come_to_know(&mut self, id: &InstanceId) -> Option<&mut Seen> {
        if self.terminated.contains(id) {
            return None;
        }
        if !self.kept.seen.contains_key(id) {
            self.kept.seen.insert(id.clone(), Seen { group: None, address: None, launched: None });
        }
        self.kept.seen.get_mut(id)
    }

    fn absorb_peers(&mut self, seen: &Observation, now: Timestamp) {
        for (id, reading) in &seen.peers {
            if let Reading::Fresh(_, at) = reading {
                self.heard.insert(id.clone(), *at);
            }
            self.watched.entry(id.clone()).or_insert(now);
        }
    }

    /// The agent that led before may have acted, and this one was not told.
    fn absorb_leader(&mut self, seen: &Observation, now: Timestamp) {
        let leader = seen.etcd.membership.fresh().and_then(|membership| membership.leader);
        self.led = leader.map(|leader| self.led.filter(|(known, _)| *known == leader).unwrap_or((leader, now)));
    }

    /// Remembers the callers that this node never saw: new servers, of which only AWS can say that they are this cluster's.
    fn absorb_callers(&mut self, seen: &Observation, policy: &Policy, now: Timestamp) {
        let Self { kept, terminated, callers, .. } = self;
        let is_known = |id: &InstanceId| *id == seen.me.instance || kept.seen.contains_key(id) || terminated.contains(id);
        callers.absorb(&seen.callers, is_known, seen.cloud.listed.at(), policy, now);
    }

    /// Remembers the highest record that may be acted on. Without a store the peers' records are the log.
    fn absorb_record(&mut self, seen: &Observation, policy: &Policy, now: Timestamp) {
        let highest = match &Situation::new(seen, self, policy, now).charter {
            Charter::Known(record) if record.belongs_to(&seen.me) => Some((*record).clone()),
            _ => None,
        };
        if let Some(record) = highest {
            self.remember(record);
        }
        if matches!(seen.store.fresh(), Some(StoreView::NotConfigured)) {
            let told = seen.peers.values().filter_map(|p| p.fresh()).filter_map(|p| p.record.as_ref());
            let best = told.filter(|r| r.belongs_to(&seen.me)).max_by_key(|r| r.number).cloned();
            best.into_iter().for_each(|r| self.remember(r));
        }
        for voter in self.kept.record.iter().flat_map(|r| &r.voters) {
            if !self.watched.contains_key(&voter.instance) {
                self.watched.insert(voter.instance.clone(), now);
            }
        }
    }

    /// Remembers what etcd says of a pause: on a quorum's word, and that of this cluster's own etcd.
    fn absorb_pause(&mut self, seen: &Observation) {
        let Some((membership, pause)) = seen.etcd.membership.fresh().zip(seen.etcd.pause.fresh()) else { return };
        let named = self.kept.record.as_ref().and_then(|r| r.etcd_cluster);
        if named.is_none_or(|cluster| cluster == membership.cluster) {
            self.kept.pausing.read(pause.as_ref());
        }
    }

    /// Since when the newest snapshot has been there. What the store's clock says of it counts only at the first look, and never as later than now: a
    /// node whose clock is a day off would else take none for a day, or one after the other.
    fn absorb_snapshots(&mut self, seen: &Observation, now: Timestamp) {
        if let Some((key, _, FetchFailure::Corrupt(why))) = &seen.snapshots.fetch_failed {
            self.refused_snapshots.insert(key.clone(), why.clone());
        }
        let Some(listing) = seen.snapshots.stored.fresh() else { return };
        let current = self.kept.record.as_ref().and_then(|r| Some((r.generation, r.etcd_cluster?)));
        let newest = current.and_then(|(generation, cluster)| listing.newest_of(generation, cluster));
        self.newest_snapshot = newest.map(|stored| match &self.newest_snapshot {
            Some((key, at)) if *key == stored.key => (key.clone(), *at),
            _ if self.snapshots_listed => (stored.key.clone(), now),
            _ => (stored.key.clone(), stored.stored_at.min(now)),
        });
        self.snapshots_listed = true;
    }

    /// The snapshot that holds all: begun after the last client was stopped, and valid until one may be served again.
    fn absorb_final_snapshot(&mut self, seen: &Observation, policy: &Policy, now: Timestamp) {
        let Some(Process::Running { since, .. }) = seen.local.process.fresh() else { return };
        let nobody_is_served = planner::nobody_is_served(&Situation::new(seen, self, policy, now));
        let covers = |t: &&Taken| t.trigger == Trigger::Final && t.since >= *since;
        let saved = seen.snapshots.taken.as_ref().filter(covers).and_then(|t| t.result.as_ref().ok());
        self.final_snapshot = saved.filter(|_| nobody_is_served).cloned();
    }

    pub(super) fn remember(&mut self, record: Record) {
        if self.kept.record.as_ref().is_none_or(|known| known.number < record.number) {
            self.kept.record = Some(record);
        }
    }

    /// A launch that is refused for its version lasts but seconds: its leaver remembers when it heard of one.
    fn absorb_refusals(&mut self, seen: &Observation, policy: &Policy, now: Timestamp) {
        let refusal = planner::refusal(&Situation::new(seen, self, policy, now));
        self.refused = refusal.map(|why| self.refused.filter(|(known, _)| *known == why).unwrap_or((why, now)));
        let newcomer = |answer: &PeerAnswer| answer.refused.is_some() && answer.data == DataClaim::None;
        let heard = seen.peers.values().filter(|reading| reading.fresh().is_some_and(newcomer)).filter_map(Reading::at).max();
        self.newcomer_refused = self.newcomer_refused.max(heard).filter(|_| self.leaving.is_some());
    }

    fn absorb_lasting(&mut self, seen: &Observation, policy: &Policy, now: Timestamp) {
        let departing = Situation::new(seen, self, policy, now).departure().is_some();
        self.leaving = departing.then(|| self.leaving.unwrap_or(now));
        if self.leaving.is_none() {
            self.deregistrations.clear();
            self.retiring = false;
        }
        let elapsed = self.absorbed.map_or(std::time::Duration::ZERO, |at| now.since(at));
        let s = Situation::new(seen, self, policy, now);
        let keep = |holds: bool, since: Option<Timestamp>| holds.then(|| since.unwrap_or(now));
        let answers = s.data().and_then(|d| d.member).is_some_and(|id| s.status(id).is_some());
        let quorum_lost = keep(planner::loses_quorum_for_good(&s), self.quorum_lost);
        let quorumless = keep(s.runs() && s.membership().is_none(), self.quorumless);
        let may_claim = keep(planner::may_claim(&s), self.may_claim);
        let votes = s.my_member().is_some_and(|m| !m.learner);
        let joining = match planner::is_up_to_this_node(&s) {
            true => self.joining + elapsed,
            false if votes => std::time::Duration::ZERO,
            false => self.joining,
        };
        let learner = planner::watched_learner(&s);
        let holds = s.data().and_then(|d| d.member).map(|id| self.holds.filter(|(known, _)| *known == id).unwrap_or((id, now)));
        let (seeks, admission) = (planner::seeks_admission(&s), planner::admission(&s));
        let removal_asked = self.removal_asked.filter(|_| self.leaving.is_some());
        let api_answered = seen.kubernetes.node.fresh().and(seen.kubernetes.node.at()).or(self.api_answered);
        let local_silent = keep(runs_silently(&s, now), self.local_silent);
        let hurry = keep(cadence::awaits_aws(&s), self.hurry);
        let open: Vec<_> = open_hooks(&s).collect();
        let settled: Vec<_> =
            if seen.cloud.own_state.fresh().is_some() { own_hooks(&s).filter(|h| !open.contains(h)).collect() } else { Vec::new() };
        if answers {
            self.local_answered = Some(now);
        }
        (self.quorum_lost, self.quorumless, self.may_claim) = (quorum_lost, quorumless, may_claim);
        (self.joining, self.learner, self.local_silent, self.hurry) = (joining, learner, local_silent, hurry);
        if let (Some(before), true) = (&self.admission, admission.is_none() || admission != self.admission)
            && now.since(before.since) >= policy.learner_patience
        {
            self.passed_over = Some(before.instance.clone());
        }
        self.holds = holds;
        (self.seeks, self.admission, self.removal_asked, self.api_answered) = (seeks, admission, removal_asked, api_answered);
        for hook in open {
            self.beats.entry(hook).or_insert(Beat { opened: now, accepted: None, tried: None });
        }
        // A hook may open again for the same instance (warm pools), as another action with its own time.
        for hook in settled {
            self.beats.remove(&hook);
            self.completed.remove(&(hook, seen.me.instance.clone()));
        }
        self.hook_not_before.retain(|_, at| now < *at);
        if let Some(listed) = seen.cloud.listed.fresh() {
            self.tried_for.retain(|id, _| listed.contains_key(id));
        }
        self.starts.retain(|at| now.since(*at) < policy.broken_window);
        self.not_before.retain(|_, at| now < *at);
    }
}

/// A worker's Node, asked for only to learn of its end: it holds no member data and has no say.
fn is_another_roles_node(seen: &Observation, id: &InstanceId) -> bool {
    let node = seen.kubernetes.nodes.last().and_then(|nodes| nodes.iter().find(|node| node.name == id.as_str()));
    node.is_some_and(|node| !node.control_plane) && seen.cloud.listed.last().is_none_or(|listed| !listed.contains_key(id))
}

fn runs_silently(s: &Situation<'_>, now: Timestamp) -> bool {
    let Some(Process::Running { since, .. }) = s.seen.local.process.fresh() else { return false };
    let answers = s.data().and_then(|d| d.member).is_some_and(|id| s.status(id).is_some());
    // A member that has not answered since its start may be replaying a large database.
    let has_answered = s.memory.local_answered.is_some_and(|at| at >= *since);
    !answers && (has_answered || now.since(*since) > s.policy.frozen_after * START_PATIENCE)
}

/// A start may take so many times longer than an answer.
const START_PATIENCE: u32 = 10;

fn own_hooks<'a>(s: &Situation<'a>) -> impl Iterator<Item = crate::observation::HookRef> + use<'a> {
    let group = s.seen.me.group.clone();
    s.seen.cloud.hooks.last().into_iter().flatten().filter(move |h| h.hook.group == group).map(|h| h.hook.clone())
}

fn open_hooks<'a>(s: &Situation<'a>) -> impl Iterator<Item = crate::observation::HookRef> + use<'a> {
    use crate::observation::Transition;
    let (launching, terminating) = (s.launch_is_open(), s.termination_is_open());
    let group = s.seen.me.group.clone();
    let hooks = s.seen.cloud.hooks.last().into_iter().flatten();
    hooks
        .filter(move |h| match h.transition {
            Transition::Launching => launching,
            Transition::Terminating => terminating,
        })
        .filter(move |h| h.hook.group == group)
        .map(|h| h.hook.clone())
}
