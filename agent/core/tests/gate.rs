//! Rules of the gate that random worlds seldom reach: a step that the planner plans passes, and in a world that differs in one thing the gate refuses
//! that very step, for the reason that the rule gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#[allow(dead_code, reason = "the stories' own test uses the rest")]
mod story;

use quorate_core::charter::{ListedVoter, Record, State};
use quorate_core::etcd_version::{EtcdVersion, VersionGap, Whose};
use quorate_core::ids::{EtcdClusterId, InstanceId, MemberId};
use quorate_core::observation::{Member, Observation, PeerAnswer};
use quorate_core::plan::{HookResult, Start, Step, StopReason};
use quorate_core::planner;
use quorate_core::reading::Reading;
use quorate_core::rotation::Rotation;
use quorate_core::safety::Violation;
use quorate_core::safety::refusal::{
    CharterFault, ClaimFault, MemberFault, NoConsent, NodeFault, NotOrdered, RecordFault, Unread, VoterList, VotersFault,
};
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use story::words::authority;
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
    let Step::StartMember(Start::Join { generation, mut initial_cluster }, _) = planned(&mut teller) else { panic!("it does not start") };
    let w = teller.world.as_mut().unwrap();
    let mut seen: Observation = w.look();
    let Reading::Fresh(membership, _) = &mut seen.etcd.membership else { panic!("no quorum answers") };
    membership.members.push(Member::stranger(MemberId(0xf6), false, "db's"));
    initial_cluster.push(("f6".to_owned(), initial_cluster[0].1));
    let step = Step::StartMember(Start::Join { generation, initial_cluster }, Transport::Plain);
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
    assert!(matches!(step, Step::StartMember(Start::Resume { .. }, _)), "{step:?}");
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

/// What `id` answered, and when it was heard.
fn answer<'a>(seen: &'a mut Observation, id: &InstanceId) -> (&'a mut PeerAnswer, &'a mut Timestamp) {
    match seen.peers.get_mut(id) {
        Some(Reading::Fresh(answer, at)) => (answer, at),
        _ => panic!("{id} does not answer"),
    }
}

/// A founder asks all others again after its claim, because one that answered before may hold data by now. The planner and the gate each require it.
#[test]
fn nothing_is_founded_on_an_answer_from_before_the_claim_or_beside_another_claim_of_its_number() {
    let claims = ["me i-a", "hooks none", "listed i-a, i-b", "own-state InService", "store absent", "peer i-b waiting", "go 1"];
    let mut teller = told(&claims);
    let start = planned(&mut teller);
    assert!(matches!(start, Step::StartMember(Start::Found { .. }, _)), "{start:?}");
    let w = teller.world.as_mut().unwrap();
    let seen = w.look();
    let (other, claim) = (InstanceId::new("i-b"), w.store.newest().cloned().unwrap());
    let plan = |seen: &Observation| planner::plan(seen, w.memory(), w.policy(), w.now).step;
    assert_eq!((plan(&seen), w.why_not(&start, &seen)), (Some(start.clone()), None));

    let mut heard_before = seen.clone();
    *answer(&mut heard_before, &other).1 = w.memory().claimed.unwrap().1;
    assert_eq!(plan(&heard_before), None);
    assert_eq!(w.why_not(&start, &heard_before), because(ClaimFault::NotAskedSince(other.clone())));

    let mut claimed_too = seen.clone();
    let state = State::Founding { founder: other.clone() };
    answer(&mut claimed_too, &other).0.record = Some(Record { state, ..claim.clone() });
    assert_eq!(plan(&claimed_too), None);
    let remembers = NoConsent::RemembersMore { instance: other, record: claim.number, claim: claim.number };
    assert_eq!(w.why_not(&start, &claimed_too), because(remembers));
}

