//! Nodes by name and all together, and servers and credentials that change while the agent runs.

use std::path::Path;

use quorate::adapters::kubernetes::ApiServers;
use quorate_lab::kubernetes::{ApiServer, User, kubeconfig};
use quorate_lab::wire::{Fault, Rule, Scope};
use serde_json::json;

use crate::kubernetes_wire::lab::{ANYWHERE, Lab, PATIENCE};

fn write(path: &Path, url: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, kubeconfig(url, &User::Admin)).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn all_nodes_are_listed_over_pages_and_servers_are_told_from_workers() {
    let lab = Lab::start(&[]).await;
    for n in 0..600 {
        let labels = if n == 0 { json!({ "node-role.kubernetes.io/control-plane": "true" }) } else { json!({}) };
        lab.put(json!({ "kind": "Node", "metadata": { "name": format!("i-{n}"), "labels": labels }, "spec": {} }));
    }
    let nodes = lab.adapter().await.list_nodes().await.unwrap();
    assert_eq!((nodes.len(), nodes.iter().filter(|node| node.control_plane).count()), (600, 1));
    assert!(nodes.iter().all(|node| !node.uid.is_empty()));
}

#[tokio::test]
async fn servers_come_and_go_while_it_runs() {
    let lab = Lab::start(&["i-1"]).await;
    let second = ApiServer::start(&lab.cluster, ANYWHERE).await.unwrap();
    let adapter = lab.adapter().await;
    let at: std::net::SocketAddr = second.url().strip_prefix("http://").unwrap().parse().unwrap();
    let Lab { cluster, server } = lab;
    drop(server);
    assert!(adapter.node_view("i-1").await.is_err());
    adapter.set_servers(&[at.ip()], at.port());
    assert!(adapter.node_view("i-1").await.unwrap().is_some());
    adapter.set_servers(&[], at.port());
    assert!(adapter.node_view("i-1").await.is_err());
    drop((cluster, second));
}

#[tokio::test]
async fn credentials_may_come_late_and_change() {
    let lab = Lab::start(&["i-1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k3s.yaml");
    let adapter = ApiServers::at(&path, PATIENCE);
    let error = adapter.node_view("i-1").await.unwrap_err().to_string();
    assert!(error.contains("k3s.yaml"), "{error}");
    write(&path, &lab.server.url());
    assert!(adapter.node_view("i-1").await.unwrap().is_some());

    let second = ApiServer::start(&lab.cluster, ANYWHERE).await.unwrap();
    let first = lab.server.faults().add(Rule::new(Scope::kubernetes("GET", "/i-1"), Fault::Status(500)));
    write(&path, &second.url());
    assert!(adapter.node_view("i-1").await.unwrap().is_some(), "it still asks the first, whose rule {first:?} refuses");
    std::fs::write(&path, "half a").unwrap();
    assert!(adapter.node_view("i-1").await.unwrap().is_some());
    std::fs::remove_file(&path).unwrap();
    assert!(adapter.node_view("i-1").await.unwrap().is_some());
}
