//! The polling budget: how much one node asks of the AWS control plane in a day.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_core::cadence::Query;
use quorate_core::ids::InstanceId;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;
use story::Teller;
use story::world::World;

const VOTER: &str = "me i-a
hooks launching 300s, terminating 300s
listed i-a, i-b, i-c
own-state InService
target InService
store established generation 1 voters i-a:a1, i-b:b2, i-c:c3
disk generation 1 member a1 cluster e1
process running
etcd members i-a:a1, i-b:b2, i-c:c3
peer i-b voter holds b2
peer i-c voter holds c3";

/// All questions of the hours after the first, in which a node may still be settling.
fn asked_per_hour(lines: &str, hours: u64) -> f64 {
    let mut teller = Teller::new("cadence");
    lines.lines().for_each(|line| teller.line(line));
    asked_per_hour_with(teller, hours, |_| BTreeSet::new())
}

/// The same, with these callers at each look.
fn asked_per_hour_with(mut teller: Teller, hours: u64, callers: impl Fn(u64) -> BTreeSet<InstanceId>) -> f64 {
    let world: &mut World = teller.world.as_mut().unwrap();
    let start = world.now;
    let hour = Duration::from_secs(3600);
    let (mut count, mut looks) = (0_u32, 0);
    while world.now.since(start) < hour * u32::try_from(hours + 1).unwrap() {
        world.now = world.now + world.policy().cycle;
        world.callers = callers(looks);
        looks += 1;
        let seen = world.look();
        for query in world.engine.due(&seen, world.now) {
            count += u32::from(world.now.since(start) >= hour);
            world.engine.asked(&query, world.now);
        }
    }
    f64::from(count) / hours as f64
}

#[test]
fn a_voter_in_steady_state_asks_at_most_twelve_times_an_hour() {
    let rate = asked_per_hour(VOTER, 24);
    assert!(rate <= 12.0, "{rate} questions an hour");
    assert!(rate >= 5.0, "{rate} questions an hour: it would not see a change");
}

#[test]
fn an_instance_that_left_the_group_costs_nothing_more() {
    let detached = format!("{}\npeer i-x waiting\nlisted i-a, i-b, i-c, i-x\ndecide\nlisted i-a, i-b, i-c\npeer i-x silent", VOTER);
    let rate = asked_per_hour(&detached, 24);
    assert!(rate <= 12.0, "{rate} questions an hour");
}

#[test]
fn a_voter_that_stays_silent_is_asked_after_less_and_less_often() {
    let silent = format!("{}\npeer i-c silent\nstatus c3 silent", VOTER);
    let rate = asked_per_hour(&silent, 24);
    assert!(rate <= 20.0, "{rate} questions an hour");
}

const SPARE: &str = "me i-d
policy max-voters 3
hooks launching 300s
listed i-a, i-b, i-c, i-d
own-state InService
target InService
store established generation 1 voters i-a:a1, i-b:b2, i-c:c3
peer i-a voter holds a1
peer i-b voter holds b2
peer i-c voter holds c3
etcd members i-a:a1, i-b:b2, i-c:c3";

#[test]
fn a_spare_does_not_hurry_for_ever() {
    let rate = asked_per_hour(SPARE, 24);
    assert!(rate <= 12.0, "{rate} questions an hour");
}

#[test]
fn a_spare_of_long_standing_hurries_again_once_it_is_to_go() {
    let mut teller = Teller::new("cadence");
    SPARE.lines().for_each(|line| teller.line(line));
    teller.line("time +6h");
    teller.line("target Terminated");
    let world = teller.world.as_mut().unwrap();
    let mut asked = Vec::new();
    let start = world.now;
    while world.now.since(start) < Duration::from_secs(60) {
        world.now = world.now + world.policy().cycle;
        let seen = world.look();
        for query in world.engine.due(&seen, world.now) {
            world.engine.asked(&query, world.now);
            asked.extend((query == Query::OwnState).then_some(world.now));
        }
    }
    let longest = asked.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap();
    assert!(longest <= world.policy().aws_hurry * 2, "it may notice its hook only {longest:?} after it opened");
}

