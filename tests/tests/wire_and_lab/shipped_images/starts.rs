//! The agents of all shipped files reach their goals.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::role::Role;
use quorate_lab::lab::{Lab, LabOptions};
use toml::Table;

use crate::shipped_images::boot::Booted;
use crate::shipped_images::tree::{self, Format, Shipped};

/// Longer than anything takes; only a failure comes near it.
const LIMIT: Duration = Duration::from_secs(90);
/// No hook may time out: the agents' heartbeats keep it open.
const HOOK: Duration = Duration::from_secs(20);
const CLUSTER: &str = "prod";

/// A group of one instance for each file whose machines have this role.
fn feed(lab: &Lab, files: &[Shipped], role: Role) -> anyhow::Result<Vec<GroupName>> {
    let mut groups = Vec::new();
    for file in files {
        let image = Booted::with(file)?;
        if image.role()? == role {
            groups.push(lab.create_group_of(Arc::new(image), lab.group_of(role, &file.name(), CLUSTER, 1, HOOK))?);
        }
    }
    ensure!(!groups.is_empty(), "no file is shipped for the role {}", role.as_str());
    Ok(groups)
}

/// What a machine is given. A Butane file is only the source of another.
fn shipped() -> anyhow::Result<Vec<Shipped>> {
    Ok(tree::shipped()?.into_iter().filter(|file| file.format != Format::Butane).collect())
}

/// Waits until each group's instance has completed its launch; an agent does so once its member serves, or its node is ready.
async fn reach_their_goals(lab: &Lab, groups: &[GroupName]) -> anyhow::Result<()> {
    let reached = lab.until_in_service(groups, groups.len(), LIMIT).await;
    reached.with_context(|| format!("not every file starts its agent:\n{}", told(lab, groups)))
}

/// What the agents' last lines may lack: what an agent warned of when it began to wait, and why the program that it starts again and again ends.
fn told(lab: &Lab, groups: &[GroupName]) -> String {
    let of = |instance: &InstanceId| {
        let (log, state) = (lab.log(instance), lab.disk(instance).join("state"));
        let mut lines: Vec<String> = log.lines().filter(|line| line.contains(" WARN ")).take(5).map(str::to_owned).collect();
        for program in ["etcd.log", "k3s.log"] {
            let text = std::fs::read(state.join(program)).unwrap_or_default();
            lines.extend(String::from_utf8_lossy(&text).lines().last().map(|last| format!("{program} ends with {last}")));
        }
        format!("{instance}:\n{}\n", lines.join("\n"))
    };
    lab.live(groups).iter().map(of).collect()
}

/// What the files configure on an instance works there: a health check is answered, and the alias leads to a server.
async fn serves_as_configured(lab: &Lab, instance: &InstanceId, servers: &[String]) -> anyhow::Result<()> {
    let disk = lab.disk(instance);
    let settings: Table = std::fs::read_to_string(disk.join("config.toml"))?.parse()?;
    let given = |section: &str, key: &str| settings.get(section)?.get(key)?.as_str().map(str::to_owned);
    if let Some(at) = given("health", "listen") {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client.get(format!("http://{at}/readyz")).send().await?;
        ensure!(answer.status().is_success(), "{instance} answers {}", answer.text().await?);
    }
    let Some(alias) = given("kubernetes", "alias") else { return Ok(()) };
    let leads = || async {
        let hosts = std::fs::read_to_string(disk.join("etc/hosts")).map_err(|error| error.to_string())?;
        let led = hosts.lines().find(|line| line.contains(&alias)).and_then(|line| line.split_whitespace().next());
        if led.is_some_and(|address| servers.iter().any(|server| server == address)) { Ok(()) } else { Err(hosts) }
    };
    lab.until(LIMIT, &format!("the alias of {instance} to lead to a server"), leads).await
}

/// `quorate check` is what the docs send a user to.
async fn passes_its_check(lab: &Lab, instance: &InstanceId) -> anyhow::Result<()> {
    let (passes, found) = lab.check(instance).await?;
    ensure!(passes, "{instance}: {found:#}");
    Ok(())
}

#[tokio::test]
async fn each_file_of_an_etcd_node_makes_a_voter() -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    let groups = feed(&lab, &shipped()?, Role::Etcd)?;
    reach_their_goals(&lab, &groups).await?;
    lab.settled(&groups[..], groups.len(), LIMIT, None).await?;
    for instance in lab.live(&groups[..]) {
        serves_as_configured(&lab, &instance, &[]).await?;
        passes_its_check(&lab, &instance).await?;
    }
    Ok(())
}

#[tokio::test]
async fn each_file_of_a_k3s_server_makes_a_voter_and_each_of_a_worker_a_ready_node() -> anyhow::Result<()> {
    let lab = Lab::start(LabOptions::quick()?).await?;
    let files = shipped()?;
    let (servers, workers) = (feed(&lab, &files, Role::ControlPlane)?, feed(&lab, &files, Role::Worker)?);
    reach_their_goals(&lab, &servers).await?;
    reach_their_goals(&lab, &workers).await?;
    lab.until_servers(&servers[..], CLUSTER, servers.len(), LIMIT).await?;
    lab.until_workers(&workers[..], CLUSTER, workers.len(), LIMIT).await?;
    lab.settled(&servers[..], servers.len(), LIMIT, None).await?;
    let live = lab.live(&servers[..]);
    let addresses = live.iter().map(|one| Ok(lab.address(one)?.to_string())).collect::<anyhow::Result<Vec<_>>>()?;
    for instance in live.iter().chain(&lab.live(&workers[..])) {
        serves_as_configured(&lab, instance, &addresses).await?;
        passes_its_check(&lab, instance).await?;
    }
    Ok(())
}
