//! What the gate watches for itself. The memory is changed as a mistake in the planner's derivation would change it: the planner believes it, and the gate,
//! which has looked too, does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use std::time::Duration;

use quorate_core::ids::MemberId;
use quorate_core::memory::{Ending, Memory};
use quorate_core::observation::{Observation, Saved};
use quorate_core::plan::{Step, StopReason};
use quorate_core::planner;
use quorate_core::safety::Violation;
use quorate_core::safety::refusal::{LossFault, MemberFault, NodeFault, SnapshotFault};
use quorate_core::transport::Transport;
use story::world::World;
use story::{Teller, because};

fn told(lines: &str) -> World {
    let mut teller = Teller::new("gate-alone");
    lines.lines().for_each(|line| teller.line(line));
    teller.world.take().unwrap()
}

/// What the planner plans by this memory, and why the gate refuses it.
fn judged(w: &World, seen: &Observation, memory: &Memory) -> (Step, Option<Violation>) {
    let step = planner::plan(seen, memory, w.policy(), w.now).step.expect("nothing is planned");
    let why = w.engine.gate().check(&step, seen, memory, w.policy(), w.now).err().map(|refusal| refusal.why);
    (step, why)
}

/// i-a is the last voter and leaves. Its etcd runs for this node only, and its final snapshot is there.
const ENDS: &str = "me i-a
hooks terminating 300s
listed i-a Terminating:Wait
desired 0
own-state Terminating:Wait
target Terminated
store established generation 1 voters i-a:a1
disk generation 1 member a1 cluster e1
process running
etcd members i-a:a1
go 3
etcd quorum
go
snapshots taken";

#[test]
fn nothing_is_retired_to_a_snapshot_after_which_somebody_could_write() {
    let mut w = told(&format!("{ENDS}\ngo 1\netcd no-quorum"));
    let seen = w.look();
    let (step, why) = judged(&w, &seen, w.memory());
    assert!(matches!(step, Step::CreateRecord(_)) && why.is_none(), "{step:?} {why:?}");

    // The same, but etcd was last seen serving its clients.
    let mut w = told(&format!("{ENDS}\nprocess running\ndecide\nprocess stopped\netcd no-quorum"));
    let seen = w.look();
    let mut memory = w.memory().clone();
    assert_eq!(memory.snapshots.covering_all, None);
    memory.snapshots.covering_all = Some(Saved { key: "snapshots/new".into(), revision: 100 });
    memory.ending = Ending::Saved;
    let (step, why) = judged(&w, &seen, &memory);
    assert!(matches!(step, Step::CreateRecord(_)), "{step:?}");
    assert_eq!(why, because(SnapshotFault::WritesAfter("snapshots/new".into())));
}

#[test]
fn a_start_that_was_let_through_ends_what_a_snapshot_covers() {
    let mut w = told(&format!("{ENDS}\ngo 1\netcd no-quorum"));
    let seen = w.look();
    let mut gate = w.engine.gate().clone();
    let (retired, _) = judged(&w, &seen, w.memory());
    gate.let_through(&Step::StopMember(StopReason::LastVoterLeaves));
    assert!(gate.check(&retired, &seen, w.memory(), w.policy(), w.now).is_ok());
    gate.let_through(&Step::StartMember(quorate_core::plan::Start::Resume { loopback_only: false, server: None }, Transport::Plain));
    let why = gate.check(&retired, &seen, w.memory(), w.policy(), w.now).err().map(|refusal| refusal.why);
    assert_eq!(why, because(SnapshotFault::WritesAfter("snapshots/new".into())));
}

/// One of three survives, after they had run together for a while, and under policy `any` it would continue after ten minutes.
const SURVIVES: &str = "me i-a
policy network-trusted
policy any
hooks none
listed i-a, i-d
own-state InService
store established generation 1 voters i-a:a1, i-b:b2, i-c:c3
disk generation 1 member a1 cluster e1
process running
etcd members i-a:a1, i-b:b2, i-c:c3
peer i-d waiting
snapshots aged 5min
time +20min
etcd no-quorum
status a1 revision 9999999
ec2 i-b terminated
ec2 i-c terminated
decide";