#[test]
fn a_node_that_knows_nothing_does_not_empty_the_bucket() {
    let rate = asked_per_hour("me i-a\nlisted unknown\nhooks unknown\nown-state unknown", 24);
    assert!(rate <= 40.0, "{rate} questions an hour");
}

#[test]
fn a_notice_is_followed_by_questions_at_once() {
    let mut teller = Teller::new("cadence");
    VOTER.lines().for_each(|line| teller.line(line));
    let world = teller.world.as_mut().unwrap();
    for _ in 0..3 {
        let seen = world.look();
        let due = world.engine.due(&seen, world.now);
        due.iter().for_each(|query| world.engine.asked(query, world.now));
    }
    teller.line("target Terminated");
    let world = teller.world.as_mut().unwrap();
    let seen = world.look();
    let due = world.engine.due(&seen, world.now);
    for wanted in [Query::Groups, Query::Hooks, Query::OwnState] {
        assert!(due.contains(&wanted), "{wanted:?} is not due: {due:?}");
    }
}

/// An operator has opened another zone since the hooks were read last: the dead there must not wait out a timeout because of that.
#[test]
fn the_hooks_of_a_dead_instance_are_asked_for_when_its_group_is_new() {
    let mut teller = Teller::new("cadence");
    let dead = VOTER.replace("listed i-a, i-b, i-c", "listed i-a, i-b, i-c, i-d of young Terminating:Wait");
    format!("{dead}\nec2 i-d terminated").lines().for_each(|line| teller.line(line));
    let world = teller.world.as_mut().unwrap();
    world.engine.asked(&Query::Hooks, world.now);
    world.now = world.now + world.policy().aws_hurry * 2;
    assert!(!is_due(world, &Query::Hooks), "its hooks are known");
    let mut seen = world.look();
    if let Reading::Fresh(hooks, _) = &mut seen.cloud.hooks {
        hooks.retain(|h| h.hook.group == world.me.group);
    }
    let due = world.engine.due(&seen, world.now);
    assert!(due.contains(&Query::Hooks), "{due:?}");
}

fn is_due(world: &mut World, query: &Query) -> bool {
    let seen = world.look();
    world.engine.due(&seen, world.now).contains(query)
}

#[test]
fn who_bears_the_tag_is_asked_last_before_an_empty_cluster_is_claimed() {
    let mut teller = Teller::new("cadence");
    let alone = "me i-a\nhooks none\nown-state InService\ntarget InService\nlisted i-a, i-b\ntagged unknown\nstore absent";
    alone.lines().for_each(|line| teller.line(line));
    assert!(!is_due(teller.world.as_mut().unwrap(), &Query::Tagged), "i-b has not consented yet");
    teller.line("peer i-b waiting");
    let world = teller.world.as_mut().unwrap();
    assert!(is_due(world, &Query::Tagged));
    world.engine.asked(&Query::Tagged, world.now);
    assert!(!is_due(world, &Query::Tagged), "it is asked again without a pause");
    world.now = world.now + world.policy().aws_hurry * 2;
    assert!(is_due(world, &Query::Tagged));
    teller.line("store established voters i-b:b2");
    assert!(!is_due(teller.world.as_mut().unwrap(), &Query::Tagged), "there is a charter");
}

fn leading_server() -> Teller {
    let mut teller = Teller::new("cadence");
    let server = VOTER.replacen("me i-a", "me i-a role control-plane", 1);
    server.lines().for_each(|line| teller.line(line));
    teller
}

/// How long it takes from the first look with these callers until the groups are asked for.
fn heeds_callers_after(teller: &mut Teller, callers: &str) -> Duration {
    teller.line(callers);
    let world = teller.world.as_mut().unwrap();
    world.engine.asked(&Query::Groups, world.now);
    let start = world.now;
    while !is_due(world, &Query::Groups) {
        world.now = world.now + world.policy().cycle;
    }
    world.now.since(start)
}

