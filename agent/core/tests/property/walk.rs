//! A walk through a consistent world: everything that happens there could really happen, and the node's steps have their effects. It is told as
//! a story, so a walk that ends badly can be read, and kept.

use std::collections::BTreeMap;
use std::net::IpAddr;

use quorate_core::ids::{InstanceId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::observation::{Lock, Member};
use quorate_core::plan::{Start, Step};

use super::dice::Dice;
use super::oracles;
use super::world::World as Moment;
use crate::story::Teller;
use crate::story::world::World;

const NAMES: &[&str] = &["i-a", "i-b", "i-c", "i-d", "i-e"];
/// More steps than this without an event in between are an endless loop.
const MOST_STEPS: usize = 40;
const EVENTS: usize = 24;

/// What IMDS may say next. Events may be taken back.
const NOTICES: &[&str] = &[
    "spot terminate in 120s",
    "spot hibernate in 0s",
    "scheduled instance-stop in 10min",
    "scheduled instance-stop in 10min canceled",
    "scheduled instance-reboot in 10min",
    "rebalance now",
    "imds silent",
    "imds answers",
    "own-state ReplacingRootVolume:Wait",
];

/// Another instance.
#[derive(Clone, Debug, Default)]
struct Other {
    dead: bool,
    mute: bool,
    etcd_down: bool,
    leaving: bool,
    /// The member whose data it holds, and of which generation.
    data: Option<(String, u64)>,
}

struct Walk<'a, 'b> {
    dice: &'a mut Dice<'b>,
    teller: Teller,
    me: &'static str,
    others: BTreeMap<&'static str, Other>,
    /// The generation whose etcd cluster this node sees.
    generation: u64,
    cut_off: bool,
    lives: u64,
}

/// Tells a random story. It is an error if the gate refuses what the planner plans, an oracle objects, or the steps have no end.
pub(crate) fn take(dice: &mut Dice<'_>) -> Result<(), String> {
    let mut walk = Walk::new(dice);
    let end = walk.go();
    end.map_err(|why| format!("{}\n{why}", walk.teller.told))
}

/// Only the story, however it ends.
pub(crate) fn tell(dice: &mut Dice<'_>) -> String {
    let mut walk = Walk::new(dice);
    let _ = walk.go();
    std::mem::take(&mut walk.teller.told)
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(dice: &'a mut Dice<'b>) -> Self {
        let me = *dice.pick(NAMES);
        Walk { dice, teller: Teller::new("walk"), me, others: BTreeMap::new(), generation: 1, cut_off: false, lives: 0 }
    }

    fn go(&mut self) -> Result<(), String> {
        self.begin();
        for _ in 0..EVENTS {
            self.settle()?;
            if self.dice.is_empty() {
                return Ok(());
            }
            self.event();
        }
        self.settle()
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.teller.line(line.as_ref());
    }

    fn world(&self) -> &World {
        self.teller.world.as_ref().unwrap()
    }

    fn begin(&mut self) {
        self.line(format!("me {}", self.me));
        self.line("policy target-groups arn:a");
        if !self.dice.one_in(4) {
            self.line("policy network-trusted");
        }
        match self.dice.below(6) {
            0 => self.line("policy any"),
            1 => self.line("policy no-restore"),
            _ => {}
        }
        // The fetched snapshot must still be the newest at the next look.
        self.line("snapshots aged 5min");
        let hooks = *self.dice.pick(&["hooks launching 300s, terminating 300s", "hooks none"]);
        self.line(hooks);
        let size = 1 + self.dice.below(4);
        let rest = NAMES.iter().filter(|name| **name != self.me).take(size);
        self.others = rest.map(|name| (*name, Other::default())).collect();
        match self.dice.below(5) {
            0 => self.cold_start(),
            1 => self.join_them(),
            _ => self.vote(),
        }
        self.tell_everyone();
    }

    fn cold_start(&mut self) {
        self.line("store absent");
        self.launch();
    }

    /// A cluster of the others is there; this node is new.
    fn join_them(&mut self) {
        self.launch();
        let voters: Vec<&'static str> = self.others.keys().copied().collect();
        self.establish(&voters);
    }

    /// A cluster is there, and this node votes in it.
    fn vote(&mut self) {
        self.line("own-state InService");
        self.line("target InService");
        let mut voters: Vec<&'static str> = self.others.keys().copied().collect();
        voters.push(self.me);
        self.establish(&voters);
        let member = first_member(self.me);
        self.line(format!("disk generation 1 member {member} cluster e1"));
        self.line("process running");
        if self.dice.flip() {
            self.line(format!("etcd leader {member}"));
        }
    }

    fn launch(&mut self) {
        let open = self.dice.flip();
        self.line(if open { "own-state Pending:Wait" } else { "own-state InService" });
        self.line("target InService");
    }

    fn establish(&mut self, voters: &[&'static str]) {
        let list: Vec<String> = voters.iter().map(|name| format!("{name}:{}", first_member(name))).collect();
        let list = list.join(", ");
        self.line(format!("store founding by {}", voters[0]));
        self.line(format!("store established voters {list}"));
        self.line(format!("etcd members {list}"));
        for (name, other) in &mut self.others {
            other.data = Some((first_member(name), 1));
        }
    }

    /// Sets what the others answer, what the group lists, and whether there is quorum, all from the true state.
    fn tell_everyone(&mut self) {
        let mut lines = Vec::new();
        for (name, other) in &self.others {
            lines.push(peer_line(name, other, self.cut_off, self.world().etcd.members()));
        }
        lines.push(self.listed());
        for member in self.world().etcd.members() {
            lines.push(format!("status {} {}", member.id, if self.is_up(member) { "fine" } else { "silent" }));
        }
        lines.push(if self.has_quorum() { "etcd quorum".to_owned() } else { "etcd no-quorum".to_owned() });
        lines.extend(self.leader());
        for line in lines {
            self.line(line);
        }
    }

    fn listed(&self) -> String {
        let mut all: Vec<String> = self
            .others
            .iter()
            .filter(|(_, o)| !o.dead)
            .map(|(name, other)| format!("{name} {}", if other.leaving { "Terminating:Wait" } else { "InService" }))
            .collect();
        all.push(self.me.to_owned());
        format!("listed {}", all.join(", "))
    }

    /// Its etcd runs, and can be reached from here.
    fn is_up(&self, member: &Member) -> bool {
        let Some(name) = &member.name else { return false };
        if name.as_str() == self.me {
            return self.world().machine.answering_member() == Some(member.id);
        }
        self.others.get(name.as_str()).is_some_and(|o| !o.dead && !o.etcd_down && o.data.is_some() && !self.cut_off)
    }

    fn has_quorum(&self) -> bool {
        let voters: Vec<&Member> = self.world().etcd.members().iter().filter(|m| !m.learner).collect();
        2 * voters.iter().filter(|m| self.is_up(m)).count() > voters.len()
    }

    fn leader(&self) -> Option<String> {
        let up: Vec<MemberId> = self.world().etcd.members().iter().filter(|m| !m.learner && self.is_up(m)).map(|m| m.id).collect();
        let stands = self.world().etcd.leader().is_some_and(|id| up.contains(&id));
        up.first().filter(|_| !stands).map(|id| format!("etcd leader {id}"))
    }

    /// Decides and acts until there is nothing to do.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..MOST_STEPS {
            self.line("decide");
            self.judge()?;
            let Some(step) = self.world().pending.clone() else { return Ok(()) };
            let outcome = *self.dice.pick(&["done", "done", "done", "done", "done", "lost-answer", "refused by the other side"]);
            self.line(outcome);
            if outcome.starts_with("refused") {
                self.line("time +10s");
            } else {
                self.follow(&step);
            }
            self.tell_everyone();
        }
        Err("this never ends".to_owned())
    }

    fn judge(&mut self) -> Result<(), String> {
        if let Some(refusal) = self.world().refusal.clone() {
            return Err(refusal.to_string());
        }
        let Some(step) = self.world().pending.clone() else { return Ok(()) };
        let world = self.world();
        let (gate, past) = (world.engine.gate().clone(), world.past.clone());
        let moment =
            Moment { seen: world.observe(), memory: world.memory().clone(), gate, past, policy: world.policy().clone(), now: world.now };
        oracles::judge(&step, &moment).map_err(|why| format!("the oracles object: {why}"))
    }

    /// What etcd and AWS do on their own after a step.
    fn follow(&mut self, step: &Step) {
        match step {
            Step::StartMember(Start::Found { .. }, _) | Step::RestoreOwnData { .. } | Step::RestoreSnapshot { .. } => self.found(),
            Step::FetchSnapshot { .. } => self.line("snapshots fetched"),
            Step::TakeSnapshot(_) => self.line("snapshots taken"),
            Step::CompleteHook { instance, .. } if instance.as_str() == self.me => {
                let leaving = self.world().memory().leaving.is_some();
                self.line(if leaving { "own-state Terminating:Proceed" } else { "own-state InService" });
            }
            _ => {}
        }
    }

    /// This node's etcd is the only member of a new cluster.
    fn found(&mut self) {
        self.lives += 1;
        let Some(record) = self.world().store.newest().cloned() else { return };
        self.generation = record.generation.0;
        let (generation, id) = (self.generation, format!("f{:x}", self.lives));
        self.line(format!("disk generation {generation} member {id} cluster e{generation}"));
        self.line(format!("etcd cluster e{generation}"));
        self.line(format!("etcd members {}:{id}", self.me));
        self.line(format!("etcd leader {id}"));
    }

    /// Something happens.
    fn event(&mut self) {
        match self.dice.below(24) {
            0 | 1 => self.with_other(|o| o.mute = !o.mute),
            2 | 3 => self.with_other(|o| o.etcd_down = !o.etcd_down),
            4 | 5 => self.kill(),
            6 => self.with_other(|o| o.leaving = true),
            7 => self.cut_off = !self.cut_off,
            8 => self.line("store unreadable"),
            9 | 10 => self.line("store readable"),
            11 => self.lock(),
            12 => self.admit(),
            13 => self.notice(),
            14 => self.own_trouble(),
            15 => self.order(),
            16 => self.others_prune(),
            17 => self.hand_over(),
            18 => self.arrive(),
            19 => self.others_start_afresh(),
            20 => self.forget_a_record(),
            _ => {
                let pause = *self.dice.pick(&["2s", "20s", "70s", "6min", "11min"]);
                self.line(format!("time +{pause}"));
            }
        }
        self.tell_everyone();
    }

    fn other(&mut self) -> Option<&'static str> {
        let alive: Vec<&'static str> = self.others.iter().filter(|(_, o)| !o.dead).map(|(name, _)| *name).collect();
        (!alive.is_empty()).then(|| *self.dice.pick(&alive))
    }

    fn with_other(&mut self, change: impl FnOnce(&mut Other)) {
        let Some(name) = self.other() else { return };
        change(self.others.get_mut(name).unwrap());
    }

    fn kill(&mut self) {
        let Some(name) = self.other() else { return };
        let other = self.others.get_mut(name).unwrap();
        (other.dead, other.data) = (true, None);
        self.line(format!("ec2 {name} terminated"));
    }

    /// Another agent takes the lock, or releases it.
    fn lock(&mut self) {
        let lock = self.world().observe().etcd.lock.fresh().cloned();
        match (lock, self.other()) {
            (Some(Lock::Free), Some(name)) => self.line(format!("lock other {name}")),
            (Some(Lock::Other { .. }), _) => self.line("lock free"),
            _ => {}
        }
    }

    /// Another instance becomes a learner, or its learner is promoted by another leader, which writes the charter first.
    fn admit(&mut self) {
        // No member is added through a founder's loopback.
        if !self.has_quorum() || self.world().machine.is_on_loopback() {
            return;
        }
        let members = self.world().etcd.members().to_vec();
        let is_others = |m: &&Member| m.learner && m.name.as_ref().is_some_and(|n| n.as_str() != self.me);
        if let Some(learner) = members.iter().find(is_others).filter(|_| self.is_led_by_another()) {
            let promoted: Vec<Member> = members.iter().map(|m| Member { learner: m.learner && m.id != learner.id, ..m.clone() }).collect();
            return self.reform(&promoted);
        }
        let outside: Vec<&'static str> =
            self.others.iter().filter(|(_, o)| !o.dead && !o.leaving && o.data.is_none()).map(|(name, _)| *name).collect();
        if outside.is_empty() || members.iter().any(|m| m.learner) {
            return;
        }
        let name = *self.dice.pick(&outside);
        self.lives += 1;
        let id = format!("{}{:x}", &name[2..], self.lives + 16);
        let list: Vec<String> = members.iter().map(write_member).chain([format!("{name}:{id} learner")]).collect();
        self.others.get_mut(name).unwrap().data = Some((id, self.generation));
        self.line(format!("etcd members {}", list.join(", ")));
    }

    /// Another leader's agent removes a dead voter, and trims the charter.
    fn others_prune(&mut self) {
        if !self.has_quorum() || !self.is_led_by_another() {
            return;
        }
        let dead = |m: &Member| m.name.as_ref().and_then(|n| self.others.get(n.as_str())).is_some_and(|o| o.dead);
        let members = self.world().etcd.members();
        let rest: Vec<Member> = members.iter().filter(|m| !dead(m)).cloned().collect();
        if rest.len() + 1 == members.len() {
            self.reform(&rest);
        }
    }

    fn reform(&mut self, members: &[Member]) {
        let list: Vec<String> = members.iter().map(write_member).collect();
        let voters: Vec<String> = members.iter().filter(|m| !m.learner).map(write_member).collect();
        self.line(format!("store established voters {}", voters.join(", ")));
        self.line(format!("etcd members {}", list.join(", ")));
    }

    fn is_led_by_another(&self) -> bool {
        let world = self.world();
        let leader = world.etcd.leader().and_then(|id| world.etcd.members().iter().find(|m| m.id == id).cloned());
        leader.is_some_and(|m| m.name.is_some_and(|name| name.as_str() != self.me) && !self.cut_off)
    }

    /// A new instance.
    fn arrive(&mut self) {
        let new = NAMES.iter().find(|name| **name != self.me && !self.others.contains_key(**name));
        if let Some(name) = new {
            self.others.insert(name, Other::default());
        }
    }

    /// An operator has another node start fresh while there is no quorum.
    fn others_start_afresh(&mut self) {
        let Some(name) = self.other().filter(|_| !self.has_quorum() && !self.cut_off) else { return };
        if self.world().store.newest().is_none_or(|r| r.ever_established.is_none()) {
            return;
        }
        self.generation = self.world().store.newest().map_or(1, |r| r.generation.0 + 1);
        self.lives += 1;
        let (generation, id) = (self.generation, format!("{}{:x}", &name[2..], self.lives + 16));
        self.line(format!("store founding generation {generation} origin fresh by {name}"));
        self.line(format!("store established generation {generation} cluster e{generation} voters {name}:{id}"));
        self.line(format!("etcd cluster e{generation}"));
        self.line(format!("etcd members {name}:{id}"));
        let other = self.others.get_mut(name).unwrap();
        *other = Other { data: Some((id, generation)), leaving: other.leaving, ..Other::default() };
    }

    /// The store loses the record that was written last.
    fn forget_a_record(&mut self) {
        if let Some(number) = self.world().store.newest().map(|r| r.number).filter(|number| *number > 1) {
            self.line(format!("store forgets {number}"));
        }
    }

    fn hand_over(&mut self) {
        let up: Vec<MemberId> = self.world().etcd.members().iter().filter(|m| !m.learner && self.is_up(m)).map(|m| m.id).collect();
        if !up.is_empty() {
            let id = *self.dice.pick(&up);
            self.line(format!("etcd leader {id}"));
        }
    }

    fn notice(&mut self) {
        if self.dice.flip() {
            let notice = *self.dice.pick(NOTICES);
            self.line(notice);
            return;
        }
        if self.dice.flip() {
            self.line("desired 1");
        }
        self.line("target Terminated");
        self.line("own-state Terminating:Wait");
    }

    fn own_trouble(&mut self) {
        let trouble = *self.dice.pick(&["process stopped", "restart", "reboot", "process frozen", "suspended 90s", "lose the disk"]);
        let has_data = self.world().machine.answering_member().is_some();
        match trouble {
            "lose the disk" => {
                self.line("process stopped");
                self.line("disk empty");
            }
            "process frozen" if !has_data => {}
            _ => self.line(trouble),
        }
    }

    fn order(&mut self) {
        if self.dice.flip() {
            let order = *self.dice.pick(&["pause node", "pause cluster", "resume node", "resume cluster"]);
            return self.line(order);
        }
        let ways = ["recover-fresh", "recover-snapshot newest", "recover-survivor", "recover-survivor although-voters-differ"];
        let order = if self.dice.flip() { *self.dice.pick(&ways) } else { *self.dice.pick(&["none", "leave"]) };
        self.line(format!("order {order}"));
    }
}