/// A member that knows a leader has a quorum, whatever this node could read.
#[test]
fn no_survivor_goes_on_by_order_while_its_member_knows_a_leader() {
    let mut teller = told(&[
        "me i-a",
        "policy network-trusted",
        "hooks none",
        "listed i-a",
        "own-state InService",
        "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3",
        "disk generation 1 member a1 cluster e1",
        "process running",
        "etcd members i-a:a1, i-b:b2, i-c:c3",
        "etcd no-quorum",
        "ec2 i-b terminated",
        "ec2 i-c terminated",
        "order recover-survivor",
    ]);
    let claim = planned(&mut teller);
    assert!(matches!(claim, Step::CreateRecord(_)), "{claim:?}");
    let w = teller.world.as_mut().unwrap();
    let mut seen = w.look();
    let Some(Reading::Fresh(status, _)) = seen.etcd.statuses.get_mut(&MemberId(0xa1)) else { panic!("its member does not answer") };
    status.leader = Some(MemberId(0xb2));
    assert_eq!(planner::plan(&seen, w.memory(), w.policy(), w.now).step, None);
    assert_eq!(w.why_not(&claim, &seen), because(MemberFault::HasLeader(MemberId(0xb2))));
}

/// `i-a` leads and has the lock, and `i-c`'s learner is to be promoted: the charter names it.
const PROMOTING: [&str; 13] = [
    "me i-a",
    "hooks none",
    "listed i-a, i-b, i-c",
    "own-state InService",
    "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3",
    "disk generation 1 member a1 cluster e1",
    "process running",
    "etcd members i-a:a1, i-b:b2, i-c:c3 learner",
    "peer i-b voter holds b2",
    "peer i-c learner holds c3 copy",
    "time +6s",
    "decide",
    "done",
];

#[test]
fn nobody_is_promoted_beside_a_departed_voter() {
    let promote = planned(&mut told(&PROMOTING));
    assert_eq!(promote.kind(), "promote");
    assert_eq!(why_not(&mut told(&PROMOTING), "ec2 i-b terminated", &promote), because(MemberFault::Departed(MemberId(0xb2))));
}

