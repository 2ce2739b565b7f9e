//! Rules of the gate that random worlds seldom reach: a step that the planner plans passes, and in a world that differs in one thing the gate refuses
//! that very step, for the reason that the rule gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use quorate_core::etcd_version::{EtcdVersion, VersionGap, Whose};
use quorate_core::ids::MemberId;
use quorate_core::observation::{Member, Observation};
use quorate_core::plan::{Start, Step, StopReason};
use quorate_core::planner;
use quorate_core::reading::Reading;
use quorate_core::safety::Violation;
use quorate_core::safety::refusal::{MemberFault, NotOrdered, Unread, VoterList, VotersFault};
use story::{Teller, because};

/// A world after the story's lines up to here.
fn told(lines: &[&str]) -> Teller {
    let mut teller = Teller::new("gate");
    lines.iter().for_each(|line| teller.line(line));
    teller
}

/// What the planner plans there, if the gate agrees.
fn planned(teller: &mut Teller) -> Step {
    let w = teller.world.as_mut().unwrap();
    let seen = w.look();
    let step = planner::plan(&seen, w.memory(), w.policy(), w.now).step.expect("the planner plans no step");
    w.engine.gate().check(&step, &seen, w.memory(), w.policy(), w.now).expect("the gate refuses what is planned");
    step
}

/// Why the gate refuses it, once the world has changed.
fn why_not(teller: &mut Teller, change: &str, step: &Step) -> Option<Violation> {
    teller.line(change);
    let w = teller.world.as_mut().unwrap();
    let seen = w.look();
    w.why_not(step, &seen)
}

/// `i-c` has the lock, and its learner is to be added.
const JOINING: [&str; 9] = [
    "me i-c",
    "hooks none",
    "listed i-a, i-b, i-c",
    "own-state InService",
    "store established generation 1 voters i-a:a1, i-b:b2",
    "peer i-a voter holds a1",
    "etcd members i-a:a1, i-b:b2",
    "decide",
    "done",
];

/// The etcd here and what it would meet do not go together.
fn gap(own: &str, other: &str, whose: Whose) -> Option<Violation> {
    let version = |text| EtcdVersion::parse(text).unwrap();
    because(VersionGap { own: version(own), other: version(other), whose })
}

#[test]
fn nothing_is_added_or_started_of_another_minor_than_the_clusters_or_the_next() {
    for further in [&[][..], &["decide", "done"]] {
        let lines = [&JOINING[..], further].concat();
        let mut teller = told(&lines);
        let step = planned(&mut teller);
        let expected = if further.is_empty() { "add-learner" } else { "start-member" };
        assert_eq!(step.kind(), expected);
        for (change, refusal) in [
            ("binary 3.7", gap("3.7", "3.5", Whose::Cluster)),
            ("binary 3.4", gap("3.4", "3.5", Whose::Cluster)),
            ("binary 3.6", None),
            ("binary unknown", because(Unread::OwnVersion)),
            ("binary 3.5", None),
        ] {
            assert_eq!(why_not(&mut teller, change, &step), refusal, "{expected}, {change}");
        }
    }
}

/// A joiner's etcd is given every member's address, and a stranger's may be any text.
#[test]
fn no_member_starts_beside_a_stranger() {
    let mut teller = told(&[&JOINING[..], &["decide", "done"]].concat());
    let Step::StartMember(Start::Join { generation, mut initial_cluster }) = planned(&mut teller) else { panic!("it does not start") };
    let w = teller.world.as_mut().unwrap();
    let mut seen: Observation = w.look();
    let Reading::Fresh(membership, _) = &mut seen.etcd.membership else { panic!("no quorum answers") };
    membership.members.push(Member::stranger(MemberId(0xf6), false, "db's"));
    initial_cluster.push(("f6".to_owned(), initial_cluster[0].1));
    let step = Step::StartMember(Start::Join { generation, initial_cluster });
    assert_eq!(w.why_not(&step, &seen), because(MemberFault::Stranger(MemberId(0xf6))));
}

