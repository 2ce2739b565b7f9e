//! Several servers: fail-over, limits, pages.

use std::time::Duration;

use quorate::adapters::kubernetes::{ApiServers, KubernetesError};
use quorate_core::plan::Outcome;
use quorate_lab::kubernetes::{ApiServer, PodSpec, User, kubeconfig};
use quorate_lab::wire::{Fault, Rule, Scope};
use tokio::net::TcpListener;

use crate::fixtures::answer_with;
use crate::kubernetes_wire::lab::{ANYWHERE, Lab, PATIENCE, unclear};

/// The URL of a server that gives every caller the same answer.
pub(crate) async fn answers_with(status: &str, body: &str) -> String {
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    answer_with(listener, answer.into_bytes());
    url
}

pub(crate) async fn adapter_of(url: &str) -> ApiServers {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), kubeconfig(url, &User::Admin)).unwrap();
    ApiServers::of_kubeconfig(file.path(), &[], PATIENCE).await.unwrap()
}

#[tokio::test]
async fn twelve_hundred_pods_are_listed_over_pages() {
    let lab = Lab::start(&["n1", "n2"]).await;
    for n in 0..1200 {
        lab.put(PodSpec::new(&format!("web-{n}")).on("n1"));
        lab.put(PodSpec::new(&format!("other-{n}")).on("n2"));
    }
    let pages = lab.fault("GET", "/pods", Fault::Delay(Duration::ZERO));
    let pods = lab.adapter().await.pods_on("n1").await.unwrap();
    assert_eq!((pods.len(), lab.server.faults().struck(pages)), (1200, 3));
    let mut names: Vec<&str> = pods.iter().map(|pod| &*pod.id.name).collect();
    names.dedup();
    assert!(names.len() == 1200 && names.iter().all(|name| name.starts_with("web-")));
}

#[tokio::test]
async fn where_one_server_is_away_the_other_answers_and_stays_the_one_that_is_asked() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    let second = ApiServer::start(&lab.cluster, ANYWHERE).await.unwrap();
    let adapter = lab.adapter_as(&User::Admin, &[second.url()]).await;
    assert_eq!(adapter.pods_on("n1").await.unwrap().len(), 1);
    let ending = lab.ending("web-0", Some(60));
    let Lab { cluster, server } = lab;
    drop(server);
    assert_eq!(adapter.pods_on("n1").await.unwrap().len(), 1);
    assert_eq!(adapter.evict(&ending).await, Outcome::Done, "{:?}", cluster.now());
    let asked = second.faults().add(Rule::new(Scope::kubernetes("GET", ""), Fault::Delay(Duration::ZERO)));
    assert_eq!(adapter.is_schedulable("n1").await.unwrap(), Some(true));
    assert_eq!(second.faults().struck(asked), 1);
}

#[tokio::test]
async fn a_write_is_never_repeated_by_itself_but_the_next_goes_elsewhere() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    let second = ApiServer::start(&lab.cluster, ANYWHERE).await.unwrap();
    let adapter = lab.adapter_as(&User::Admin, &[second.url()]).await;
    let struck = lab.fault("POST", "/eviction", Fault::HangUp);
    let why = unclear(adapter.evict(&lab.ending("web-0", Some(60))).await);
    assert!(why.starts_with("no API server answered when asked to evict a pod"), "{why}");
    assert_eq!(lab.server.faults().struck(struck), 1);
    assert_eq!(adapter.evict(&lab.ending("web-0", Some(60))).await, Outcome::Done);
}

#[tokio::test]
async fn a_server_that_hangs_is_left_in_time() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    let second = ApiServer::start(&lab.cluster, ANYWHERE).await.unwrap();
    let alone = lab.adapter().await;
    let both = lab.adapter_as(&User::Admin, &[second.url()]).await;
    lab.server.faults().add(Rule::new(Scope::Kubernetes { method: None, path: None }, Fault::Delay(Duration::from_secs(60))));
    let before = lab.cluster.now();
    assert_eq!(both.is_schedulable("n1").await.unwrap(), Some(true));
    assert!(matches!(alone.pods_on("n1").await, Err(KubernetesError::Slow { .. })));
    unclear(alone.evict(&lab.ending("web-0", None)).await);
    let took = lab.cluster.now().since(before);
    assert!(took >= 3 * PATIENCE - Duration::from_millis(50) && took < 4 * PATIENCE, "{took:?}");
}

#[tokio::test]
async fn a_servers_own_trouble_is_told_from_a_refusal() {
    let lab = Lab::start(&["n1"]).await;
    let adapter = lab.adapter().await;
    lab.fault("GET", "/n1", Fault::Status(503));
    let error = adapter.is_schedulable("n1").await.unwrap_err().to_string();
    assert!(error.contains("503"), "{error}");
    lab.server.faults().clear();
    lab.fault("GET", "/n1", Fault::EmptyBody);
    assert!(adapter.is_schedulable("n1").await.is_err(), "an empty answer is no absent Node");
}

#[tokio::test]
async fn credentials_that_nobody_knows_and_files_that_are_none_are_named() {
    let lab = Lab::start(&["n1"]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), kubeconfig(&lab.server.url(), &User::Admin).replace("token: admin", "token: stale")).unwrap();
    let adapter = ApiServers::of_kubeconfig(file.path(), &[], PATIENCE).await.unwrap();
    let error = adapter.is_schedulable("n1").await.unwrap_err().to_string();
    assert!(error.contains("401 Unauthorized"), "{error}");
    std::fs::write(file.path(), "no: kubeconfig").unwrap();
    assert!(ApiServers::of_kubeconfig(file.path(), &[], PATIENCE).await.is_err());
    let error = ApiServers::of_kubeconfig(std::path::Path::new("/nowhere"), &[], PATIENCE).await.err().unwrap().to_string();
    assert!(error.contains("/nowhere"), "{error}");
}
