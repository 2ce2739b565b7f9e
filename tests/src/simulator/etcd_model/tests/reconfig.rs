use super::*;

const UNHEALTHY: &str = "etcdserver: unhealthy cluster";
const NOT_STARTED: &str = "etcdserver: re-configuration failed due to not enough started members";

#[test]
fn three_up_any_may_be_removed() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    bench.remove(0, 1).unwrap();
    assert_eq!(bench.voters(0), 2);
}

#[test]
fn with_one_of_three_down_the_dead_may_be_removed_and_the_living_not() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    bench.etcd.kill(2);
    bench.pass(1);
    assert_eq!(refused(bench.remove(0, 1)), UNHEALTHY);
    bench.remove(0, 2).unwrap();
    assert_eq!(bench.voters(0), 2);
}

#[test]
fn of_two_one_may_be_removed_and_of_one_none() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    let leader = bench.leader().unwrap();
    bench.remove(leader, 1 - leader).unwrap();
    bench.pass(3);
    assert_eq!(bench.voters(leader), 1);
    assert_eq!(refused(bench.remove(leader, leader)), NOT_STARTED);
}

#[test]
fn a_dead_voter_blocks_even_a_learner_under_the_old_rule() {
    for (rule, hosts, allowed) in
        [(Rule::EveryVoter, 4, false), (Rule::QuorumOfMore, 4, false), (Rule::EveryVoter, 6, false), (Rule::QuorumOfMore, 6, true)]
    {
        let mut bench = Bench::grown(rule, hosts - 1);
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
        bench.etcd.add_host(InstanceId::new("i-new"), address, Role::Etcd);
        bench.etcd.kill(1);
        bench.pass(10);
        assert_eq!(bench.add(0, hosts - 1).is_ok(), allowed, "{rule:?} with {} voters", hosts - 1);
    }
}

#[test]
fn a_peer_counts_only_after_five_seconds_and_only_as_the_receiver_sees_it() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    bench.etcd.kill(2);
    bench.etcd.resume(2, false, bench.now).unwrap();
    bench.pass(2);
    let leader = bench.leader().unwrap();
    assert_eq!(refused(bench.remove(leader, 2)), UNHEALTHY);
    bench.pass(5);
    bench.links.0.push((0, 1));
    bench.links.0.push((0, 2));
    bench.links.0.clear();
    bench.remove(leader, 2).unwrap();
}

#[test]
fn one_learner_at_a_time_and_one_entry_per_url() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    bench.etcd.add_host(InstanceId::new("i-2"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), Role::Etcd);
    bench.etcd.add_host(InstanceId::new("i-3"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)), Role::Etcd);
    bench.add(0, 2).unwrap();
    assert_eq!(refused(bench.add(0, 2).map(|_| ())), "etcdserver: Peer URLs already exists");
    assert_eq!(refused(bench.add(0, 3).map(|_| ())), "etcdserver: too many learner members in cluster");
}

#[test]
fn only_a_started_learner_in_sync_is_promoted() {
    let mut bench = Bench::grown(Rule::EveryVoter, 1);
    bench.etcd.catch_up = 1;
    for number in 0..40 {
        bench.etcd.put(0, number, bench.now, &bench.links).unwrap();
    }
    bench.etcd.add_host(InstanceId::new("i-1"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), Role::Etcd);
    let list = bench.add(0, 1).unwrap();
    let id = bench.etcd.membership(0, &bench.links).unwrap().learner().unwrap().id;
    let not_in_sync = "etcdserver: can only promote a learner member which is in sync with leader";
    assert_eq!(refused(bench.promote(0, id)), not_in_sync, "never started");
    bench.etcd.join(1, &list, bench.now, &bench.links).unwrap();
    bench.pass(5);
    assert_eq!(refused(bench.promote(0, id)), not_in_sync, "far behind");
    assert_eq!(refused(bench.promote(1, MemberId(5))), "etcdserver: member not found");
    bench.pass(20);
    bench.promote(0, id).unwrap();
    assert_eq!(refused(bench.promote(0, id)), "etcdserver: can only promote a learner member");
}

#[test]
fn a_learner_has_no_vote_and_may_always_be_removed() {
    let mut bench = Bench::grown(Rule::EveryVoter, 1);
    bench.etcd.add_host(InstanceId::new("i-1"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), Role::Etcd);
    bench.add_and_start(1);
    bench.pass(2);
    bench.etcd.kill(1);
    bench.pass(5);
    assert_eq!(bench.leader(), Some(0));
    bench.remove(0, 1).unwrap();
}

#[test]
fn a_second_change_waits_for_the_first_to_be_applied() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    let others: Vec<Host> = (0..3).filter(|h| *h != leader).collect();
    for host in &others {
        bench.etcd.servers[*host].frozen = true;
    }
    let id = bench.etcd.member_id(others[0]).unwrap();
    assert_eq!(bench.etcd.remove(leader, id, bench.now, &bench.links), Err(CallError::Timeout));
}

#[test]
fn leadership_moves_to_a_voter_and_only_from_the_leader() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    let other = (leader + 1) % 3;
    let id = bench.etcd.member_id(other).unwrap();
    assert_eq!(refused(bench.etcd.move_leader(other, id, &bench.links)), "etcdserver: not leader");
    assert_eq!(refused(bench.etcd.move_leader(leader, MemberId(1), &bench.links)), "etcdserver: bad leader transferee");
    bench.etcd.move_leader(leader, id, &bench.links).unwrap();
    assert_eq!(bench.leader(), Some(other));
    bench.pass(2);
    assert_eq!(bench.leader(), Some(other));
}
