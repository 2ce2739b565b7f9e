use super::*;

#[test]
fn a_changed_list_fails_the_start() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    bench.etcd.add_host(InstanceId::new("i-2"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), Role::Etcd);
    let list = bench.add(0, 2).unwrap();
    let leader = bench.leader().unwrap();
    bench.remove(leader, 1 - leader).unwrap();
    let error = bench.etcd.join(2, &list, bench.now, &bench.links).unwrap_err();
    assert_eq!(error, "error validating peerURLs: member count is unequal");
    assert!(bench.etcd.servers[2].run.is_none());
}

#[test]
fn nobody_to_ask_fails_the_start() {
    let mut bench = Bench::grown(Rule::EveryVoter, 1);
    bench.etcd.add_host(InstanceId::new("i-1"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), Role::Etcd);
    let list = bench.add(0, 1).unwrap();
    bench.links.0.push((0, 1));
    assert!(bench.etcd.join(1, &list, bench.now, &bench.links).unwrap_err().starts_with("cannot fetch cluster info"));
}

#[test]
fn a_removed_member_ends_and_ends_again() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    bench.remove(0, 1).unwrap();
    bench.pass(3);
    assert!(bench.etcd.servers[1].run.is_none());
    bench.etcd.resume(1, false, bench.now).unwrap();
    bench.pass(3);
    assert!(bench.etcd.servers[1].run.is_none(), "it learns of it from its data directory, or from its peers");
    assert_eq!(bench.etcd.servers[1].last_exit, Some("the member has been permanently removed from the cluster"));
}

#[test]
fn a_member_removed_while_it_was_cut_off_is_told_by_its_peers() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let leader = bench.leader().unwrap();
    let gone = (leader + 1) % 3;
    bench.etcd.kill(gone);
    bench.pass(1);
    bench.remove(leader, gone).unwrap();
    bench.etcd.resume(gone, false, bench.now).unwrap();
    assert!(bench.etcd.servers[gone].run.is_some());
    bench.pass(3);
    assert!(bench.etcd.servers[gone].run.is_none());
}

#[test]
fn started_without_quorum_it_runs_but_does_not_answer() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    for host in 0..2 {
        bench.etcd.kill(host);
    }
    bench.etcd.resume(0, false, bench.now).unwrap();
    bench.pass(20);
    assert!(bench.etcd.servers[0].run.is_some());
    assert_eq!(bench.etcd.status(0), None);
    bench.etcd.resume(1, false, bench.now).unwrap();
    bench.pass(5);
    assert!(bench.etcd.status(0).is_some() && bench.etcd.status(1).is_some());
}

#[test]
fn losing_quorum_it_still_tells_its_own_list() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    bench.etcd.kill(1);
    bench.pass(3);
    let status = bench.etcd.status(0).unwrap();
    assert_eq!(status.leader, None);
    assert_eq!(bench.etcd.local_list(0).unwrap().len(), 2);
    assert!(bench.etcd.membership(0, &bench.links).is_err());
    assert!(bench.etcd.put(0, 1, bench.now, &bench.links).is_err());
}

#[test]
fn a_restore_keeps_what_was_applied_and_nothing_of_the_old_ids() {
    let mut bench = Bench::grown(Rule::EveryVoter, 2);
    bench.etcd.put(0, 7, bench.now, &bench.links).unwrap();
    bench.pass(1);
    bench.etcd.stop(0, &bench.links);
    let old = bench.etcd.restore(0, "next token").unwrap();
    bench.etcd.resume(0, true, bench.now).unwrap();
    bench.pass(5);
    let list = bench.etcd.membership(0, &bench.links).unwrap();
    assert_ne!(list.cluster, old.cluster);
    assert_ne!(list.via, old.member);
    assert_eq!(list.members.len(), 1);
    assert!(bench.etcd.servers[0].data.as_ref().unwrap().writes.contains(7));
    assert!(bench.etcd.serves(0) && !bench.etcd.serves_remote(0));
}

#[test]
fn who_joins_a_restored_cluster_gets_the_restored_data() {
    let mut bench = Bench::grown(Rule::EveryVoter, 1);
    bench.etcd.put(0, 7, bench.now, &bench.links).unwrap();
    bench.etcd.stop(0, &bench.links);
    bench.etcd.restore(0, "next token").unwrap();
    bench.etcd.resume(0, false, bench.now).unwrap();
    bench.pass(8);
    bench.etcd.add_host(InstanceId::new("i-1"), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), Role::Etcd);
    bench.add_and_start(1);
    bench.pass(5);
    assert!(bench.etcd.servers[1].data.as_ref().unwrap().writes.contains(7));
}

#[test]
fn an_address_that_changed_hands_is_not_the_old_member() {
    let mut bench = Bench::grown(Rule::EveryVoter, 3);
    let address = bench.etcd.servers[2].address;
    bench.etcd.kill(2);
    bench.etcd.servers[2].data = None;
    let heir = bench.etcd.add_host(InstanceId::new("i-heir"), address, Role::Etcd);
    bench.etcd.found(heir, "other", false, bench.now);
    bench.pass(10);
    assert_eq!(bench.etcd.status(heir).unwrap().leader, bench.etcd.member_id(heir));
    let list = bench.etcd.membership(0, &bench.links).unwrap();
    assert_ne!(list.cluster, bench.etcd.status(heir).unwrap().cluster);
}
