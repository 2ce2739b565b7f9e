//! Files, tokens, and what is fatal before anything runs.

use tokio::process::Command;

use crate::world::{PROGRAM, World};

#[tokio::test]
async fn the_version_is_said_as_k3s_says_it() {
    let output = Command::new(PROGRAM).arg("--version").output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("k3s version v1.33.5+k3s1 ("), "{text}");
}

#[tokio::test]
async fn an_unknown_key_is_fatal() {
    let world = World::start().await;
    let mut machine = world.machine(0);
    machine.configure("cluster-init: true\nclusterinit: true\n");
    machine.start("server");
    assert_eq!(machine.ended().await.code(), Some(1));
    assert!(machine.log().contains("flag provided but not defined: -clusterinit"), "{}", machine.log());
}

#[tokio::test]
async fn a_server_that_is_told_neither_founds_nothing() {
    let world = World::start().await;
    let mut machine = world.machine(0);
    machine.start("server");
    assert_eq!(machine.ended().await.code(), Some(1));
    assert!(!machine.data("server/db/etcd/member").exists());
}

#[tokio::test]
async fn later_files_win_and_lists_grow() {
    let world = World::start().await;
    let mut machine = world.machine(0);
    machine.configure("cluster-init: true\nnode-name: other\nnode-label: [a=1]\nnode-taint: [k=v:NoSchedule]\n");
    let last = format!("node-name: {}\nnode-label+: [b=2, topology.kubernetes.io/zone=z]\n", machine.name);
    std::fs::write(machine.disk.join("config.yaml.d/99-last.yaml"), last).unwrap();
    machine.start("server");
    world.until(crate::world::LONG, &machine, "the Node is there", || async { world.node(&machine.name).is_some() }).await;
    let node = world.node(&machine.name).unwrap();
    let labels = &node["metadata"]["labels"];
    assert_eq!((&labels["a"], &labels["b"], &labels["topology.kubernetes.io/zone"]), (&"1".into(), &"2".into(), &"z".into()));
    assert_eq!(node["spec"]["taints"][0]["effect"], "NoSchedule");
}

#[tokio::test]
async fn the_first_server_takes_no_token_that_names_an_authority() {
    let world = World::start().await;
    let mut machine = world.machine(0);
    machine.configure("cluster-init: true\ntoken: K100123::server:secret\n");
    machine.start("server");
    assert_eq!(machine.ended().await.code(), Some(1));
    assert!(machine.log().contains("accepts only the short form"), "{}", machine.log());
}
