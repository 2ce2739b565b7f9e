//! What random worlds seldom let through the gate: a step that it lets through in a world that was told, and the same with one thing changed.

use quorate_core::charter::{Origin, Record, State};
use quorate_core::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use quorate_core::plan::{Start, Step, StopReason};
use quorate_core::safety::Violation;
use quorate_core::safety::refusal::{
    CharterFault, ClaimFault, DataFault, LockState, LossFault, MemberFault, NoConsent, NodeFault, NotOrdered, SnapshotFault, Unread,
};
use quorate_core::transport::Transport;

use super::steps;
use crate::story::{self, because};

/// Torn worlds hardly ever let a survivor claim. So what stands in its way is shown on a world where it may, with one thing changed at a time.
#[test]
fn a_survivor_claims_only_as_a_listed_voter_and_over_nobody() {
    let voters = "i-a:a1, i-b:b2, i-c:c3, i-d:d4";
    let why_not = |listed: &str, change: &str| {
        let mut teller = story::Teller::new("survivor");
        let world = ["me i-b", "policy network-trusted", "hooks none", "listed i-a, i-b, i-c, i-d, i-e", "own-state InService"];
        let quorum_lost = ["etcd no-quorum", "ec2 i-c terminated", "ec2 i-d terminated", "peer i-a recovering holds a1 applied 9990"];
        world.iter().for_each(|line| teller.line(line));
        teller.line(&format!("store established generation 1 voters {listed}"));
        teller.line(&format!("etcd members {voters}"));
        ["disk generation 1 member b2 cluster e1", "process running"].iter().chain(&quorum_lost).for_each(|line| teller.line(line));
        teller.line("peer i-e recovering holds b2 applied 9000");
        teller.line(change);
        teller.line("time +11min");
        let w = teller.world.as_mut().unwrap();
        let seen = w.look();
        let before = w.store.newest().cloned().unwrap();
        let me = w.me.instance.clone();
        let claim = Record {
            number: before.number + 1,
            previous: Some(before.digest()),
            generation: before.generation.next(),
            origin: Origin::Survivor { instance: me.clone() },
            state: State::Founding { founder: me },
            etcd_cluster: None,
            ..before
        };
        w.why_not(&Step::CreateRecord(claim), &seen)
    };
    assert_eq!(why_not(voters, "#"), None);
    let under_another_name = "i-a:a1, i-e:b2, i-c:c3, i-d:d4";
    assert_eq!(why_not(under_another_name, "#"), because(CharterFault::NotListed { record: 1, instance: InstanceId::new("i-b") }));
    assert_eq!(
        why_not(voters, "store founding generation 2 origin i-a by i-a"),
        because(ClaimFault::Stands { record: 2, founder: Some(InstanceId::new("i-a")) })
    );
    // Whether a claim is void is another question: without its founder too few of four survive.
    let void = why_not(voters, "peer i-a waiting");
    assert_eq!(void, because(LossFault::WritesMayBeMissing { left: 1, voters: 4 }));
}

/// Torn worlds hardly ever let a snapshot be restored. So what stands in its way is shown on a world where it may be, with one thing changed at a time.
#[test]
fn a_snapshot_is_restored_only_where_nothing_newer_is_left() {
    // The same rules hold for a distribution's server.
    for me in ["me i-d", "me i-d role control-plane"] {
        restored_only_where_nothing_newer_is_left(me);
    }
}

