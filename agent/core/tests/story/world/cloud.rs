//! What AWS says in a story. Unless told otherwise each listed instance runs, at its usual address.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate_core::ids::InstanceId;
use quorate_core::observation::{Cloud, Ec2Answer, Ec2State, Group, Hook, HookRef, LifecycleState, ListedInstance, Me, Transition};
use quorate_core::plan::Outcome;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use crate::story::words::{Words, address_of, letter};

#[derive(Clone, Debug, Default)]
pub(crate) struct CloudWorld {
    target: Option<Option<LifecycleState>>,
    own_state: Option<LifecycleState>,
    listed: Option<BTreeMap<InstanceId, LifecycleState>>,
    /// Unless told otherwise, this instance and whoever is listed.
    tagged: Option<Option<BTreeSet<InstanceId>>>,
    desired: Option<u32>,
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
            "ec2" => {
                self.ec2.insert(InstanceId::new(words.nth(0)), answer(words));
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
        let desired = self.desired.or_else(|| self.listed.as_ref().map(|l| u32::try_from(l.len()).unwrap()));
        let group = |desired| vec![Group { name: me.group.clone(), desired, retains_on_abandon: false }];
        let entries = |l: &BTreeMap<InstanceId, LifecycleState>| {
            l.iter().map(|(id, state)| (id.clone(), ListedInstance { group: me.group.clone(), state: *state })).collect()
        };
        Cloud {
            groups: fresh(desired.map(group), now, "the groups have not been read"),
            listed: fresh(self.listed.as_ref().map(entries), now, "the groups have not been read"),
            tagged: fresh(self.tagged(me), now, "EC2 does not answer"),
            asked: self.asked(me, now),
            hooks: fresh(self.hooks.clone(), now, "the hooks have not been read"),
            own_state: fresh(self.own_state, now, "its own state has not been read"),
        }
    }

    fn tagged(&self, me: &Me) -> Option<BTreeSet<InstanceId>> {
        let listed = self.listed.iter().flat_map(|l| l.keys().cloned());
        self.tagged.clone().unwrap_or_else(|| Some(listed.chain([me.instance.clone()]).collect()))
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
        list => Some(Words::items(list).map(InstanceId::new).collect()),
    }
}

fn listed(words: &Words<'_>) -> BTreeMap<InstanceId, LifecycleState> {
    let entry = |item: &str| {
        let (id, state) = item.split_once(' ').unwrap_or((item, "InService"));
        (InstanceId::new(id), LifecycleState::parse(state.trim()))
    };
    Words::items(words.rest()).map(entry).collect()
}

fn answer(words: &Words<'_>) -> Option<Ec2Answer> {
    match words.nth(1) {
        "unknown" => None,
        "not-found" => Some(Ec2Answer::NotFound),
        state => Some(running(&InstanceId::new(words.nth(0)), Ec2State::parse(state))),
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
        hook: HookRef { group: "g".into(), name: format!("quorate-{kind}").as_str().into() },
        transition,
        heartbeat_timeout,
        global_timeout: cap.min(heartbeat_timeout * 100),
    }
}