#[test]
fn a_new_server_that_asks_the_leader_is_looked_up_at_once() {
    let hurry = leading_server().world.as_ref().unwrap().policy().aws_hurry;
    let heeded = heeds_callers_after(&mut leading_server(), "callers i-d");
    assert!(heeded <= hurry * 2, "after {heeded:?}");
    for (what, callers) in [("nobody", "callers none"), ("who is known", "callers i-b, i-c"), ("itself", "callers i-a")] {
        let heeded = heeds_callers_after(&mut leading_server(), callers);
        assert!(heeded > hurry * 10, "{what} makes it ask after {heeded:?}");
    }
    let mut follower = leading_server();
    follower.line("etcd leader b2");
    let heeded = heeds_callers_after(&mut follower, "callers i-d");
    assert!(heeded > hurry * 10, "a follower asks after {heeded:?}: only the leader admits it");
}

#[test]
fn a_server_that_aws_does_not_list_yet_is_looked_up_again() {
    let mut teller = leading_server();
    heeds_callers_after(&mut teller, "callers i-d");
    let world = teller.world.as_mut().unwrap();
    world.engine.asked(&Query::Groups, world.now);
    world.now = world.now + world.policy().aws_hurry * 2;
    assert!(is_due(world, &Query::Groups));
    world.engine.asked(&Query::Groups, world.now);
    teller.line("listed i-a, i-b, i-c, i-d");
    teller.line("peer i-d waiting seeks");
    let world = teller.world.as_mut().unwrap();
    world.now = world.now + world.policy().aws_hurry * 2;
    assert!(!is_due(world, &Query::Groups), "it is known now");
}

#[test]
fn callers_that_are_no_instances_do_not_empty_the_bucket() {
    let one = asked_per_hour_with(leading_server(), 24, |_| ["i-x".into()].into());
    assert!(one <= 12.0, "one that keeps calling: {one} questions an hour");
    let many = asked_per_hour_with(leading_server(), 24, |look| [format!("i-x{look}").parse().unwrap()].into());
    assert!(many <= 12.0, "another name at each look: {many} questions an hour");
}

#[test]
fn a_stranger_that_goes_on_calling_does_not_slow_down_the_look_for_a_new_server() {
    let mut teller = leading_server();
    let world = teller.world.as_mut().unwrap();
    world.callers = ["i-x".into()].into();
    let start = world.now;
    while world.now.since(start) < Duration::from_secs(3600) {
        world.now = world.now + world.policy().cycle;
        let seen = world.look();
        let due = world.engine.due(&seen, world.now);
        due.iter().for_each(|query| world.engine.asked(query, world.now));
    }
    let hurry = world.policy().aws_hurry;
    let heeded = heeds_callers_after(&mut teller, "callers i-x, i-d");
    assert!(heeded <= hurry * 2, "after {heeded:?}");
}

/// Only its agent can say how far a snapshot has come that it receives.
#[test]
fn the_instance_of_a_learner_that_nobody_knows_is_looked_up_at_once() {
    let mut teller = Teller::new("cadence");
    VOTER.lines().chain(["decide", "time +2min"]).for_each(|line| teller.line(line));
    let settled = teller.world.as_mut().unwrap();
    settled.engine.asked(&Query::Groups, settled.now);
    settled.now = settled.now + Duration::from_secs(10);
    assert!(!is_due(settled, &Query::Groups));
    teller.line("etcd members i-a:a1, i-b:b2, i-c:c3, unnamed:d4@i-d learner");
    assert!(is_due(teller.world.as_mut().unwrap(), &Query::Groups));
}

#[test]
fn no_two_nodes_keep_step() {
    let first_two = |name: &str| {
        let mut teller = Teller::new("cadence");
        VOTER.replace("i-a", name).replace("a1", "a9").lines().for_each(|line| teller.line(line));
        let world = teller.world.as_mut().unwrap();
        let mut at: Vec<Timestamp> = Vec::new();
        while at.len() < 3 {
            world.now = world.now + world.policy().cycle;
            let seen = world.look();
            let due = world.engine.due(&seen, world.now);
            due.iter().for_each(|query| world.engine.asked(query, world.now));
            at.extend(due.contains(&Query::Groups).then_some(world.now));
        }
        at[2]
    };
    let all: std::collections::BTreeSet<Timestamp> = ["i-d", "i-e", "i-f", "i-g", "i-h"].into_iter().map(first_two).collect();
    assert!(all.len() > 2, "{all:?}");
}