fn restored_only_where_nothing_newer_is_left(me: &str) {
    let why_not = |change: &str| {
        let mut teller = story::Teller::new("restore");
        let world = [me, "policy network-trusted", "hooks none", "store established generation 1 voters i-a:a1, i-b:b2, i-c:c3"];
        let lost = ["listed i-d, i-e", "own-state InService", "ec2 i-a terminated", "ec2 i-b terminated", "ec2 i-c terminated"];
        world.iter().chain(&lost).for_each(|line| teller.line(line));
        ["peer i-e waiting no-data", "snapshots aged 5min, 40min", "decide", "done", "snapshots fetched"]
            .iter()
            .for_each(|line| teller.line(line));
        teller.line(change);
        let w = teller.world.as_mut().unwrap();
        let seen = w.look();
        let before = w.store.newest().cloned().unwrap();
        let claim = Record {
            number: before.number + 1,
            previous: Some(before.digest()),
            generation: before.generation.next(),
            origin: Origin::Snapshot { key: w.snapshots.fetched().unwrap() },
            state: State::Founding { founder: w.me.instance.clone() },
            etcd_cluster: None,
            ancestors: before.lineage(),
            ..before
        };
        w.why_not(&Step::CreateRecord(claim), &seen)
    };
    assert_eq!(why_not("#"), None);
    assert_eq!(why_not("policy no-restore"), because(NotOrdered::Restore));
    assert_eq!(why_not("store retired to snapshots/0000000001/00000000000000099700-0000099700000-i-a"), None);
    assert_eq!(why_not("store retired to snapshots/final"), because(SnapshotFault::RetiredTo("snapshots/final".into())));
    assert_eq!(why_not("disk generation 1 member d4"), because(DataFault::NotEmpty(Some(Generation(1)))));
    assert_eq!(why_not("listed i-d, i-e, i-f"), because(NoConsent::Silent(InstanceId::new("i-f"))));
    assert_eq!(
        why_not("peer i-e waiting holds e5"),
        because(NoConsent::HoldsData { instance: InstanceId::new("i-e"), generation: Some(Generation(1)) })
    );
    assert_eq!(why_not("peer i-e waiting data-unknown"), because(NoConsent::DataUnknown(InstanceId::new("i-e"))));
    assert_eq!(
        why_not("peer i-e waiting no-data sees-quorum"),
        because(NoConsent::SeesQuorum(InstanceId::new("i-e"), EtcdClusterId(0xe1)))
    );
    assert_eq!(why_not("snapshots unlisted"), because(Unread::Snapshots));
    // Its key is another by now.
    assert!(matches!(why_not("snapshots aged 1min, 5min"), Some(Violation::Snapshot(SnapshotFault::NotOfHistory(_)))));
    assert!(matches!(why_not("snapshots added 1min"), Some(Violation::Snapshot(SnapshotFault::NewerLeft(_)))));
    assert_eq!(why_not("store unreadable"), because(Unread::Store));
    assert_eq!(
        why_not("store founding generation 2 origin snapshots/x by i-e"),
        because(ClaimFault::Stands { record: 2, founder: Some(InstanceId::new("i-e")) })
    );
    assert_eq!(
        why_not("store founding generation 2 origin fresh by i-d"),
        because(ClaimFault::Stands { record: 2, founder: Some(InstanceId::new("i-d")) })
    );
}

fn members(ids: &[u64]) -> Vec<MemberId> {
    ids.iter().copied().map(MemberId).collect()
}

/// A node's claim on the highest record of its store, as the gate judges it after these lines.
fn verdict(lines: &[&str], origin: impl Fn(&story::world::World) -> Origin) -> Option<Violation> {
    let mut teller = story::Teller::new("claim");
    lines.iter().for_each(|line| teller.line(line));
    let w = teller.world.as_mut().unwrap();
    let seen = w.look();
    let before = w.store.newest().cloned().unwrap();
    let claim = Record {
        number: before.number + 1,
        previous: Some(before.digest()),
        generation: before.generation.next(),
        origin: origin(w),
        state: State::Founding { founder: w.me.instance.clone() },
        etcd_cluster: None,
        ancestors: before.lineage(),
        ..before
    };
    w.why_not(&Step::CreateRecord(claim), &seen)
}