#[test]
fn no_member_resumes_below_its_data_or_two_minors_above() {
    let seated =
        ["me i-a", "hooks none", "listed i-a, i-b, i-c", "own-state InService", "peer i-b voter holds b2", "peer i-c voter holds c3"];
    let cluster = [
        "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3",
        "disk generation 1 member a1 cluster e1 version 3.5",
        "etcd members i-a:a1, i-b:b2, i-c:c3",
        "etcd leader b2",
        "etcd version 3.5",
        "status a1 silent",
        "binary 3.5",
    ];
    let mut teller = told(&[&seated[..], &cluster].concat());
    let step = planned(&mut teller);
    assert!(matches!(step, Step::StartMember(Start::Resume { .. })), "{step:?}");
    assert_eq!(why_not(&mut teller, "binary 3.4", &step), gap("3.4", "3.5", Whose::Cluster));
    assert_eq!(why_not(&mut teller, "binary 3.7", &step), gap("3.7", "3.5", Whose::Cluster));
    // Where no quorum says what the cluster runs, the data does.
    assert_eq!(why_not(&mut teller, "etcd no-quorum", &step), gap("3.7", "3.5", Whose::Data));
    assert_eq!(why_not(&mut teller, "binary 3.4", &step), gap("3.4", "3.5", Whose::Data));
    assert_eq!(why_not(&mut teller, "binary 3.6", &step), None);
}

#[test]
fn no_snapshot_is_fetched_or_claimed_by_an_etcd_older_than_the_one_it_was_taken_from() {
    let lost = ["me i-a", "policy network-trusted", "hooks none", "listed i-a", "own-state InService"];
    let of = ["store founding by i-c", "store established voters i-c:c3", "ec2 i-c terminated", "snapshots aged 5min", "binary 3.5"];
    for fetched in [false, true] {
        let mut teller = told(&[&lost[..], &of].concat());
        if fetched {
            ["decide", "done", "snapshots fetched"].iter().for_each(|line| teller.line(line));
        }
        let step = planned(&mut teller);
        assert_eq!(matches!(step, Step::CreateRecord(_)), fetched, "{step:?}");
        assert_eq!(why_not(&mut teller, "binary 3.4", &step), gap("3.4", "3.5", Whose::Snapshot));
        assert_eq!(why_not(&mut teller, "binary 3.6", &step), None);
    }
}

/// The last voter that is left may stop with its data if the other says, signed as before, that its own is gone.
#[test]
fn the_last_data_is_not_stopped_on_a_word_under_another_key() {
    let left = [
        "me i-a",
        "policy network-trusted",
        "hooks terminating 120s",
        "hooks refuse-heartbeats",
        "listed i-a Terminating:Wait, i-b",
        "desired 0",
        "own-state Terminating:Wait",
        "target Terminated",
        "store established generation 1 voters i-a:a1, i-b:b2",
        "disk generation 1 member a1 cluster e1",
        "process running",
        "etcd members i-a:a1, i-b:b2",
        "peer i-b voter holds b2",
        "decide",
        "etcd no-quorum",
        "time +113s",
    ];
    let gone = "peer i-b waiting no-data";
    let step = planned(&mut told(&[&left[..], &[gone]].concat()));
    assert_eq!(step, Step::StopMember(StopReason::LastVoterLeaves));
    for another in ["peer i-b waiting no-data another-key", "peer i-b waiting no-data unsigned"] {
        let refusal = why_not(&mut told(&left), another, &step);
        assert_eq!(refusal, because(MemberFault::OthersLeft { by: VoterList::Own, member: MemberId(0xb2) }), "{another}");
    }
    assert_eq!(why_not(&mut told(&left), gone, &step), None);
}

#[test]
fn nobody_joins_and_no_snapshot_is_deleted_while_the_members_data_differ() {
    let corrupt = because(MemberFault::Corrupt);
    let mut joiner = told(&JOINING);
    let add = planned(&mut joiner);
    assert_eq!((add.kind(), why_not(&mut joiner, "etcd corrupt", &add)), ("add-learner", corrupt.clone()));
    assert_eq!(why_not(&mut joiner, "etcd no-space", &add), None, "etcd itself adds members while it is out of space");

    let mut leader = told(&[
        "me i-a",
        "hooks none",
        "listed i-a",
        "own-state InService",
        "store established generation 1 voters i-a:a1",
        "disk generation 1 member a1",
        "process running",
        "etcd members i-a:a1",
        "etcd leader a1",
        "snapshots aged 1min, 600min, 601min, 602min, 603min, 604min, 605min, 606min, 607min, 608min, 609min, 610min",
    ]);
    let prune = planned(&mut leader);
    assert_eq!((prune.kind(), why_not(&mut leader, "etcd corrupt", &prune)), ("prune-snapshots", corrupt));
}

