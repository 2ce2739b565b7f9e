//! The double over plain HTTP: watches as lines, headers, and the end of a server.

use quorate_lab::kubernetes::{PodSpec, budget};
use serde_json::{Value, json};

use crate::lab::Lab;

async fn watch(lab: &Lab, query: &str) -> reqwest::Response {
    let url = format!("{}/api/v1/namespaces/default/pods?watch=1{query}", lab.server.url());
    reqwest::Client::new().get(url).bearer_auth("admin").send().await.unwrap()
}

async fn events(stream: &mut reqwest::Response) -> Vec<Value> {
    let chunk = stream.chunk().await.unwrap().unwrap();
    chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[tokio::test]
async fn a_watch_streams_and_ends_with_its_time_or_its_server() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    let mut stream = watch(&lab, "").await;
    assert_eq!(events(&mut stream).await[0]["object"]["metadata"]["name"], "web-0");
    lab.put(PodSpec::new("web-1").on("n1"));
    assert_eq!(events(&mut stream).await[0]["type"], "ADDED");
    let mut short = watch(&lab, "&timeoutSeconds=0&resourceVersion=999").await;
    assert!(short.chunk().await.unwrap().is_none());
    lab.cluster.with(|cluster, _| cluster.compact());
    let mut old = watch(&lab, "&resourceVersion=1").await;
    assert_eq!(events(&mut old).await[0]["object"]["code"], 410);
    drop(lab);
    assert!(stream.chunk().await.is_err(), "the connection breaks");
}

#[tokio::test]
async fn a_budgets_refusal_has_no_retry_after_and_is_a_status() {
    let lab = Lab::start(&["n1"]).await;
    lab.put(PodSpec::new("web-0").on("n1"));
    lab.put(budget("pdb", "web", &json!({ "minAvailable": 1 })));
    let url = format!("{}/api/v1/namespaces/default/pods/web-0/eviction", lab.server.url());
    let body = json!({ "metadata": { "name": "web-0" } }).to_string();
    let answer = reqwest::Client::new().post(&url).bearer_auth("admin").body(body).send().await.unwrap();
    assert!(answer.status() == 429 && !answer.headers().contains_key("retry-after"));
    let status: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("TooManyRequests")));
    let answer = reqwest::Client::new().get(lab.server.url() + "/api/v1/nodes").send().await.unwrap();
    assert_eq!(answer.status(), 401, "without a token");
}
