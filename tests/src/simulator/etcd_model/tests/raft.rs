use super::*;

#[test]
fn a_minority_elects_nobody_and_a_majority_does() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    for other in (0..3).filter(|h| *h != leader) {
        bench.links.0.push((leader, other));
    }
    bench.pass(5);
    let next = bench.leader().unwrap();
    assert_ne!(next, leader);
    assert_eq!(bench.etcd.status(leader).unwrap().leader, None);
    bench.etcd.put(next, 1, bench.now, &bench.links).unwrap();
    bench.links.0.clear();
    bench.pass(2);
    assert!(bench.etcd.servers[leader].data.as_ref().unwrap().writes.contains(1));
    assert_eq!(bench.etcd.quorate_leaders(&bench.links).count(), 1);
}

#[test]
fn what_a_cut_off_leader_took_in_is_lost_unless_a_quorum_has_it() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    for other in (0..3).filter(|h| *h != leader) {
        bench.links.0.push((leader, other));
    }
    assert_eq!(bench.etcd.put(leader, 9, bench.now, &bench.links), Err(CallError::Timeout));
    bench.pass(5);
    bench.links.0.clear();
    bench.pass(5);
    for server in &bench.etcd.servers {
        let data = server.data.as_ref().unwrap();
        assert!(!data.writes.contains(9));
        assert_eq!(data.applied, data.log.len());
    }
}

#[test]
fn an_unanswered_write_may_be_kept_after_all() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    let others: Vec<Host> = (0..3).filter(|h| *h != leader).collect();
    for host in &others {
        bench.etcd.servers[*host].frozen = true;
    }
    assert_eq!(bench.etcd.put(leader, 9, bench.now, &bench.links), Err(CallError::Timeout));
    bench.etcd.servers[others[0]].frozen = false;
    bench.etcd.servers[others[1]].frozen = false;
    bench.pass(5);
    assert!(bench.etcd.servers[others[0]].data.as_ref().unwrap().writes.contains(9));
}

#[test]
fn a_follower_knows_the_commit_only_after_the_acknowledgement() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    let leader = bench.leader().unwrap();
    bench.etcd.put(leader, 3, bench.now, &bench.links).unwrap();
    let follower = bench.etcd.servers[1 - leader].data.as_ref().unwrap();
    assert!(!follower.writes.contains(3), "a restore of this copy would lose it");
    bench.pass(1);
    assert!(bench.etcd.servers[1 - leader].data.as_ref().unwrap().writes.contains(3));
}

#[test]
fn a_graceful_stop_hands_over_and_a_kill_costs_an_election() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    bench.etcd.stop(leader, &bench.links);
    let next = bench.leader().expect("leadership was handed over");
    bench.etcd.resume(leader, false, bench.now).unwrap();
    bench.pass(8);
    bench.etcd.kill(next);
    assert_eq!(bench.leader(), None);
    bench.pass(4);
    assert!(bench.leader().is_some());
}

#[test]
fn a_voter_that_sees_the_leader_elects_no_other() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    let cut = (leader + 1) % 3;
    bench.links.0.push((leader, cut));
    bench.pass(10);
    assert_eq!(bench.leader(), Some(leader));
}

#[test]
fn the_lock_has_one_holder_and_runs_out() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    let (a, b) = (InstanceId::new("i-0"), InstanceId::new("i-1"));
    let ttl = Duration::from_secs(20);
    bench.etcd.acquire(0, (&a, "join"), ttl, bench.now, &bench.links).unwrap();
    assert_eq!(refused(bench.etcd.acquire(1, (&b, "prune"), ttl, bench.now, &bench.links)), "the lock is held");
    bench.pass(15);
    bench.etcd.renew(0, &a, bench.now, &bench.links).unwrap();
    bench.pass(15);
    assert_eq!(bench.etcd.lock(1, bench.now, &bench.links).unwrap().unwrap().holder, a);
    bench.pass(6);
    assert_eq!(bench.etcd.lock(1, bench.now, &bench.links).unwrap(), None);
    assert!(bench.etcd.renew(0, &a, bench.now, &bench.links).is_err());
    bench.etcd.acquire(1, (&b, "prune"), ttl, bench.now, &bench.links).unwrap();
    bench.etcd.release(0, &a, &bench.links).unwrap();
    assert!(bench.etcd.lock(0, bench.now, &bench.links).unwrap().is_some(), "no node releases another's lock");
}

#[test]
fn a_leader_that_removes_itself_alone_may_take_the_news_with_it() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    let leader = bench.leader().unwrap();
    bench.remove(leader, leader).unwrap();
    bench.etcd.kill(leader);
    bench.pass(20);
    assert_eq!(bench.leader(), None, "killed before the follower knew that the removal was committed");

    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    let leader = bench.leader().unwrap();
    bench.remove(leader, leader).unwrap();
    bench.pass(5);
    assert_eq!(bench.leader(), Some(1 - leader));
}