/// The leadership is taken over only from a leader whose agent has long been silent, and only for this node's own member.
#[test]
fn nobody_takes_over_from_a_leader_whose_agent_lives() {
    let unattended = [
        "me i-b",
        "hooks none",
        "listed i-a, i-b, i-c",
        "own-state InService",
        "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3",
        "disk generation 1 member b2 cluster e1",
        "process running",
        "etcd members i-a:a1, i-b:b2, i-c:c3",
        "etcd leader a1",
        "lock mine 20s",
        "peer i-c voter holds c3",
        "time +70s",
    ];
    let mut teller = told(&unattended);
    let step = planned(&mut teller);
    let Step::MoveLeader { via, to } = step.clone() else { panic!("it does not take over: {step:?}") };
    let to_another = Step::MoveLeader { via, to: MemberId(0xc3) };
    assert_eq!((to, why_not(&mut teller, "etcd leader a1", &to_another)), (MemberId(0xb2), because(MemberFault::NotOwn(MemberId(0xc3)))));
    let attended = because(MemberFault::LeaderAttended(MemberId(0xa1)));
    assert_eq!(why_not(&mut told(&unattended), "peer i-a voter holds a1", &step), attended);
    let since_a_moment = [&unattended[..], &["etcd leader c3", "decide"]].concat();
    assert_eq!(why_not(&mut told(&since_a_moment), "etcd leader a1", &step), attended, "it has led for a moment only");
}

/// A restart would find the record that it read last, but not that it has begun.
#[test]
fn a_node_that_has_forgotten_takes_no_step_that_rests_on_its_memory() {
    let mut teller = told(&JOINING);
    let step = planned(&mut teller);
    let forgotten = ["store unreadable", "memory-damaged", "lock mine 20s"];
    assert_eq!(why_not(&mut told(&[&JOINING[..], &forgotten].concat()), "decide", &step), because(NotOrdered::Forgotten));
}

/// Only a voter that never started, for long, and only where the operator wants it.
#[test]
fn a_stranger_is_removed_only_where_that_is_wanted_and_it_never_started() {
    let beside_a_stranger = [
        "me i-a",
        "policy strangers-removed",
        "hooks none",
        "listed i-a, i-b",
        "own-state InService",
        "store established generation 1 voters i-a:a1, i-b:b2",
        "disk generation 1 member a1 cluster e1",
        "process running",
        "etcd members i-a:a1, i-b:b2, unnamed:f6@i-x",
        "status f6 silent",
        "peer i-b voter holds b2",
        "lock mine 20s",
        "time +6min",
    ];
    let mut teller = told(&beside_a_stranger);
    let step = planned(&mut teller);
    assert!(matches!(step, Step::RemoveMember { member: MemberId(0xf6), .. }), "{step:?}");
    let refused = because(MemberFault::NotToRemove(MemberId(0xf6)));
    let reported: Vec<&str> = beside_a_stranger.into_iter().filter(|line| *line != "policy strangers-removed").collect();
    assert_eq!(why_not(&mut told(&reported), "decide", &step), refused);
    assert_eq!(why_not(&mut teller, "etcd members i-a:a1, i-b:b2, i-x:f6", &step), refused, "it has started");
    let mut young = told(&beside_a_stranger[..12]);
    assert_eq!(why_not(&mut young, "time +4min", &step), refused);
}

/// The charter lists instances. A voter that belongs to none keeps nobody from writing down who else is there.
#[test]
fn the_charter_is_written_beside_a_stranger_and_never_without_a_voter_that_is_somebodys() {
    let beside = [
        "me i-a",
        "hooks none",
        "listed i-a, i-b, i-c",
        "own-state InService",
        "store established generation 1 voters i-a:a1, i-b:b2",
        "disk generation 1 member a1 cluster e1",
        "process running",
        "etcd members i-a:a1, i-b:b2, i-c:c3, unnamed:f6@i-x",
        "peer i-b voter holds b2",
        "peer i-c voter holds c3",
        "lock mine 20s",
        "decide",
    ];
    let mut teller = told(&beside);
    let step = planned(&mut teller);
    let Step::CreateRecord(record) = &step else { panic!("the charter is not brought in line: {step:?}") };
    assert_eq!(record.voters.iter().map(|v| v.member).collect::<Vec<_>>(), [MemberId(0xa1), MemberId(0xb2), MemberId(0xc3)]);
    let omitted = because(VotersFault::Omitted(MemberId(0xf6)));
    assert_eq!(why_not(&mut teller, "etcd members i-a:a1, i-b:b2, i-c:c3, i-x:f6", &step), omitted);
    let mut stranger = told(&beside);
    assert_eq!(why_not(&mut stranger, "etcd members i-a:a1, i-b:b2, i-c:c3, stranger:f6", &step), None);
}
