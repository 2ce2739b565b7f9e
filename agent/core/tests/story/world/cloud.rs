//! What AWS says in a story. Unless the story says otherwise each listed instance runs, at its usual address.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::observation::{
    Cloud, Ec2Answer, Ec2State, Group, Hook, HookRef, LifecycleState, ListedInstance, Me, ScalingProcess, Transition,
};
use quorate_core::plan::Outcome;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use crate::story::words::{Words, address_of, letter, named};

#[derive(Clone, Debug, Default)]
pub(crate) struct CloudWorld {
    target: Option<Option<LifecycleState>>,
    own_state: Option<LifecycleState>,
    /// With the group's name if it is another than this instance's.
    listed: Option<BTreeMap<InstanceId, (Option<GroupName>, LifecycleState)>>,
    /// Unless the story says otherwise, this instance and the listed ones.
    tagged: Option<Option<BTreeSet<InstanceId>>>,
    desired: Option<u32>,
    /// Of each group.
    suspended: BTreeSet<ScalingProcess>,
    ec2: BTreeMap<InstanceId, Option<Ec2Answer>>,
    hooks: Option<Vec<Hook>>,
    heartbeats_refused: bool,
}

impl CloudWorld {
    pub(crate) fn set(&mut self, verb: &str, words: &Words<'_>) {
        match verb {
            "target" => self.target = known(words, |word| (word != "none").then(|| LifecycleState::parse(word))),
            "own-state" => self.own_state = known(words, LifecycleState::parse),
            "listed" => self.listed = (words.rest() != "unknown").then(|| listed(words)),
            "tagged" => self.tagged = Some(tagged(words)),
            "desired" => self.desired = u32::try_from(words.number(words.nth(0))).ok(),
            "suspends" => self.suspended = Words::items(words.rest()).filter_map(ScalingProcess::parse).collect(),
            "ec2" => {
                self.ec2.insert(named(words.nth(0)), answer(words));
            }
            _ => self.set_hooks(words),
        }
    }

    fn set_hooks(&mut self, words: &Words<'_>) {
        match words.rest() {
            "unknown" => self.hooks = None,
            "none" => self.hooks = Some(Vec::new()),
            "refuse-heartbeats" => self.heartbeats_refused = true,
            list => self.hooks = Some(Words::items(list).map(|item| hook(words, item)).collect()),
        }
    }

    pub(crate) fn heartbeat(&self) -> Outcome {
        if self.heartbeats_refused { Outcome::Refused("rate exceeded".to_owned()) } else { Outcome::Done }
    }

    pub(crate) fn target(&self, now: Timestamp) -> Reading<Option<LifecycleState>> {
        fresh(self.target, now, "IMDS does not answer")
    }

    pub(crate) fn observe(&self, me: &Me, now: Timestamp) -> Cloud {
        let listed = self.entries(me);
        Cloud {
            groups: fresh(self.groups(me, listed.as_ref()), now, "the groups have not been read"),
            listed: fresh(listed, now, "the groups have not been read"),
            tagged: fresh(self.tagged(me), now, "EC2 does not answer"),
            asked: self.asked(me, now),
            places: self.places(now),
            hooks: fresh(self.hooks_of_all(me), now, "the hooks have not been read"),
            own_state: fresh(self.own_state, now, "its own state has not been read"),
        }
    }

    fn entries(&self, me: &Me) -> Option<BTreeMap<InstanceId, ListedInstance>> {
        let group = |group: &Option<GroupName>| group.clone().unwrap_or_else(|| me.group.clone());
        let listed = self.listed.as_ref()?.iter();
        Some(listed.map(|(id, (of, state))| (id.clone(), ListedInstance { group: group(of), state: *state })).collect())
    }

    /// This instance's own group, with the desired capacity that the story sets, and the others that have an instance on the list.
    fn groups(&self, me: &Me, listed: Option<&BTreeMap<InstanceId, ListedInstance>>) -> Option<Vec<Group>> {
        let size = |group: &GroupName| listed.map(|l| u32::try_from(l.values().filter(|i| i.group == *group).count()).unwrap());
        let group =
            |name: &GroupName, desired| Group { name: name.clone(), desired, retains_on_abandon: false, suspended: self.suspended.clone() };
        let own = group(&me.group, self.desired.or_else(|| size(&me.group))?);
        let others: BTreeSet<_> = listed.into_iter().flatten().map(|(_, i)| &i.group).filter(|name| **name != me.group).collect();
        Some([own].into_iter().chain(others.into_iter().map(|name| group(name, size(name).unwrap_or(0)))).collect())
    }