#[test]
fn nobody_recovers_before_quorum_has_been_lost_for_the_grace() {
    let mut w = told(&format!("{SURVIVES}\ntime +11min\nsnapshots aged 16min"));
    let seen = w.look();
    let (step, why) = judged(&w, &seen, w.memory());
    assert!(matches!(step, Step::CreateRecord(_)) && why.is_none(), "{step:?} {why:?}");

    let back = "time +9min\netcd quorum\ntime +3s\netcd no-quorum\nstatus a1 revision 9999999\ndecide\ntime +9min";
    // What passed while nobody looked does not count: quorum may have been there.
    let unseen = "suspended 11min";
    for too_short in ["time +9min", back, unseen] {
        let mut w = told(&format!("{SURVIVES}\n{too_short}\nsnapshots aged 16min"));
        let seen = w.look();
        let mut memory = w.memory().clone();
        memory.quorum.lost_since = Some(w.now - Duration::from_secs(601));
        let (step, why) = judged(&w, &seen, &memory);
        assert!(matches!(step, Step::CreateRecord(_)), "{too_short}: {step:?}");
        assert!(matches!(why, Some(Violation::Loss(LossFault::TooShort { since: Some(_), .. }))), "{too_short}: {why:?}");
    }
}

/// i-a leads, and i-c's learner makes no progress.
const LEARNS: &str = "me i-a
hooks none
listed i-a, i-b, i-c
own-state InService
store established generation 1 voters i-a:a1, i-b:b2
disk generation 1 member a1 cluster e1
process running
etcd members i-a:a1, i-b:b2, i-c:c3 learner
peer i-b voter holds b2
peer i-c learner holds c3 copy
status c3 applied 100
go 2
time +4min";

#[test]
fn no_learner_is_removed_that_makes_progress() {
    let works = |member| because(MemberFault::LearnerNotStuck(MemberId(member)));
    let judged_after = |lines: &str| {
        let mut w = told(&format!("{LEARNS}\n{lines}\nlock mine 20s"));
        let seen = w.look();
        let mut memory = w.memory().clone();
        memory.quorum.learner.as_mut().unwrap().progress_at = w.now - Duration::from_secs(301);
        let (step, why) = judged(&w, &seen, &memory);
        assert!(matches!(step, Step::RemoveMember { .. }), "{step:?}");
        why
    };
    assert_eq!(judged_after("time +65s"), None);
    assert_eq!(judged_after("status c3 applied 200\ntime +65s"), works(0xc3), "it has applied something");
    // Nothing is written, so it has nothing to apply: it is level with the leader, and waits until it may be promoted.
    assert_eq!(judged_after("status c3 applied 10000\ntime +10min"), works(0xc3), "it is level with the leader");
    assert_eq!(judged_after("suspended 65s"), works(0xc3), "nobody looked meanwhile");
    let another = "time +65s\nlisted i-a, i-b, i-d\netcd members i-a:a1, i-b:b2, i-d:d4 learner\npeer i-d learner holds d4 copy\nstatus d4 applied 50\ntime +3s";
    assert_eq!(judged_after(another), works(0xd4), "it has come just now");
}

/// i-w has to leave, and its drain takes long.
const LEAVES: &str = "me i-w role worker
hooks none
listed i-a
own-state InService
process running
servers i-a
node i-w ready
order leave
decide";

#[test]
fn the_time_to_leave_counts_from_the_notice_that_holds() {
    let why_not = |lines: &str| {
        let mut w = told(&format!("{LEAVES}\n{lines}"));
        let seen = w.look();
        w.why_not(&Step::StopMember(StopReason::Left), &seen)
    };
    assert_eq!(why_not("time +51s"), None);
    assert_eq!(why_not("time +49s"), because(NodeFault::NotDrained));
    assert_eq!(why_not("order none\ntime +51s\norder leave"), because(NodeFault::NotDrained), "the first order was taken back");
}
