//! The servers write their addresses into the store; a worker reads them there when it has no other source.

use anyhow::Context;
use quorate_lab::lab::url::https;
use quorate_lab::wire::{Fault, Rule, Scope};
use rustix::process::Signal;

use super::plane::{CLUSTER, LIMIT, Plane};

/// Its memory is lost, and EC2 gives no addresses: it learns of the server from the store alone.
#[tokio::test]
async fn a_worker_that_aws_does_not_answer_finds_the_server_by_the_store() -> anyhow::Result<()> {
    let plane = Plane::of(1, 1).await?;
    let (server, worker) = (plane.lab.live(&plane.servers)[0].clone(), plane.lab.live(&plane.workers)[0].clone());
    let path = plane.lab.store(CLUSTER).join(CLUSTER).join("published/endpoints.json");
    let published: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).with_context(|| path.display().to_string())?)?;
    assert_eq!(published["servers"][0]["instance"], server.as_str(), "{published:#}");
    let url = https(plane.lab.address(&server)?, 6443);
    assert!(published["servers"][0]["url"] == *url && published["generation"] == 1 && published["version"] == 1, "{published:#}");

    let authority = published["authority"].as_str().unwrap_or_default();
    assert!(authority.len() == 64 && authority.bytes().all(|digit| digit.is_ascii_hexdigit()), "{published:#}");

    plane.lab.kill_agent(&worker, Signal::TERM).await?;
    std::fs::remove_file(plane.lab.disk(&worker).join("state/memory.json"))?;
    let refused = plane.lab.faults().add(Rule::new(Scope::action("DescribeInstances"), Fault::Status(503)));
    plane.lab.start_agent(&worker).await?;
    let told = || async {
        let log = plane.lab.log(&worker);
        if log.contains("the store tells of 1, written by") { Ok(()) } else { Err(log) }
    };
    plane.lab.until(LIMIT, "the worker to ask the store", told).await?;
    plane.lab.until_status(&worker, LIMIT, "the worker to serve", |status| status["phase"] == "worker").await?;
    assert!(plane.lab.faults().struck(refused) > 0, "EC2 was not asked");
    plane.lab.faults().remove(refused);
    plane.settled(1, 1, None).await
}
