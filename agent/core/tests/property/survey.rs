//! The number of times that each kind of step passes the gate, over worlds that are the same in each run.

use std::collections::BTreeMap;
use std::fmt;

use quorate_core::charter::{Origin, State};
use quorate_core::plan::{HookResult, Start, Step};
use quorate_core::planner;

use super::dice::Dice;
use super::{oracles, steps, torn, walk};

/// The kinds of step that must pass somewhere, by the names that [`kind`] gives.
pub(crate) const KINDS: &[&str] = &[
    "snapshot",
    "prune snapshots",
    "drill",
    "fetch snapshot",
    "heartbeat",
    "complete own CONTINUE",
    "complete own ABANDON",
    "complete other CONTINUE",
    "claim empty",
    "claim fresh",
    "claim survivor",
    "record established",
    "found",
    "join",
    "resume",
    "stop OpenToClients",
    "stop Left",
    "stop LastVoterLeaves",
    "stop Retire",
    "start alone",
    "record retired",
    "stop PutAside",
    "stop Recover",
    "stop NotPermitted",
    "stop NotAnswering",
    "stop GiveUp",
    "put aside",
    "restore",
    "adopt",
    "record moved",
    "new address",
    "drop superseded",
    "add",
    "promote",
    "remove",
    "move",
    "unhealthy",
    "forget",
    "pause",
    "end of pause",
    "deregister",
];

#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Steps that passed the gate.
    pub(crate) passed: BTreeMap<String, u32>,
    /// Steps that were planned.
    pub(crate) planned: BTreeMap<String, u32>,
    /// Steps that passed although an oracle objects.
    pub(crate) wrong: BTreeMap<String, u32>,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, counts) in [("wrong", &self.wrong), ("passed", &self.passed), ("planned", &self.planned)] {
            writeln!(f, "{title}:")?;
            for (kind, count) in counts {
                writeln!(f, "  {count:>8} {kind}")?;
            }
        }
        Ok(())
    }
}

pub(crate) fn take(worlds: u64) -> Survey {
    let mut survey = Survey::default();
    for seed in 0..worlds {
        let w = torn::world(&mut Dice::new(&bytes(seed)));
        let planned = planner::plan(&w.seen, &w.memory, &w.policy, w.now).step;
        if let Some(step) = &planned {
            count(&mut survey.planned, kind(step));
        }
        for step in steps::thinkable(&w).into_iter().chain(planned) {
            if w.check(&step).is_err() {
                continue;
            }
            count(&mut survey.passed, kind_in(&step, &w));
            if let Err(why) = oracles::judge(&step, &w) {
                count(&mut survey.wrong, format!("{}: {why} (seed {seed})", kind(&step)));
            }
        }
    }
    survey.wrong = examples(&survey.wrong);
    survey
}

/// One seed of each kind of error, with the total of its kind.
fn examples(wrong: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut kinds: BTreeMap<String, (String, u32)> = BTreeMap::new();
    for (text, count) in wrong {
        let (kind, _) = text.split_once(" (seed").unwrap_or((text, ""));
        kinds.entry(kind.to_owned()).or_insert((text.clone(), 0)).1 += count;
    }
    kinds.into_values().collect()
}

/// The ways in which walks end badly: each kind with its number and its shortest story.
pub(crate) fn walks(number: u64) -> String {
    let mut kinds: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for seed in 0..number {
        let Err(story) = walk::take(&mut Dice::new(&bytes(seed))) else { continue };
        let why = story.lines().last().unwrap_or_default();
        let step = story.lines().rev().find(|line| line.starts_with(">     step")).unwrap_or_default();
        let kind = format!("{why} | {}", step.chars().take(60).collect::<String>());
        let entry = kinds.entry(kind).or_insert((0, story.clone()));
        entry.0 += 1;
        if story.len() < entry.1.len() {
            entry.1 = story;
        }
    }
    kinds.iter().map(|(kind, (count, story))| format!("##### {count} {kind}\n{story}\n")).collect()
}

fn count(counts: &mut BTreeMap<String, u32>, kind: String) {
    *counts.entry(kind).or_default() += 1;
}

/// The bytes of one world: splitmix64.
pub(crate) fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..96).flat_map(|_| next().to_le_bytes()).collect()
}

/// The kind of a step that passed, more specific where the world says more of it than the step does.
fn kind_in(step: &Step, w: &super::world::World) -> String {
    match step {
        Step::CreateRecord(record) if w.seen.local.reattached.is_some() && record.state == State::Established => "record moved".to_owned(),
        _ => kind(step),
    }
}

fn kind(step: &Step) -> String {
    match step {
        Step::Heartbeat { .. } => "heartbeat".to_owned(),
        Step::CompleteHook { instance, result, .. } => {
            let whose = if instance.as_str() == "i-a" { "own" } else { "other" };
            let result = if *result == HookResult::Continue { "CONTINUE" } else { "ABANDON" };
            format!("complete {whose} {result}")
        }
        Step::CreateRecord(record) => match (&record.state, &record.origin) {
            (State::Founding { .. }, Origin::Empty) => "claim empty".to_owned(),
            (State::Founding { .. }, Origin::Fresh) => "claim fresh".to_owned(),
            (State::Founding { .. }, Origin::Snapshot { .. }) => "claim snapshot".to_owned(),
            (State::Founding { .. }, _) => "claim survivor".to_owned(),
            (State::Established, _) => "record established".to_owned(),
            (State::Retired { .. }, _) => "record retired".to_owned(),
        },
        Step::StartMember(Start::Found { .. }, _) => "found".to_owned(),
        Step::StartMember(Start::Join { .. }, _) => "join".to_owned(),
        Step::StartMember(Start::JoinServer { .. }, _) => "join server".to_owned(),
        Step::StartMember(Start::Worker { .. }, _) => "start worker".to_owned(),
        Step::StartMember(Start::Resume { .. }, _) => "resume".to_owned(),
        Step::StartMember(Start::Alone, _) => "start alone".to_owned(),
        Step::StopMember(reason) => format!("stop {reason:?}"),
        Step::PutDataAside { .. } => "put aside".to_owned(),
        Step::AdoptData { .. } => "adopt".to_owned(),
        Step::UpdatePeerUrl { .. } => "new address".to_owned(),
        Step::RestoreOwnData { .. } => "restore".to_owned(),
        Step::FetchSnapshot { .. } => "fetch snapshot".to_owned(),
        Step::RestoreSnapshot { .. } => "restore snapshot".to_owned(),
        Step::DropSuperseded => "drop superseded".to_owned(),
        Step::AcquireLock { .. } | Step::RenewLock { .. } | Step::ReleaseLock { .. } => "lock".to_owned(),
        Step::AddLearner { .. } => "add".to_owned(),
        Step::Promote { .. } => "promote".to_owned(),
        Step::RemoveMember { .. } => "remove".to_owned(),
        Step::MoveLeader { .. } => "move".to_owned(),
        Step::ReportUnhealthy => "unhealthy".to_owned(),
        Step::ForgetOrder => "forget".to_owned(),
        Step::SetPause { .. } => "pause".to_owned(),
        Step::Node(step) => step.kind().to_owned(),
        Step::DeregisterTarget { .. } => "deregister".to_owned(),
        Step::TakeSnapshot(_) => "snapshot".to_owned(),
        Step::DrillSnapshot { .. } => "drill".to_owned(),
        Step::PruneSnapshots { .. } => "prune snapshots".to_owned(),
        Step::ClearPause { .. } => "end of pause".to_owned(),
    }
}