/// Two of five are left, i-a and i-b, and policy lets neither act.
fn two_of_five() -> Vec<&'static str> {
    let world = ["me i-a", "policy network-trusted", "hooks none", "listed i-a, i-b, i-f", "own-state InService"];
    let store = ["store established generation 1 voters i-a:a1, i-b:b2, i-c:c3, i-d:d4, i-e:e5", "disk generation 1 member a1 cluster e1"];
    let etcd = ["process running", "etcd members i-a:a1, i-b:b2, i-c:c3, i-d:d4, i-e:e5", "etcd no-quorum", "status a1 revision 90000"];
    let gone = ["ec2 i-c terminated", "ec2 i-d terminated", "peer i-b recovering holds b2 applied 9990", "peer i-f waiting"];
    [&world[..], &store, &etcd, &gone, &["snapshots aged 5min, 40min"]].concat()
}

#[test]
fn an_ordered_snapshot_comes_only_where_quorum_never_can() {
    let why_not = |fifth: &str, change: &str| {
        let order = [fifth, "order recover-snapshot newest", "decide"];
        let fetch: &[&str] = if fifth.ends_with("terminated") { &["done", "snapshots fetched"] } else { &[] };
        verdict(&[&two_of_five()[..], &order, fetch, &[change]].concat(), |w| {
            let newest = w.observe().snapshots.stored.last().and_then(|l| l.snapshots.last().map(|s| s.key.clone()));
            Origin::Snapshot { key: newest.unwrap_or_else(|| w.snapshots.fetched().unwrap()) }
        })
    };
    let why = |change| why_not("ec2 i-e terminated", change);
    assert_eq!(why("#"), None);
    assert_eq!(why("peer i-b recovering holds b2 mute"), None, "data that is given up need not say how far it goes");
    assert_eq!(why("policy no-restore"), None, "the operator's order takes precedence over the policy");
    let counts = because(DataFault::NotEmpty(Some(Generation(1))));
    assert_eq!(why_not("ec2 i-e running", "#"), counts, "three of five may come back");
    assert_eq!(why("etcd local-list i-a:a1"), counts, "by its own list it has quorum alone");
    assert_eq!(why("order none"), counts);
    assert_eq!(why("order recover-survivor"), counts);
    assert_eq!(why("order recover-snapshot snapshots/another"), counts);
    assert_eq!(why("etcd quorum"), because(MemberFault::QuorumAlive(EtcdClusterId(0xe1))));
    assert_eq!(why("peer i-b voter holds b2 sees-quorum"), because(NoConsent::SeesQuorum(InstanceId::new("i-b"), EtcdClusterId(0xe1))));
    assert_eq!(why("peer i-b silent"), because(NoConsent::Silent(InstanceId::new("i-b"))));
    assert_eq!(why("peer i-f waiting data-unknown"), because(NoConsent::DataUnknown(InstanceId::new("i-f"))));
    assert_eq!(why("disk unlabelled member a1"), because(DataFault::NotOlder { data: None, claim: Generation(2) }));
    assert_eq!(
        why("store founding generation 2 origin i-b by i-b"),
        because(ClaimFault::Stands { record: 2, founder: Some(InstanceId::new("i-b")) })
    );
}

