//! The double, used as a real cluster is: its kubeconfig in the environment, its own nodes, one test at a time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use quorate_lab::kubernetes::{ApiServer, Cluster, ClusterHandle, Delays, User, kubeconfig, node};
use serde_json::json;
use tokio::process::Command;

use crate::stage::KUBECONFIG;

/// Without disruption budgets: nothing counts them here as a real controller does.
const TESTS: [&str; 3] = ["node::", "evict::a_kubelets_credential", "drain::a_kubelets_credential"];

#[tokio::test]
async fn a_cluster_is_found_by_its_kubeconfig_and_left_as_it_was() {
    if std::env::var_os(KUBECONFIG).is_some() {
        return;
    }
    let ms = Duration::from_millis;
    let cluster = ClusterHandle::new(Cluster::new(Delays { replace: ms(30), start: ms(100), kubelet: ms(10) }));
    let ready = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
    for name in ["tainted", "worker-1", "worker-2"] {
        let mut node = node(name);
        node["status"] = ready.clone();
        if name == "tainted" {
            node["spec"]["taints"] = json!([{ "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }]);
        }
        cluster.with(|cluster, now| cluster.create(node, now)).unwrap();
    }
    let objects =
        || cluster.with(|cluster, _| quorate_lab::kubernetes::Resource::ALL.map(|kind| cluster.all(kind).cloned().collect::<Vec<_>>()));
    let before = objects();
    let server = ApiServer::start(&cluster, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), kubeconfig(&server.url(), &User::Admin)).unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(TESTS).env(KUBECONFIG, file.path()).kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("test result: ok. 8 passed"), "{said}");
    let bare = |objects: [Vec<serde_json::Value>; 6]| {
        objects.map(|kind| kind.into_iter().map(|object| (object["metadata"]["name"].clone(), object["spec"].clone())).collect::<Vec<_>>())
    };
    assert_eq!(bare(objects()), bare(before));
}
