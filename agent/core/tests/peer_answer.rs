//! What a node reports to its peers about its own data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use quorate_core::observation::{DataClaim, PeerAnswer};
use quorate_core::planner;
use story::Teller;

/// What a node in this world answers.
fn claim(lines: &[&str]) -> DataClaim {
    let mut teller = Teller::new("peer-answer");
    lines.iter().for_each(|line| teller.line(line));
    let world = teller.world.as_mut().unwrap();
    let seen = world.look();
    let plan = planner::plan(&seen, world.memory(), world.policy(), world.now);
    let mut answer = PeerAnswer::before_the_first_look(world.memory());
    answer.update(&seen, world.memory(), &plan.report, world.now);
    answer.data
}

#[test]
fn an_empty_disk_holds_nothing_only_while_nothing_runs_on_it() {
    let server = ["me i-a role control-plane", "hooks none", "listed i-a, i-b", "own-state InService", "disk empty"];
    let with = |process: &'static str| claim(&[&server[..], &[process]].concat());
    assert_eq!(with("process stopped"), DataClaim::None);
    // k3s waits with nothing on the disk until etcd admits it, and then votes within a second.
    assert_eq!(with("process running"), DataClaim::Unknown);
    assert_eq!(with("process unknown"), DataClaim::Unknown);
}

#[test]
fn a_disk_that_cannot_be_read_says_nothing() {
    assert_eq!(claim(&["me i-a", "hooks none", "disk unknown", "process stopped"]), DataClaim::Unknown);
}

#[test]
fn an_answer_of_before_there_were_revisions_is_read_and_says_none() {
    let before = r#"{"data":"holds","cluster":225,"member":161,"generation":1,"voter":true,"term":2,"applied":90}"#;
    let read: DataClaim = serde_json::from_str(before).unwrap();
    assert!(matches!(read, DataClaim::Holds { applied: Some(90), revision: None, .. }), "{read:?}");
    // And an agent that does not know revisions yet reads ours: it ignores fields that it does not know.
    let ours = before.replace("90}", "90,\"revision\":80,\"later\":1}");
    let read: DataClaim = serde_json::from_str(&ours).unwrap();
    assert!(matches!(read, DataClaim::Holds { revision: Some(80), .. }), "{read:?}");
}