#[test]
fn an_ordered_survivor_is_a_listed_voter_where_quorum_never_comes_back() {
    let why_not = |fifth: &str, change: &str| {
        let lines = [&two_of_five()[..], &[fifth, "order recover-survivor", change]].concat();
        verdict(&lines, |w| Origin::Survivor { instance: w.me.instance.clone() })
    };
    let why = |change| why_not("ec2 i-e terminated", change);
    assert_eq!(why("#"), None);
    assert_eq!(why("policy halt"), None, "the operator's order takes precedence over the policy");
    assert_eq!(why("status a1 silent"), None, "its etcd need not answer");
    assert_eq!(why("order none"), because(LossFault::WritesMayBeMissing { left: 2, voters: 5 }));
    assert_eq!(why("order recover-snapshot newest"), because(LossFault::WritesMayBeMissing { left: 2, voters: 5 }));
    assert_eq!(why_not("ec2 i-e running", "#"), because(LossFault::NotLost { left: 3, voters: 5 }));
    assert_eq!(
        why("etcd local-list i-a:a1, i-c:c3"),
        because(LossFault::ListsDiffer { own: members(&[0xa1, 0xc3]), charter: members(&[0xa1, 0xb2, 0xc3, 0xd4, 0xe5]) })
    );
    assert_eq!(
        why("peer i-b recovering holds b2 applied 10007"),
        because(NoConsent::HoldsData { instance: InstanceId::new("i-b"), generation: Some(Generation(1)) })
    );
    assert_eq!(why("peer i-b recovering holds b2 mute"), None, "an operator has chosen");
    assert_eq!(why("peer i-b voter holds b2 sees-quorum"), because(NoConsent::SeesQuorum(InstanceId::new("i-b"), EtcdClusterId(0xe1))));
    assert_eq!(why("peer i-f silent"), because(NoConsent::Silent(InstanceId::new("i-f"))));
    assert_eq!(why("disk generation 1 member a9 cluster e1"), because(CharterFault::NotListedHere { record: 1, member: MemberId(0xa9) }));
    assert_eq!(
        why("store founding generation 2 origin snapshots/x by i-b"),
        because(ClaimFault::Stands { record: 2, founder: Some(InstanceId::new("i-b")) })
    );
    let differ = "order recover-survivor although-voters-differ";
    let lines = [&two_of_five()[..], &["ec2 i-e terminated", "etcd local-list i-a:a1, i-c:c3", differ]].concat();
    assert_eq!(verdict(&lines, |w| Origin::Survivor { instance: w.me.instance.clone() }), None);
}

#[test]
fn policy_any_goes_on_from_what_goes_furthest() {
    let lines = |wait: &'static str, change: &'static str| {
        [&two_of_five()[..], &["policy any", "ec2 i-e terminated", "status a1 revision 99990", wait, change]].concat()
    };
    let survivor = |wait, change| verdict(&lines(wait, change), |w| Origin::Survivor { instance: w.me.instance.clone() });
    assert_eq!(survivor("time +11min", "#"), None);
    let too_short = survivor("time +9min", "#");
    assert!(matches!(too_short, Some(Violation::Loss(LossFault::TooShort { since: Some(_), .. }))), "{too_short:?}");
    assert_eq!(survivor("time +11min", "policy halt"), because(NotOrdered::Recovery));
    let passed_over = survivor("time +11min", "status a1 revision 90000");
    assert!(matches!(passed_over, Some(Violation::Snapshot(SnapshotFault::NewerLeft(_)))), "{passed_over:?}");
    assert_eq!(survivor("time +11min", "snapshots unlisted"), because(Unread::Snapshots));
    let silent = "peer i-b recovering holds b2 applied 9990 no-revision";
    assert_eq!(survivor("time +11min", silent), because(Unread::Revision(InstanceId::new("i-b"))));
    let snapshot = |change| {
        let fetched = ["status a1 revision 90000", "decide", "done", "snapshots fetched", change];
        verdict(&[&lines("time +11min", "#")[..], &fetched].concat(), |w| Origin::Snapshot { key: w.snapshots.fetched().unwrap() })
    };
    assert_eq!(snapshot("#"), None);
    for change in
        ["status a1 revision 99990", "peer i-b recovering holds b2 applied 10007", "peer i-b recovering holds b2 mute", "policy halt"]
    {
        assert_eq!(snapshot(change), because(DataFault::NotEmpty(Some(Generation(1)))), "{change}");
    }
}