/// A learner that the charter names may be promoted at any moment, so the charter is ahead of etcd by one voter at most.
#[test]
fn the_charter_lists_one_learner_at_most() {
    let two_learners = "etcd members i-a:a1, i-b:b2, i-c:c3 learner, i-d:d4 learner";
    let mut teller = told(&PROMOTING);
    let before = teller.world.as_ref().unwrap().store.newest().cloned().unwrap();
    let with = |more: &[(&'static str, u64)]| {
        let more = more.iter().map(|(id, member)| ListedVoter { instance: InstanceId::new(id), member: MemberId(*member) });
        let voters = before.voters.iter().filter(|v| v.member != MemberId(0xc3)).cloned().chain(more).collect();
        Step::CreateRecord(Record { number: before.number + 1, previous: Some(before.digest()), voters, ..before.clone() })
    };
    assert_eq!(why_not(&mut teller, two_learners, &with(&[("i-d", 0xd4)])), None);
    let both = with(&[("i-c", 0xc3), ("i-d", 0xd4)]);
    assert_eq!(why_not(&mut teller, "#", &both), because(VotersFault::TooMany { listed: 4, voters: 2 }));
}

#[test]
fn no_hook_of_the_dead_is_completed_while_the_charter_lists_it() {
    let dead = [
        "me i-a",
        "hooks launching 300s, terminating 300s",
        "listed i-a, i-b, i-c Terminating:Wait",
        "own-state InService",
        "store established generation 1 voters i-a:a1, i-b:b2",
        "disk generation 1 member a1 cluster e1",
        "process running",
        "etcd members i-a:a1, i-b:b2",
        "peer i-b voter holds b2",
        "ec2 i-c terminated",
        "decide",
        "time +65s",
    ];
    let mut teller = told(&dead);
    let complete = planned(&mut teller);
    assert_eq!(complete.kind(), "complete-hook");
    let listed = CharterFault::StillLists { record: 2, instance: InstanceId::new("i-c") };
    assert_eq!(why_not(&mut teller, "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3", &complete), because(listed));
}

/// A list that was read through the member itself shows that the member works.
#[test]
fn no_voter_is_stopped_on_a_list_that_was_read_through_itself() {
    let mut teller = told(&[
        "me i-a",
        "hooks none",
        "listed i-a, i-b, i-c",
        "own-state InService",
        "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3",
        "disk generation 1 member a1 cluster e1",
        "process running",
        "etcd leader b2",
        "etcd members i-a:a1, i-b:b2, i-c:c3",
        "peer i-b voter holds b2",
        "peer i-c voter holds c3",
        "decide",
        "process frozen",
        "status a1 silent",
        "time +35s",
        "decide",
        "done",
    ]);
    let stop = planned(&mut teller);
    assert_eq!(stop, Step::StopMember(StopReason::NotAnswering));
    assert_eq!(why_not(&mut teller, "etcd via a1", &stop), because(MemberFault::ReadThroughItself(MemberId(0xa1))));
}

#[test]
fn no_worker_abandons_its_launch_once_its_node_is_ready() {
    let launches = ["me i-u role worker", "hooks launching 300s", "own-state Pending:Wait", "listed i-a", "servers i-a", "go 2"];
    let mut teller = told(&[&launches[..], &["node i-u notready", "time +601s"]].concat());
    let abandon = planned(&mut teller);
    assert!(matches!(abandon, Step::CompleteHook { result: HookResult::Abandon, .. }), "{abandon:?}");
    assert_eq!(why_not(&mut teller, "node i-u ready", &abandon), because(NodeFault::Ready));
}

#[test]
fn no_volume_is_adopted_beside_a_quorum_that_another_sees() {
    let mut teller = told(&[
        "me i-b",
        "policy network-trusted",
        "hooks none",
        "listed i-b",
        "own-state InService",
        "store established generation 1 voters i-a:a1",
        "disk from i-a generation 1 member a1",
        "process stopped",
        "ec2 i-a terminated",
        "order recover-reattached-volume",
    ]);
    let list_here = planned(&mut teller);
    assert!(matches!(list_here, Step::CreateRecord(_)), "{list_here:?}");
    let seen = NoConsent::SeesQuorum(InstanceId::new("i-d"), EtcdClusterId(0xe1));
    assert_eq!(why_not(&mut teller, "peer i-d voter sees-quorum", &list_here), because(seen));
}

/// Until etcd has decided on the cluster's version, the lowest voter's counts.
#[test]
fn an_undecided_clusters_version_is_its_lowest_voters() {
    let mut teller = told(&[&JOINING[..], &["status b2 version 3.6", "binary 3.6"]].concat());
    let add = planned(&mut teller);
    assert_eq!(add.kind(), "add-learner");
    assert_eq!(why_not(&mut teller, "etcd version unknown", &add), None);
    assert_eq!(why_not(&mut teller, "binary 3.7", &add), gap("3.7", "3.5", Whose::Cluster));
}

/// A voter whose data is gone does not count as left: with the others that are gone, quorum is lost for good.
#[test]
fn a_listed_voter_without_its_data_may_restore_the_snapshot_that_an_operator_orders() {
    let mut teller = told(&[
        "me i-a",
        "policy network-trusted",
        "hooks none",
        "listed i-a, i-b, i-c",
        "own-state InService",
        "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3",
        "ec2 i-c terminated",
        "peer i-b recovering holds b2",
        "snapshots aged 5min",
        "order recover-snapshot newest",
        "decide",
        "done",
        "snapshots fetched",
    ]);
    let claim = planned(&mut teller);
    assert!(matches!(claim, Step::CreateRecord(_)), "{claim:?}");
}

/// Nobody manages the member of an instance that no group lists: it may end at any time, so a leaver does not count on it. Neither on one that EC2 does not know.
#[test]
fn no_voter_leaves_counting_on_a_member_of_an_instance_outside_the_groups() {
    let leaving = |lines: &[&'static str]| {
        let world = [
            "me i-a",
            "hooks none",
            "own-state InService",
            "store established generation 1 voters i-a:a1, i-b:b2, i-e:e5",
            "disk generation 1 member a1 cluster e1",
            "process running",
            "etcd members i-a:a1, i-b:b2, i-e:e5",
            "etcd leader b2",
            "etcd via b2",
            "peer i-b voter holds b2",
            "desired 2",
        ];
        told(&[&world[..], lines, &["time +4s", "target Terminated", "lock mine 20s"]].concat())
    };
    let step = planned(&mut leaving(&["listed i-a, i-b, i-e", "peer i-e voter holds e5"]));
    assert!(matches!(step, Step::RemoveMember { member: MemberId(0xa1), .. }), "{step:?}");
    let refused = because(MemberFault::NoHealthyQuorum { healthy: 1, voters: 2 });
    for outside in [["listed i-a, i-b", "ec2 i-e running"], ["listed i-a, i-b", "ec2 i-e not-found"]] {
        assert_eq!(why_not(&mut leaving(&outside), "#", &step), refused, "{outside:?}");
    }
    assert_eq!(why_not(&mut leaving(&["listed i-a, i-b, i-e"]), "#", &step), None, "its agent is only silent");
}

/// i-b's etcd, started with files that accept authority a alone; now its charter rotates to b.
const ROTATES: [&str; 14] = [
    "me i-b",
    "hooks none",
    "listed i-a, i-b, i-c",
    "own-state InService",
    "store established tls authority a rotates-to b generation 1 voters i-a:a1, i-b:b2, i-c:c3",
    "disk generation 1 member b2 cluster e1",
    "process stopped",
    "certificates of a also b",
    "decide",
    "process running",
    "etcd leader b2",
    "etcd members i-a:a1 tls, i-b:b2 tls, i-c:c3 tls",
    "peer i-a voter holds a1 certified shows a+b",
    "peer i-c voter holds c3 certified shows a+b",
];

#[test]
fn no_step_of_a_rotation_is_taken_before_every_member_has_made_the_one_before() {
    let (a, b) = (authority("a"), authority("b"));
    let mut teller = told(&ROTATES);
    teller.line("decide");
    teller.line("done");
    let next = planned(&mut teller);
    let Step::CreateRecord(record) = &next else { panic!("{next:?}") };
    assert_eq!((record.authority, record.rotation), (Some(b), Some(Rotation::From(a))));
    let early = || because(RecordFault::RotatesTooEarly(Rotation::To(b)));
    assert_eq!(why_not(&mut teller, "#", &next), None);
    assert_eq!(why_not(&mut teller, "peer i-c voter holds c3 certified shows a+b loaded a", &next), early());
    assert_eq!(why_not(&mut teller, "peer i-c voter holds c3", &next), early(), "an agent that does not tell");
    assert_eq!(why_not(&mut teller, "peer i-c silent", &next), early());
    assert_eq!(why_not(&mut teller, "peer i-c voter holds c3 shows a+b", &next), early(), "anybody could say so");
    teller.line("peer i-c voter holds c3 certified shows a+b");
    for other in [
        Record { authority: Some(b), rotation: None, ..record.clone() },
        Record { authority: Some(a), rotation: None, ..record.clone() },
        Record { rotation: Some(Rotation::From(b)), ..record.clone() },
    ] {
        assert_eq!(why_not(&mut teller, "#", &Step::CreateRecord(other)), because(RecordFault::ChangesAuthority));
    }
}

#[test]
fn nobody_rotates_without_an_order() {
    let mut lines = ROTATES.to_vec();
    lines[4] = "store established tls generation 1 voters i-a:a1, i-b:b2, i-c:c3";
    lines[7] = "certificates of a next b";
    lines.extend(["order rotate-authority", "decide", "done"]);
    let mut teller = told(&lines);
    let next = planned(&mut teller);
    assert_eq!(why_not(&mut teller, "#", &next), None);
    assert_eq!(
        why_not(&mut teller, "certificates of a", &next),
        because(RecordFault::RotationNotOrdered),
        "the store holds no such authority"
    );
    teller.line("certificates of a next b");
    assert_eq!(why_not(&mut teller, "order none", &next), because(RecordFault::RotationNotOrdered));
}

#[test]
fn no_etcd_is_restarted_for_authorities_that_leads_or_is_needed_or_would_accept_the_same() {
    let mut lines = ROTATES.to_vec();
    lines[4] = "store established tls generation 1 voters i-a:a1, i-b:b2, i-c:c3";
    lines[7] = "certificates of a";
    lines[10] = "etcd leader a1";
    lines.extend([
        "etcd via a1",
        "store established tls authority a rotates-to b generation 1 voters i-a:a1, i-b:b2, i-c:c3",
        "certificates of a also b",
        "decide",
        "done",
    ]);
    let mut teller = told(&lines);
    let stop = planned(&mut teller);
    assert_eq!(stop, Step::StopMember(StopReason::Reload));
    assert_eq!(why_not(&mut teller, "#", &stop), None);
    assert_eq!(why_not(&mut teller, "status c3 silent", &stop), because(MemberFault::NoHealthyQuorum { healthy: 1, voters: 3 }));
    teller.line("status c3 fine");
    assert_eq!(why_not(&mut teller, "etcd leader b2", &stop), because(MemberFault::Leads(MemberId(0xb2))));
    teller.line("etcd leader a1");
    assert_eq!(why_not(&mut teller, "certificates of a", &stop), because(MemberFault::NothingToReload), "the files are as before");
}
