//! Faults as they set in, and what remains of them when they are over.

use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::memory::Order;
use quorate_core::report::Phase;
use quorate_core::transport::Transport;

use super::{Event, World};
use crate::region::{Caller, LifecycleState, RefreshPreferences, Service, View, ViewRule};
use crate::simulator::network::only;
use crate::simulator::node::Imds;
use crate::simulator::schedule::{Fault, Sight, Weather};

pub(super) const OPERATOR: Caller = Caller::Operator;

impl World {
    pub(super) fn strike(&mut self, index: usize) {
        let (_, fault, lasts) = self.schedule.faults[index].clone();
        if self.checks.calm {
            return;
        }
        self.begin_era();
        if self.apply(index, &fault, lasts) {
            self.tell_all(|| format!("fault {index}: {fault:?} for {lasts:?}"));
            self.queue.set(self.now + lasts, Event::Ease(index));
        }
    }

    /// Applies a fault; false if there is nothing to apply it to.
    fn apply(&mut self, index: usize, fault: &Fault, lasts: Duration) -> bool {
        match fault {
            Fault::StoreDown { everyone } => self.some(index, *everyone, |w, n| w.nodes[n].store_down = true),
            Fault::Throttle { everyone } => self.some(index, *everyone, Self::throttle),
            Fault::ApiAway { everyone } => self.some(index, *everyone, |w, n| w.nodes[n].k3s.api_away = true),
            Fault::StoreLag => self.store.set_lag(true),
            Fault::Foreign => self.store.set_foreign(true),
            Fault::LoseRecord => return self.lose_record(),
            Fault::LoseCharter => while self.lose_record() {},
            Fault::Orphan => self.orphan(),
            Fault::CapacityShort => self.short_of_capacity(true),
            Fault::ZoneLost => self.lose_zone(),
            Fault::Resize(by) => self.resize(*by),
            Fault::Empty => self.resize_all(|_| 0),
            Fault::TerminateAll { at_once } => self.terminate_all(*at_once),
            Fault::Refresh { launch_first } => self.refresh(*launch_first),
            Fault::ExpireLock => self.etcd.expire_locks(),
            Fault::Storm(weather) => self.weather = *weather,
            Fault::Kill { count } => (0..*count).for_each(|_| self.on_victim(index, Self::kill)),
            Fault::Split => self.split(index),
            Fault::Stranger => return self.add_by_hand(),
            Fault::SlowLearners => self.slow_learners = true,
            Fault::See { sight, everyone } => return self.see(index, *sight, *everyone),
            other => return self.strike_one(index, other, lasts),
        }
        true
    }

    fn strike_one(&mut self, index: usize, fault: &Fault, lasts: Duration) -> bool {
        let Some(n) = self.victim() else { return false };
        self.struck.insert(index, n);
        self.tell(n, || format!("is struck by fault {index}: {fault:?}"));
        match fault {
            Fault::Terminate { decrement } => self.terminate(n, *decrement),
            Fault::Ec2Terminate => self.ec2_terminate(n),
            Fault::Detach { decrement } => self.detach(n, *decrement),
            Fault::Isolate => {
                self.network.cut(index, only(n), !0);
                self.network.cut(index, !0, only(n));
            }
            Fault::OneWay => self.network.cut(index, only(n), !0),
            Fault::Deaf => self.network.cut(index, !0, only(n)),
            Fault::Freeze => self.freeze(n, lasts),
            Fault::Reboot => self.reboot(n),
            Fault::EtcdCrash => self.end_process(n, false),
            Fault::AgentCrash => self.crash_agent(n),
            Fault::AgentGone => self.end_agent(n),
            Fault::StateFull => self.nodes[n].state_full = true,
            Fault::MachineCrash => self.crash_machine(n),
            Fault::Imds(how) => self.ail(n, *how),
            Fault::Wipe => self.wipe(n),
            Fault::Leave => self.order_leave(n),
            Fault::Unmount => self.nodes[n].disk_unproven = true,
            Fault::Meddle => return self.meddle(n),
            Fault::Spot { .. } | Fault::ScheduledStop { .. } | Fault::Rebalance | Fault::Standby { .. } | Fault::Pause { .. } => {
                return self.announce(index, n, fault, lasts);
            }
            _ => return false,
        }
        true
    }

