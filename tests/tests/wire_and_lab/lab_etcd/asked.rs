//! What a node answers to a load balancer, to Prometheus, and to applications that look for etcd.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::group::{Group, LIMIT};
use quorate_core::ids::InstanceId;
use quorate_lab::lab::LISTEN;
use quorate_lab::lab::url::http;
use quorate_lab::wire::{Fault, Rule, Scope};
use serde_json::Value;

const RULES: &str = include_str!("../../../../packaging/prometheus/quorate.rules.yaml");
const DASHBOARD: &str = include_str!("../../../../packaging/prometheus/dashboard.json");

pub(crate) async fn get(address: IpAddr, port: u16, path: &str) -> anyhow::Result<(u16, String)> {
    let answer = reqwest::get(http(address, port) + path).await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// The instances that answer 200.
async fn yes(group: &Group, path: &str) -> anyhow::Result<BTreeSet<InstanceId>> {
    let mut yes = BTreeSet::new();
    for instance in group.live() {
        let (status, body) = get(group.lab.address(&instance)?, LISTEN.health, path).await?;
        assert!([200, 503].contains(&status) && body.ends_with('\n'), "{instance}{path}: {status} {body}");
        if status == 200 {
            yes.insert(instance);
        }
    }
    Ok(yes)
}

async fn until_ready(group: &Group, what: &str, wanted: impl Fn(&BTreeSet<InstanceId>) -> bool) -> anyhow::Result<()> {
    let look = || async {
        let ready = yes(group, "/readyz").await.map_err(|error| error.to_string())?;
        if wanted(&ready) { Ok(()) } else { Err(format!("ready are {ready:?}")) }
    };
    group.lab.until(LIMIT, what, look).await
}

/// Those in the file that applications read.
pub(crate) fn endpoints(group: &Group, instance: &InstanceId) -> anyhow::Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(group.lab.disk(instance).join("run/endpoints.env"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("ETCDCTL_ENDPOINTS=")).unwrap_or_default();
    Ok(line.trim_matches('"').split(',').map(str::to_owned).collect())
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("quorate_") && word.len() > "quorate_".len()).map(str::to_owned).collect()
}

#[tokio::test]
async fn load_balancers_metrics_and_applications_are_answered() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let all: BTreeSet<InstanceId> = group.live().into_iter().collect();
    assert_eq!(yes(&group, "/readyz").await?, all);
    let leader = group.lab.leader(&group.name).await?;
    assert_eq!(yes(&group, "/leader").await?, BTreeSet::from([leader.clone()]));

    let urls: BTreeSet<String> = all.iter().map(|one| Ok(http(group.lab.address(one)?, 2379))).collect::<anyhow::Result<_>>()?;
    assert_eq!(endpoints(&group, &leader)?, urls);

    let (_, text) = get(group.lab.address(&leader)?, LISTEN.metrics, "/metrics").await?;
    let exported: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    // A counter's and a histogram's series have endings of their own.
    let base = |name: &str| ["_total", "_bucket", "_info"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned();
    let unknown: Vec<String> = named(RULES).union(&named(DASHBOARD)).filter(|name| !exported.contains(&*base(name))).cloned().collect();
    assert!(unknown.is_empty(), "the alert rules or the dashboard ask for {unknown:?}, and there is\n{text}");
    for line in [
        "quorate_leads 1.0",
        "quorate_has_quorum 1.0",
        "quorate_voters 3.0",
        "quorate_voters_healthy 3.0",
        "quorate_phase{phase=\"voter\"} 1",
    ] {
        assert!(text.lines().any(|have| have == line), "no {line} in\n{text}");
    }
    assert!(text.contains("quorate_steps_total{step=\"start-member\",outcome=\"done\"}"), "{text}");

    // One that stops answering is no longer ready; its own agent sees it within a cycle or two.
    group.lab.freeze_etcd(&leader)?;
    until_ready(&group, "the frozen node to be taken out", |ready| !ready.contains(&leader)).await?;
    group.lab.until_whole(&group.name, 3, LIMIT).await?;

    group.resize(1)?;
    group.settled(1, None).await?;
    let last = group.live().remove(0);
    let alone = BTreeSet::from([http(group.lab.address(&last)?, 2379)]);
    let shrunk = || async {
        let now = endpoints(&group, &last).map_err(|error| error.to_string())?;
        if now == alone { Ok(()) } else { Err(format!("the file names {now:?}")) }
    };
    group.lab.until(LIMIT, "the endpoints file to name the last one alone", shrunk).await
}

/// A group that believed a check of `/readyz` would terminate all three here; `/livez` gives it no reason to.
#[tokio::test]
async fn with_quorum_lost_no_member_is_ready_and_every_agent_lives() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let all: BTreeSet<InstanceId> = group.live().into_iter().collect();
    all.iter().take(2).try_for_each(|instance| group.lab.freeze_etcd(instance))?;
    until_ready(&group, "no member to be ready", BTreeSet::is_empty).await?;
    assert_eq!((yes(&group, "/leader").await?, yes(&group, "/livez").await?), (BTreeSet::new(), all));
    Ok(())
}

/// The value of a metric of an agent, as it stands in its line.
async fn metric(group: &Group, instance: &InstanceId, name: &str) -> anyhow::Result<String> {
    let (_, text) = get(group.lab.address(instance)?, LISTEN.metrics, "/metrics").await?;
    Ok(text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("none").trim().to_owned())
}

async fn until_metric(group: &Group, instance: &InstanceId, name: &str, wanted: &str) -> anyhow::Result<()> {
    let as_wanted = || async {
        let value = metric(group, instance, name).await.map_err(|error| error.to_string())?;
        if value == wanted { Ok(()) } else { Err(format!("it is {value}")) }
    };
    group.lab.until(LIMIT, &format!("{name} {wanted}"), as_wanted).await
}

/// It takes a minute, independently of the cycle.
#[tokio::test]
async fn metadata_that_stay_silent_are_told_in_status_journal_and_metrics_and_so_is_their_return() -> anyhow::Result<()> {
    const READABLE: &str = "quorate_source_readable{source=\"imds\"}";
    let group = Group::of(1).await?;
    let instance = group.live().remove(0);
    assert_eq!(metric(&group, &instance, READABLE).await?, "1");
    let fault = group.lab.faults().add(Rule::new(Scope::Imds { path: None, instance: Some(instance.clone()) }, Fault::HangUp));
    let told = |status: &Value| status["unreadable"][0].as_str().is_some_and(|m| m.starts_with("IMDS has not been readable for "));
    group.until(&instance, "status tells that IMDS is not readable", told).await?;
    // It shows the last cycle, and status this moment.
    until_metric(&group, &instance, READABLE, "0").await?;
    let log = group.lab.log(&instance);
    assert_eq!(log.matches("IMDS has not been readable for ").count(), 1, "{log}");

    group.lab.faults().remove(fault);
    until_metric(&group, &instance, READABLE, "1").await?;
    assert!(group.lab.log(&instance).contains("IMDS can be read again, after "));
    group.settled(1, None).await
}