    /// All groups have the same hooks.
    fn hooks_of_all(&self, me: &Me) -> Option<Vec<Hook>> {
        let groups = self.groups(me, self.entries(me).as_ref()).unwrap_or_default();
        let hooks = self.hooks.as_ref()?;
        let others = groups.iter().filter(|group| group.name != me.group);
        let theirs = others.flat_map(|group| {
            hooks.iter().map(|h| Hook { hook: HookRef { group: group.name.clone(), name: h.hook.name.clone() }, ..h.clone() })
        });
        Some(hooks.iter().cloned().chain(theirs).collect())
    }

    fn tagged(&self, me: &Me) -> Option<BTreeSet<InstanceId>> {
        let listed = self.listed.iter().flat_map(|l| l.keys().cloned());
        self.tagged.clone().unwrap_or_else(|| Some(listed.chain([me.instance.clone()]).collect()))
    }

    /// Their own entries say what the list says.
    fn places(&self, now: Timestamp) -> BTreeMap<InstanceId, Reading<Option<LifecycleState>>> {
        self.listed.iter().flatten().map(|(id, (_, state))| (id.clone(), Reading::Fresh(Some(*state), now))).collect()
    }

    fn asked(&self, me: &Me, now: Timestamp) -> BTreeMap<InstanceId, Reading<Ec2Answer>> {
        let listed = self.listed.iter().flat_map(|l| l.keys()).filter(|id| **id != me.instance);
        let mut all: BTreeMap<_, _> = listed.map(|id| (id.clone(), Some(running(id, Ec2State::Running)))).collect();
        all.extend(self.ec2.clone());
        all.into_iter().map(|(id, answer)| (id, fresh(answer, now, "EC2 does not answer"))).collect()
    }
}

fn fresh<T>(value: Option<T>, now: Timestamp, otherwise: &'static str) -> Reading<T> {
    value.map_or_else(|| Reading::unknown(otherwise), |value| Reading::Fresh(value, now))
}

fn known<T>(words: &Words<'_>, parse: impl Fn(&str) -> T) -> Option<T> {
    match words.nth(0) {
        "unknown" => None,
        word => Some(parse(word)),
    }
}

fn tagged(words: &Words<'_>) -> Option<BTreeSet<InstanceId>> {
    match words.rest() {
        "unknown" => None,
        "none" => Some(BTreeSet::new()),
        list => Some(Words::items(list).map(named).collect()),
    }
}

/// `i-a`, `i-a Pending:Wait`, `i-a of g2`, or `i-a of g2 Pending:Wait`.
fn listed(words: &Words<'_>) -> BTreeMap<InstanceId, (Option<GroupName>, LifecycleState)> {
    let entry = |item: &str| {
        let (id, rest) = item.split_once(' ').unwrap_or((item, ""));
        let (group, state) = match rest.trim().strip_prefix("of ") {
            Some(rest) => rest.split_once(' ').map_or((Some(rest), ""), |(group, state)| (Some(group), state.trim())),
            None => (None, rest.trim()),
        };
        let state = if state.is_empty() { "InService" } else { state };
        (named(id), (group.map(named), LifecycleState::parse(state)))
    };
    Words::items(words.rest()).map(entry).collect()
}

fn answer(words: &Words<'_>) -> Option<Ec2Answer> {
    match words.nth(1) {
        "unknown" => None,
        "not-found" => Some(Ec2Answer::NotFound),
        state => Some(running(&named(words.nth(0)), Ec2State::parse(state))),
    }
}

fn running(id: &InstanceId, state: Ec2State) -> Ec2Answer {
    let there = state != Ec2State::Terminated;
    let launched = Timestamp(u64::from(letter(id)) * 10_000);
    Ec2Answer::Known { state, address: there.then(|| address_of(id)), launched: Some(launched) }
}

/// `launching 300s` or `terminating 600s`.
fn hook(words: &Words<'_>, item: &str) -> Hook {
    let (kind, timeout) = item.split_once(' ').unwrap_or_else(|| words.fail("a hook has a timeout"));
    let transition = match kind {
        "launching" => Transition::Launching,
        "terminating" => Transition::Terminating,
        _ => words.fail("a hook is launching or terminating"),
    };
    let heartbeat_timeout = words.duration(timeout.trim());
    let cap = Duration::from_secs(48 * 3600);
    Hook {
        hook: HookRef { group: "g".into(), name: named(&format!("quorate-{kind}")) },
        transition,
        heartbeat_timeout,
        global_timeout: cap.min(heartbeat_timeout * 100),
    }
}
