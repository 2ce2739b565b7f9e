//! Servers that join.

use etcd_client::MemberAddOptions;
use quorate_lab::lab::etcd::Member;

use crate::world::{LONG, World};

#[tokio::test]
async fn three_servers_of_which_two_join_at_once_become_one_cluster() {
    let world = World::start().await;
    let first = world.founder().await;
    let (mut second, mut third) = (world.machine(1), world.machine(2));
    for joiner in [&mut second, &mut third] {
        joiner.configure(&format!("server: {}\n", first.url()));
        joiner.start_again_and_again("server");
    }
    let all = [&first, &second, &third];
    world.until(LONG, &third, "all three vote", || async { all.iter().all(|machine| world.votes(machine)) }).await;
    let names: Vec<String> = all.iter().map(|machine| machine.name.clone()).collect();
    for machine in all {
        assert_eq!(machine.voters().await, names);
        assert!(machine.etcd_name().starts_with(&format!("{}-", machine.name)));
        assert_eq!(world.annotation(machine, "node-name"), Some(machine.etcd_name()));
        assert_eq!(world.annotation(machine, "node-address"), Some(machine.address.to_string()));
        let node = world.node(&machine.name).unwrap();
        assert_eq!(node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"], "true");
        assert_eq!(machine.api().await.is_schedulable(&first.name).await.unwrap(), Some(true));
    }
    // etcd takes one learner at a time.
    let waited = [&second, &third].iter().any(|joiner| joiner.log().contains("Waiting for other members to finish joining etcd cluster"));
    assert!(waited, "{}\n{}", second.log(), third.log());
}

#[tokio::test]
async fn a_server_whose_first_one_is_not_up_ends_and_founds_nothing() {
    let world = World::start().await;
    let mut machine = world.machine(1);
    machine.configure(&format!("server: https://{}:6443\ncluster-init: true\n", world.machine(0).address));
    machine.start("server");
    assert_eq!(machine.ended().await.code(), Some(1));
    assert!(machine.log().contains("failed to get CA certs: "), "{}", machine.log());
    assert!(!machine.data("server/db/etcd/member").exists());
}

#[tokio::test]
async fn a_wrong_token_is_fatal() {
    let world = World::start().await;
    let first = world.founder().await;
    let mut machine = world.machine(1);
    for (token, why) in [("wrong", "401 Unauthorized: not authorized"), ("K10ff::server:secret", "token CA hash does not match")] {
        machine.configure(&format!("server: {}\ntoken: {token}\n", first.url()));
        machine.start("server");
        assert_eq!(machine.ended().await.code(), Some(1));
        assert!(machine.log().contains(why), "{}", machine.log());
    }
    let full = std::fs::read_to_string(first.data("server/token")).unwrap();
    machine.configure(&format!("server: {}\ntoken: {}\n", first.url(), full.trim()));
    machine.start("server");
    world.until(LONG, &machine, "the full token is good", || async { world.votes(&machine) }).await;
}

#[tokio::test]
async fn a_node_name_that_a_member_has_already_is_fatal() {
    let world = World::start().await;
    let first = world.founder().await;
    let mut twin = world.machine(1);
    twin.configure(&format!("server: {}\nnode-name: {}\n", first.url(), first.name));
    twin.start("server");
    assert_eq!(twin.ended().await.code(), Some(1));
    assert!(twin.log().contains("duplicate node name found, please use a unique name for this node"), "{}", twin.log());
    assert_eq!(first.list().await.unwrap().members.len(), 1);
}

#[tokio::test]
async fn data_on_the_disk_win_over_the_configuration() {
    let world = World::start().await;
    let mut first = world.founder().await;
    let before = (first.list().await.unwrap().cluster, first.etcd_name());
    assert!(first.stop().await.success());
    assert!(!first.has_etcd(), "etcd ends with its k3s");
    first.configure("server: https://192.0.2.1:6443\n");
    first.start("server");
    world.until(LONG, &first, "it serves again", || async { first.list().await.is_some() }).await;
    assert_eq!((first.list().await.unwrap().cluster, first.etcd_name()), before);
    assert!(first.stop().await.success());
    first.configure("token: another\n");
    first.start("server");
    assert_eq!(first.ended().await.code(), Some(1));
    assert!(first.log().contains("encrypted with different token"), "{}", first.log());
}

#[tokio::test]
async fn a_founder_on_another_address_is_not_found_by_joiners() {
    let world = World::start().await;
    let mut first = world.machine(0);
    first.configure(&format!("cluster-init: true\nbind-address: {}\n", first.founding()));
    first.start("server");
    world.until(LONG, &first, "it votes", || async { world.votes(&first) }).await;
    assert_eq!(first.api().await.is_schedulable(&first.name).await.unwrap(), Some(true), "its own kubeconfig leads to it");
    let mut joiner = world.machine(1);
    joiner.configure(&format!("server: {}\n", first.url()));
    joiner.start("server");
    assert_eq!(joiner.ended().await.code(), Some(1));
    assert!(joiner.log().contains("failed to get CA certs"), "{}", joiner.log());
}

#[tokio::test]
async fn a_learner_that_never_started_is_adopted_by_the_one_at_its_address() {
    let world = World::start().await;
    let first = world.founder().await;
    let mut second = world.machine(1);
    // As if its MemberAdd had come through and it had died before its etcd started.
    let url = format!("https://{}:2380", second.address);
    first.client().await.unwrap().member_add([url], Some(MemberAddOptions::new().with_is_learner())).await.unwrap();
    let added = first.list().await.unwrap().members;
    second.configure(&format!("server: {}\n", first.url()));
    second.start("server");
    world.until(LONG, &second, "it votes", || async { world.votes(&second) }).await;
    let ids = |members: &[Member]| members.iter().map(|member| member.id).collect::<Vec<_>>();
    assert_eq!(ids(&first.list().await.unwrap().members), ids(&added));
}

#[tokio::test]
async fn a_learner_that_makes_no_progress_is_removed() {
    let world = World::start().await;
    let first = world.founder().await;
    let url = format!("https://{}:2380", world.machine(1).address);
    first.client().await.unwrap().member_add([url], Some(MemberAddOptions::new().with_is_learner())).await.unwrap();
    let mut second = world.machine(2);
    second.configure(&format!("server: {}\n", first.url()));
    second.start("server");
    world.until(LONG, &second, "it joins once the other is removed", || async { world.votes(&second) }).await;
    assert!(second.log().contains("too many learner members in cluster"), "{}", second.log());
    assert!(first.log().contains("that makes no progress"), "{}", first.log());
}