    /// The fault is over: the node, if there was only one, works again.
    pub(super) fn ease(&mut self, index: usize) {
        let (_, fault, _) = self.schedule.faults[index].clone();
        self.network.mend(index);
        self.begin_era();
        if let Some(id) = self.views.remove(&index) {
            self.region.remove_view(id);
            self.misled();
        }
        let struck = self.struck.get(&index).copied();
        match fault {
            Fault::StoreDown { .. } => self.some_again(struck, |w, n| w.nodes[n].store_down = false),
            Fault::Throttle { .. } => self.some_again(struck, Self::unthrottle),
            Fault::ApiAway { .. } => self.some_again(struck, |w, n| w.nodes[n].k3s.api_away = false),
            Fault::Imds(_) => self.some_again(struck, |w, n| w.ail(n, Imds::Well)),
            Fault::StateFull => self.some_again(struck, |w, n| w.nodes[n].state_full = false),
            Fault::Stranger => self.remove_by_hand = true,
            Fault::SlowLearners => self.slow_learners = false,
            Fault::Unmount => self.some_again(struck, |w, n| w.nodes[n].disk_unproven = false),
            Fault::StoreLag => self.store.set_lag(false),
            Fault::Foreign => self.store.set_foreign(false),
            Fault::Empty => {
                let sizes = self.schedule.sizes.clone();
                self.resize_all(|index| sizes.get(index).copied().unwrap_or(1));
            }
            Fault::CapacityShort | Fault::ZoneLost => self.short_of_capacity(false),
            Fault::Storm(_) if !self.checks.calm => self.weather = self.schedule.weather,
            other => self.carry_out(index, &other),
        }
    }

    /// From here on no new faults occur, and what can be mended is.
    pub(super) fn calm_down(&mut self) {
        self.tell_all(|| "the faults are over".into());
        for index in 0..self.schedule.faults.len() {
            self.ease(index);
        }
        self.checks.calm = true;
        self.weather = Weather::fair();
        for n in 0..self.nodes.len() {
            if self.nodes[n].is_frozen() {
                self.nodes[n].frozen_until = Some(self.now);
                self.queue.set(self.now, Event::Thaw { node: n });
            }
        }
    }

