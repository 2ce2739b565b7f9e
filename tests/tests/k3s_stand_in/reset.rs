//! `--cluster-reset`: what a snapshot and the token bring back, and what k3s refuses.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use etcd_client::Client;

use crate::world::{LONG, Machine, World};

/// A snapshot of a server's etcd.
async fn snapshot(of: &Machine) -> PathBuf {
    let file = of.disk.join("snapshot.db");
    let (mut stream, mut to) = (of.client().await.unwrap().snapshot().await.unwrap(), File::create(&file).unwrap());
    while let Some(part) = stream.message().await.unwrap() {
        to.write_all(part.blob()).unwrap();
    }
    file
}

async fn keys(mut client: Client, prefix: &str) -> Vec<String> {
    let options = etcd_client::GetOptions::new().with_prefix();
    let found = client.get(prefix, Some(options)).await.unwrap();
    found.kvs().iter().map(|kv| kv.key_str().unwrap().to_owned()).collect()
}

fn authority(machine: &Machine) -> String {
    fs::read_to_string(machine.data("server/tls/server-ca.crt")).unwrap()
}

fn found_alone(machine: &Machine, more: &str) {
    machine.configure(&format!("cluster-init: true\nbind-address: {}\n{more}", machine.founding()));
}

fn beside(machine: &Machine, of: &str, prefix: &str) -> usize {
    let entries = fs::read_dir(machine.data(of)).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)).count()
}

async fn reset(machine: &mut Machine, arguments: &[&str]) -> Option<i32> {
    let all: Vec<&str> = [&["--cluster-reset"][..], arguments].concat();
    machine.start_with("server", &all);
    machine.ended().await.code()
}

#[tokio::test]
async fn a_snapshot_and_the_token_bring_the_cluster_back_on_another_machine() {
    let world = World::start().await;
    let mut first = world.founder().await;
    let mut client = first.client().await.unwrap();
    client.put("/load/1", "", None).await.unwrap();
    let (file, before) = (snapshot(&first).await, first.list().await.unwrap().cluster);
    client.put("/load/2", "", None).await.unwrap();
    let ca = authority(&first);
    first.kill().await;
    let mut second = world.machine(1);
    found_alone(&second, "");
    let path = format!("--cluster-reset-restore-path={}", file.display());
    assert_eq!(reset(&mut second, &[&path, "--etcd-s3=false"]).await, Some(0), "{}", second.log());
    assert!(second.log().contains("Managed etcd cluster membership has been reset, restart without --cluster-reset flag now"));
    assert!(!second.has_etcd());
    assert_eq!((beside(&second, "server/db", "etcd-old-"), beside(&second, "server", "tls-")), (1, 1));
    assert_eq!(authority(&second), ca, "the authority is the cluster's");
    assert!(second.data("server/db/reset-flag").exists());
    second.configure("cluster-init: true\n");
    second.start("server");
    world.until(LONG, &second, "it votes", || async { world.votes(&second) }).await;
    assert!(!second.data("server/db/reset-flag").exists());
    assert_eq!(keys(second.client().await.unwrap(), "/load/").await, ["/load/1"]);
    let now = second.list().await.unwrap();
    assert_eq!((now.members.len(), now.cluster == before), (1, false));
    let third = world.joined(2, &second).await;
    assert_eq!((authority(&third), third.voters().await.len()), (ca, 2));
}

#[tokio::test]
async fn without_the_token_of_its_time_a_snapshot_is_not_opened() {
    let world = World::start().await;
    let first = world.founder().await;
    let file = snapshot(&first).await;
    let path = format!("--cluster-reset-restore-path={}", file.display());
    let mut second = world.machine(1);
    found_alone(&second, "token: another\n");
    assert_eq!(reset(&mut second, &[&path]).await, Some(1));
    assert!(second.log().contains("bootstrap data already found and encrypted with different token"), "{}", second.log());
    assert!(second.data("server/db/etcd/member/wal").exists(), "what it did until then stays");
    // A file with the same token is not enough.
    let mut third = world.machine(2);
    fs::write(third.disk.join("token"), "secret\n").unwrap();
    let baked = fs::read_to_string(third.disk.join("config.yaml")).unwrap().replace("token: secret\n", "");
    fs::write(third.disk.join("config.yaml"), baked).unwrap();
    found_alone(&third, &format!("token-file: {}\n", third.disk.join("token").display()));
    assert_eq!(reset(&mut third, &[&path]).await, Some(1));
    assert!(third.log().contains("server/token does not exist, please pass --token to complete the restoration"), "{}", third.log());
    assert!(!third.data("server/db/etcd/member").exists());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_touched() {
    let world = World::start().await;
    let mut machine = world.machine(1);
    let nowhere = ["--cluster-reset-restore-path=/nowhere"];
    machine.start_with("server", &nowhere);
    assert_eq!(machine.ended().await.code(), Some(1));
    found_alone(&machine, "");
    assert_eq!(reset(&mut machine, &nowhere).await, Some(1));
    machine.configure("server: https://192.0.2.1:6443\n");
    assert_eq!(reset(&mut machine, &nowhere).await, Some(1));
    let log = machine.log();
    for why in [
        "--cluster-reset required with --cluster-reset-restore-path",
        "etcd: snapshot path does not exist: /nowhere",
        "cannot perform cluster-reset while server URL is set",
    ] {
        assert!(log.contains(why), "{why}\n{log}");
    }
    assert!(!machine.data("server").exists());
}

#[tokio::test]
async fn a_survivor_is_reset_once_until_it_has_started_again() {
    let world = World::start().await;
    let mut first = world.founder().await;
    let mut second = world.joined(1, &first).await;
    first.client().await.unwrap().put("/load/1", "", None).await.unwrap();
    let (ca, before) = (authority(&first), first.list().await.unwrap().cluster);
    second.kill().await;
    assert!(first.stop().await.success());
    found_alone(&first, "");
    assert_eq!(reset(&mut first, &[]).await, Some(0), "{}", first.log());
    assert_eq!(reset(&mut first, &[]).await, Some(1));
    assert!(first.log().contains("you must first manually delete the"), "{}", first.log());
    first.configure("cluster-init: true\n");
    first.start("server");
    world.until(LONG, &first, "it is alone", || async { first.voters().await == [first.name.clone()] }).await;
    assert_eq!((authority(&first), first.list().await.unwrap().cluster), (ca, before), "a reset keeps the cluster's id");
    assert_eq!(keys(first.client().await.unwrap(), "/load/").await, ["/load/1"]);
}