fn first_member(name: &str) -> String {
    format!("{}0", &name[2..])
}

fn write_member(member: &Member) -> String {
    let name = member.name.clone().unwrap_or_else(|| InstanceId::new("unnamed"));
    let learner = if member.learner { " learner" } else { "" };
    let at = if member.name.is_none() { format!("@{}", address_owner(member)) } else { String::new() };
    format!("{name}:{}{at}{learner}", member.id)
}

/// The instance whose address an entry has: 10.0.0.1 is i-a's.
fn address_owner(member: &Member) -> String {
    let last = match member.peer_url.url().map(MemberUrl::address) {
        Some(IpAddr::V4(address)) => address.octets()[3],
        _ => 1,
    };
    format!("i-{}", char::from(b'a' + last - 1))
}

fn peer_line(name: &str, other: &Other, cut_off: bool, members: &[Member]) -> String {
    if other.dead || other.mute || cut_off {
        return format!("peer {name} silent");
    }
    let leaving = if other.leaving { " leaving" } else { "" };
    let Some((member, generation)) = &other.data else { return format!("peer {name} waiting{leaving}") };
    let entry = members.iter().find(|m| m.id.to_string() == *member);
    let copy = if entry.is_some_and(|m| m.learner) { " copy" } else { "" };
    let mute = if other.etcd_down { " mute" } else { "" };
    format!("peer {name} voter holds {member} generation {generation} cluster e{generation}{copy}{mute}{leaving}")
}