    /// A powered machine, or none.
    fn victim(&mut self) -> Option<usize> {
        let alive: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].powered).collect();
        self.rng.pick(&alive).copied()
    }

    fn on_victim(&mut self, index: usize, what: fn(&mut Self, usize)) {
        if let Some(n) = self.victim() {
            self.tell(n, || format!("is struck by fault {index}"));
            what(self, n);
        }
    }

    fn some(&mut self, index: usize, everyone: bool, what: fn(&mut Self, usize)) {
        if everyone {
            (0..self.nodes.len()).for_each(|n| what(self, n));
        } else if let Some(n) = self.victim() {
            self.tell(n, || format!("is struck by fault {index}"));
            self.struck.insert(index, n);
            what(self, n);
        }
    }

    fn some_again(&mut self, struck: Option<usize>, what: fn(&mut Self, usize)) {
        match struck {
            Some(n) => what(self, n),
            None => (0..self.nodes.len()).for_each(|n| what(self, n)),
        }
    }

    fn throttle(&mut self, n: usize) {
        self.nodes[n].aws_down = true;
        self.nodes[n].able_since = self.now;
    }

    fn unthrottle(&mut self, n: usize) {
        self.nodes[n].aws_down = false;
        self.nodes[n].able_since = self.now;
    }

    fn ail(&mut self, n: usize, how: Imds) {
        self.nodes[n].imds = how;
        self.nodes[n].able_since = self.now;
    }

    fn kill(&mut self, n: usize) {
        let id = self.nodes[n].me.instance.clone();
        self.region.hard_kill(&id, self.now);
    }

    pub(super) fn terminate(&mut self, n: usize, decrement: bool) {
        let id = self.nodes[n].me.instance.clone();
        let result = self.region.api(&OPERATOR, self.now).terminate_in_group(&id, decrement);
        if let Err(error) = result {
            self.tell(n, || error.to_string());
        }
    }

    /// An operator ends the retained instances that say that they have left.
    pub(super) fn let_go_of_the_retained(&mut self) {
        for n in 0..self.nodes.len() {
            let node = &self.nodes[n];
            let retained = self.region.instance(&node.me.instance).is_some_and(|i| i.lifecycle == LifecycleState::TerminatingRetained);
            let has_left = node.agent.as_ref().and_then(|a| a.verdict.as_ref()).is_some_and(|r| r.phase == Phase::Left && r.needs_operator);
            if retained && (has_left || node.agent_gone) {
                self.stats.retained += 1;
                self.terminate(n, false);
            }
        }
    }

    fn detach(&mut self, n: usize, decrement: bool) {
        let id = self.nodes[n].me.instance.clone();
        let result = self.region.api(&OPERATOR, self.now).detach(&id, decrement);
        if let Err(error) = result {
            self.tell(n, || error.to_string());
        }
    }

    fn orphan(&mut self) {
        for n in 0..self.nodes.len() {
            if self.nodes[n].powered {
                self.detach(n, false);
            }
        }
        while self.lose_record() {}
    }

    pub(super) fn ec2_terminate(&mut self, n: usize) {
        let id = self.nodes[n].me.instance.clone();
        let result = self.region.api(&OPERATOR, self.now).terminate_instances(&[id]);
        if let Err(error) = result {
            self.tell(n, || error.to_string());
        }
    }

    fn terminate_all(&mut self, at_once: bool) {
        self.stats.terminated_as_a_whole += 1;
        for group in self.groups() {
            let members = self.region.members(&group).filter(|one| one.alive() && !one.lifecycle.leaving());
            let ids: Vec<InstanceId> = members.map(|one| one.id.clone()).collect();
            if ids.is_empty() {
                continue;
            }
            let mut api = self.region.api(&OPERATOR, self.now);
            let result = if at_once { api.terminate_at_once(&ids) } else { api.terminate_several(&group, &ids, false) };
            if let Err(error) = result {
                self.tell_all(|| error.to_string());
            }
        }
    }

    fn crash_agent(&mut self, n: usize) {
        if self.nodes[n].agent.is_some() {
            self.stats.agent_crashes += 1;
            self.kill_agent(n);
            self.start_in(n, 500, 6000);
        }
    }

    /// Its etcd runs on without it.
    fn end_agent(&mut self, n: usize) {
        self.stats.agents_gone += 1;
        self.nodes[n].agent_gone = true;
        self.kill_agent(n);
    }

    /// Where that is the weather, a learner that has just started receives a snapshot first, for up to twice the time for which a learner may stand still.
    pub(crate) fn receive_slowly(&mut self, n: usize) {
        if self.slow_learners && self.etcd.servers[n].run.is_some() {
            self.stats.slow_learners += 1;
            let longest = u64::try_from(self.policy.learner_patience.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
            let until = self.now + Duration::from_millis(self.rng.between(1_000, longest));
            self.etcd.servers[n].receives = Some((self.now, until));
        }
    }

    /// Somebody adds a voter, and forgets to start it.
    fn add_by_hand(&mut self) -> bool {
        let Some(leader) = self.true_leader() else { return false };
        let url = self.schedule.role.peer_url([192, 0, 2, 1].into(), Transport::Plain);
        let listed = self.etcd.servers[leader].data.as_ref().is_some_and(|data| data.members.iter().any(|m| m.peer_url == url));
        let added = if listed { None } else { self.etcd.add_by_hand(leader, url, self.now, &self.network).ok() };
        self.stats.strangers += u64::from(added.is_some());
        self.by_hand.extend(added);
        added.is_some()
    }

    /// Notes the strangers that are gone, and removes the rest when it is time.
    pub(super) fn tidy_by_hand(&mut self) {
        if self.by_hand.is_empty() {
            return;
        }
        let Some(leader) = self.true_leader() else { return };
        for member in self.by_hand.clone() {
            let listed = self.etcd.servers[leader].data.as_ref().is_some_and(|data| data.entry(member).is_some());
            if !listed {
                self.by_hand.retain(|id| *id != member);
            } else if self.remove_by_hand {
                let _ = self.etcd.remove(leader, member, self.now, &self.network);
            }
        }
    }

    /// Its root volume is replaced: the same instance comes back with an empty disk.
    fn wipe(&mut self, n: usize) {
        self.crash_machine(n);
        self.lose_disk(n);
        self.nodes[n].ordered_out = false;
        self.nodes[n].wiped = true;
    }

    /// An operator types `quorate leave`, on a node in service.
    fn order_leave(&mut self, n: usize) {
        if self.region.instance(&self.nodes[n].me.instance).is_none_or(|i| i.lifecycle != LifecycleState::InService) {
            return;
        }
        let node = &mut self.nodes[n];
        if let Some(agent) = &mut node.agent {
            let mut kept = agent.engine.kept().clone();
            kept.take_order(Some(Order::Leave));
            node.disk.kept = Some(kept.clone());
            agent.engine.adopt(kept);
            node.ordered_out = true;
        }
    }

    fn lose_record(&mut self) -> bool {
        let lost = self.store.lose_highest();
        self.checks.records_lost.extend(lost);
        lost.is_some()
    }

    fn groups(&self) -> Vec<GroupName> {
        self.region.groups().iter().map(|g| g.name.clone()).collect()
    }

    fn short_of_capacity(&mut self, short: bool) {
        for group in self.groups() {
            self.region.set_capacity_short(&group, short, self.now);
        }
    }

    fn lose_zone(&mut self) {
        let groups = self.groups();
        let Some(group) = self.rng.pick(&groups).cloned() else { return };
        self.stats.zones_lost += 1;
        self.region.set_capacity_short(&group, true, self.now);
        let there: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].powered && self.nodes[*n].me.group == group).collect();
        there.into_iter().for_each(|n| self.kill(n));
    }

    fn resize(&mut self, by: i32) {
        let groups = self.groups();
        let Some(group) = self.rng.pick(&groups).cloned() else { return };
        let Some(desired) = self.region.group(&group).map(|g| g.sizes.desired) else { return };
        let wanted = desired.saturating_add_signed(by).clamp(1, 5);
        if let Err(error) = self.region.api(&OPERATOR, self.now).set_desired_capacity(&group, wanted) {
            self.tell_all(|| error.to_string());
        }
    }

    fn resize_all(&mut self, size: impl Fn(usize) -> u32) {
        for (index, group) in self.groups().iter().enumerate() {
            if let Err(error) = self.region.api(&OPERATOR, self.now).set_desired_capacity(group, size(index)) {
                self.tell_all(|| error.to_string());
            }
        }
    }

    fn refresh(&mut self, launch_first: bool) {
        let preferences =
            if launch_first { RefreshPreferences::launch_before_terminate() } else { RefreshPreferences::terminate_before_launch() };
        for group in self.groups() {
            if let Err(error) = self.region.api(&OPERATOR, self.now).start_instance_refresh(&group, Some(preferences)) {
                self.tell_all(|| error.to_string());
            }
        }
    }

    fn split(&mut self, index: usize) {
        let side = self.rng.next();
        self.network.cut(index, side, !side);
        self.network.cut(index, !side, side);
    }

    /// AWS gives false answers, or gave them until now: no node is to blame for what is not done meanwhile.
    fn misled(&mut self) {
        for node in &mut self.nodes {
            node.able_since = self.now;
        }
    }

    /// Describes show something other than the truth.
    fn see(&mut self, index: usize, sight: Sight, everyone: bool) -> bool {
        let victim = if everyone { None } else { self.victim() };
        let caller = victim.map(|n| self.nodes[n].me.instance.clone());
        let service = if self.rng.chance(500) { Service::Ec2 } else { Service::AutoScaling };
        self.misled();
        let some: Vec<InstanceId> = {
            let members = self.region.instances().iter().filter(|i| i.member && i.lifecycle != LifecycleState::Terminated);
            let ids: Vec<InstanceId> = members.map(|i| i.id.clone()).collect();
            ids.into_iter().filter(|_| self.rng.chance(500)).collect()
        };
        let view = match sight {
            Sight::Late(lag) => View::Lag(lag),
            Sight::Short => View::Short(some),
            Sight::Missing => View::Missing(some),
            Sight::Empty => View::Empty,
        };
        self.tell_all(|| format!("{service:?} shows {view:?} to {caller:?}"));
        let id = self.region.add_view(ViewRule { service, caller, view });
        self.views.insert(index, id);
        true
    }
}