/// A worker's kubelet is restarted for one reason only while its instance stays: another server, which answers, says that the node is not ready.
#[test]
fn a_kubelet_starts_again_only_through_a_server_in_place_of_one_that_is_gone() {
    let why_not = |change: &str| {
        let mut teller = story::Teller::new("reattach");
        let world = ["me i-w role worker", "hooks none", "own-state InService", "process running", "points-at i-a"];
        world.iter().chain(&["listed i-d", "servers i-a silent, i-d", "node i-w notready", change]).for_each(|line| teller.line(line));
        let w = teller.world.as_mut().unwrap();
        let seen = w.look();
        w.why_not(&Step::StopMember(StopReason::Reattach), &seen)
    };
    assert_eq!(why_not("#"), None);
    assert_eq!(why_not("servers i-a silent, i-d silent"), because(NodeFault::NoServerAnswers));
    assert_eq!(why_not("listed i-a"), because(NodeFault::NoServerAnswers));
    assert_eq!(why_not("servers i-a, i-d"), because(NodeFault::ServerAnswers("10.0.0.1".parse().unwrap())));
    assert_eq!(why_not("points-at none"), because(NodeFault::KnowsNoServer));
    assert_eq!(why_not("node i-w ready"), because(NodeFault::NotUnready));
    assert_eq!(why_not("node unknown"), because(NodeFault::NotUnready));
    assert_eq!(why_not("node none"), None, "a restored cluster may never have heard of it");
}

/// A worker gives its token only to an address that EC2 gave for a server of its cluster, and only to the authority that the store names.
#[test]
fn a_worker_starts_only_through_a_server_that_ec2_knows_and_pinned_as_the_store_says() {
    let hash = |digit: &str| digit.repeat(64).parse().unwrap();
    let server = "10.0.0.1".parse().unwrap();
    let why_not = |authority, change: &str| {
        let mut teller = story::Teller::new("start-worker");
        let world = ["me i-w role worker", "hooks none", "own-state InService", "process stopped", "listed i-a", "servers i-a"];
        world.iter().chain(&["authority nobody", change]).for_each(|line| teller.line(line));
        let w = teller.world.as_mut().unwrap();
        let seen = w.look();
        let step = Step::StartMember(Start::Worker { server, authority }, Transport::Plain);
        w.why_not(&step, &seen)
    };
    let unknown = because(NodeFault::ServerUnknown(server));
    assert_eq!(why_not(None, "#"), None);
    assert_eq!(why_not(None, "servers i-a silent"), because(NodeFault::ServerSilent(server)));
    assert_eq!(why_not(None, "listed i-b"), unknown, "only a peer names it, and no group");
    assert_eq!(why_not(None, "ec2 i-a unknown"), unknown, "listed, and its address is not known");
    assert_eq!(why_not(None, "ec2 i-a terminated"), unknown);
    let other = |named| because(NodeFault::OtherAuthority { named, store: hash("a") });
    assert_eq!(why_not(None, "authority store a"), other(None));
    assert_eq!(why_not(Some(hash("b")), "authority store a"), other(Some(hash("b"))));
    assert_eq!(why_not(Some(hash("a")), "authority store a"), None);
    assert_eq!(why_not(Some(hash("a")), "#"), because(NodeFault::NoAuthority(hash("a"))));
    let disputed = NodeFault::AuthorityDisputed { token: hash("a"), store: hash("b") };
    assert_eq!(why_not(None, "authority token a store b"), because(disputed));
    assert_eq!(why_not(None, "authority unread"), because(Unread::Authority));
}

/// An answer from a peer's port under another key than its agent's permits nothing that loses data, and neither does an unsigned one.
#[test]
fn no_data_is_given_up_on_a_word_under_another_key() {
    let why_not = |before: &str, now: &str, order: &str| {
        let mut teller = story::Teller::new("another-key");
        let world = ["me i-d", "policy network-trusted", "hooks none", "listed i-b, i-d", "own-state InService", "snapshots aged 5min"];
        let lost = ["store established generation 1 voters i-a:a1, i-b:b2, i-c:c3", "ec2 i-a terminated", "ec2 i-c terminated"];
        // The snapshot is verified on this disk, by an order that is then taken back.
        let fetched =
            ["peer i-b waiting no-data unsigned", "order recover-snapshot newest", "decide", "done", "snapshots fetched", "order none"];
        world.iter().chain(&lost).chain(&fetched).chain(&[before]).for_each(|line| teller.line(line));
        teller.world.as_mut().unwrap().look();
        [now, order].iter().for_each(|line| teller.line(line));
        let w = teller.world.as_mut().unwrap();
        let seen = w.look();
        let before = w.store.newest().cloned().unwrap();
        let key = w.snapshots.fetched().unwrap();
        let claim = Record {
            number: before.number + 1,
            previous: Some(before.digest()),
            generation: before.generation.next(),
            origin: Origin::Snapshot { key },
            state: State::Founding { founder: w.me.instance.clone() },
            etcd_cluster: None,
            ancestors: before.lineage(),
            ..before
        };
        w.why_not(&Step::CreateRecord(claim), &seen)
    };
    let (held, gone) = ("peer i-b voter holds b2", "peer i-b waiting no-data");
    assert_eq!(why_not(held, gone, "#"), None, "its own agent says so");
    let another = "peer i-b waiting no-data another-key";
    assert_eq!(why_not(held, another, "#"), because(NoConsent::AnotherKey(InstanceId::new("i-b"))));
    assert_eq!(why_not(held, "peer i-b waiting no-data unsigned", "#"), because(NoConsent::AnotherKey(InstanceId::new("i-b"))));
    assert_eq!(why_not("#", "peer i-b waiting no-data unsigned", "#"), because(NoConsent::Unsigned(InstanceId::new("i-b"))));
    assert_eq!(why_not("#", another, "#"), None, "no other key was heard there before");
    assert_eq!(why_not(gone, another, "#"), None, "it never held anything that could be lost");
    assert_eq!(why_not(held, another, "order recover-snapshot newest"), None, "an operator takes answers as they are");
}

/// Under NOSPACE etcd rejects new leases but still accepts membership changes: a node that runs out of time leaves without the lock.
#[test]
fn a_member_leaves_without_the_lock_only_out_of_space_out_of_time_and_next_in_turn() {
    let why_not = |left: &str, change: &str| {
        let mut teller = story::Teller::new("without-the-lock");
        let world = ["me i-b", "policy network-trusted", "hooks none", "listed i-a, i-b, i-c", "own-state InService", "desired 2"];
        let store = ["store established generation 1 voters i-a:a1, i-b:b2, i-c:c3", "disk generation 1 member b2", "process running"];
        let etcd =
            ["etcd members i-a:a1, i-b:b2, i-c:c3", "etcd leader a1", "etcd via a1", "peer i-a voter holds a1", "peer i-c voter holds c3"];
        let lines = [&world[..], &store, &etcd, &["etcd no-space", "spot terminate in 120s", "decide", left, change]].concat();
        lines.iter().for_each(|line| teller.line(line));
        let w = teller.world.as_mut().unwrap();
        let seen = w.look();
        let step = Step::RemoveMember { via: steps::via(), member: MemberId(0xb2) };
        w.why_not(&step, &seen)
    };
    let (late, no_lock) = ("time +95s", because(MemberFault::NoLock(LockState::Free)));
    assert_eq!(why_not(late, "#"), None);
    assert_eq!(why_not("time +80s", "#"), no_lock);
    assert_eq!(why_not(late, "etcd no-alarm"), no_lock);
    assert_eq!(why_not(late, "lock other i-c to join"), because(MemberFault::NoLock(LockState::HeldBy(InstanceId::new("i-c")))));
    assert_eq!(why_not(late, "etcd members i-a:a1, i-b:b2, i-c:c3, unnamed:d4@i-d learner"), no_lock);
    assert_eq!(why_not(late, "peer i-a leaving holds a1 leaving"), no_lock);
    assert_eq!(why_not(late, "peer i-c leaving holds c3 leaving"), None, "its id is higher");
    assert_eq!(why_not(late, "etcd leader c3"), None);
    assert_eq!(why_not(late, "status c3 silent"), because(MemberFault::NoHealthyQuorum { healthy: 1, voters: 2 }));
}
