//! Kubernetes servers and a worker, with the stand-in for k3s as the units that k3s' installer makes.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use quorate::messages::{HOOK_COMPLETED, LEFT};
use quorate_core::ids::InstanceId;
use quorate_core::role::Role;
use quorate_lab::kubernetes::{PodSpec, Resource, workload};
use quorate_lab::lab::AgentSettings;
use quorate_lab::lab::kubernetes::ClusterGroups;
use quorate_lab::lab::witness::Witness;
use quorate_lab::machine::k3s::{ALIAS, PROXY};
use quorate_lab::machine::{Machine, System, World};

use super::evidence::{Mark, in_order, tell};
use super::scene::{AGENT, HOOK, LIMIT};

const CLUSTER: &str = "prod";
const SERVERS: usize = 3;
/// The issue's own bound for the alias to leave a dead server.
const ALIAS_MOVES: Duration = Duration::from_secs(10);

/// A world with three servers and a worker, all Ready and in service.
struct Plane {
    world: World,
    groups: ClusterGroups,
}

impl Deref for Plane {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

async fn play(name: &str, act: impl AsyncFnOnce(&Plane) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let Some(world) = World::enter(name, System::Packaged, AgentSettings::quick()).await? else {
        println!("SKIPPED machine: machines are booted by `make test-machine`");
        return Ok(());
    };
    let group = |role, name, size| world.create_group(world.group_of(role, name, CLUSTER, size, HOOK));
    let (servers, workers) = (group(Role::ControlPlane, "servers", 3)?, group(Role::Worker, "workers", 1)?);
    let plane = Plane { world, groups: ClusterGroups { cluster: CLUSTER.to_owned(), servers, workers } };
    plane.formed().await?;
    act(&plane).await?;
    plane.passed();
    Ok(())
}

impl Plane {
    async fn formed(&self) -> anyhow::Result<()> {
        self.until_plane(&self.groups, SERVERS, 1, LIMIT).await
    }

    fn servers(&self) -> anyhow::Result<Vec<Arc<Machine>>> {
        self.live(&self.groups.servers).iter().map(|instance| self.machine(instance)).collect()
    }

    fn worker(&self) -> anyhow::Result<Arc<Machine>> {
        self.machine(self.live(&self.groups.workers).first().context("there is no worker")?)
    }

    /// The server that the worker's alias points at.
    async fn named(&self, worker: &Machine) -> anyhow::Result<InstanceId> {
        let address = alias(worker).await?;
        let server = self.live(&self.groups.servers).into_iter().find(|one| self.address(one).is_ok_and(|at| at == address));
        server.with_context(|| format!("{ALIAS} is {address}, which is no server's"))
    }

    fn is_cordoned(&self, instance: &InstanceId) -> bool {
        self.node(CLUSTER, instance).is_some_and(|node| node["spec"]["unschedulable"] == true)
    }

    fn terminate(&self, instance: &InstanceId) -> anyhow::Result<()> {
        Ok(self.operator(|api| api.terminate_in_group(instance, false))?)
    }

    /// Runs this number of pods, on any Node.
    async fn run_pods(&self, count: u32) -> anyhow::Result<()> {
        let pod = PodSpec::new("web").grace(5).stops_after(Duration::from_millis(300));
        let kubernetes = self.kubernetes(CLUSTER);
        let made = kubernetes.with(|cluster, now| cluster.create(workload(Resource::ReplicaSets, "web", count, &pod), now));
        made.map_err(|status| anyhow::anyhow!("{status:?}"))?;
        let all = usize::try_from(count)?;
        let bound = || async {
            let pods = kubernetes.with(|cluster, _| cluster.all(Resource::Pods).filter(|pod| pod["spec"]["nodeName"].is_string()).count());
            if pods == all { Ok(()) } else { Err(format!("{pods} of {all} are on a Node")) }
        };
        self.until(LIMIT, "the pods to be on Nodes", bound).await
    }
}

/// The address in the one line of the alias on a machine.
async fn alias(machine: &Machine) -> anyhow::Result<IpAddr> {
    let lines = machine.run(&["grep", "-c", "# quorate$", "/etc/hosts"]).await.unwrap_or_default();
    ensure!(lines.trim() == "1", "/etc/hosts of {} has {lines:?} lines of the agent's", machine.name());
    let line = machine.run(&["getent", "hosts", ALIAS]).await?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

/// What the proxy of a machine has loaded, which is what was rendered for it.
async fn proxied(plane: &Plane, machine: &Machine) -> Result<(), String> {
    let mut wanted: Vec<String> =
        plane.live(&plane.groups.servers).iter().filter_map(|one| plane.address(one).ok()).map(|at| format!("server {at}")).collect();
    wanted.sort();
    for file in [PROXY.0, PROXY.1] {
        let text = machine.run(&["cat", &format!("/{file}")]).await.map_err(|error| format!("{error:#}"))?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        if lines != wanted {
            return Err(format!("{file} has {lines:?}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn servers_and_a_worker_boot_into_one_cluster_and_a_reboot_keeps_the_server() -> anyhow::Result<()> {
    play("kubernetes-boot", async |plane: &Plane| {
        let worker = plane.worker()?;
        for (machine, unit) in plane.servers()?.iter().map(|one| (one, "k3s.service")).chain([(&worker, "k3s-agent.service")]) {
            plane.until(LIMIT, &format!("every unit of {}", machine.name()), || up(machine, unit)).await?;
        }
        plane.until(LIMIT, "the proxy's servers", || proxied(plane, &worker)).await?;
        let named = plane.named(&worker).await?;
        println!("{ALIAS} is {named} on the worker");

        let (machine, witness) = (plane.machine(&named)?, Witness::of(plane));
        witness.count_voters();
        let (leader, members) = (machine.leader().context("it is off")?, plane.until_whole(&plane.groups.servers, SERVERS, LIMIT).await?);
        machine.run(&["systemctl", "reboot"]).await?;
        let cordoned = || async { if plane.is_cordoned(&named) { Ok(()) } else { Err("it is not".to_owned()) } };
        plane.until(LIMIT, "the Node to be cordoned", cordoned).await?;
        let again = || async { if machine.leader().is_some_and(|now| now != leader) { Ok(()) } else { Err("it is not".to_owned()) } };
        plane.until(LIMIT, "the machine to be booted again", again).await?;
        plane.formed().await?;
        let uncordoned = || async { if plane.is_cordoned(&named) { Err("it is not".to_owned()) } else { Ok(()) } };
        plane.until(LIMIT, "the Node to take pods again", uncordoned).await?;
        let after = plane.until_whole(&plane.groups.servers, SERVERS, LIMIT).await?;
        let id = |views: &std::collections::BTreeMap<InstanceId, quorate_lab::lab::etcd::View>| views.get(&named).map(|view| view.member);
        ensure!(id(&members) == id(&after), "the member was {:?} and is {:?}", id(&members), id(&after));
        ensure!(witness.sightings().fewest_voters == Some(SERVERS), "a member was removed");
        let back = [Mark::Says("Shutting down."), Mark::Step("start-member"), Mark::Step("uncordon")];
        in_order(&machine, &[&[Mark::Step("cordon"), Mark::Step("stop-member")], &back[..]].concat())
    })
    .await
}

async fn up(machine: &Machine, unit: &str) -> Result<(), String> {
    for unit in [AGENT, unit, "quorate.target", "proxy.service", "multi-user.target"] {
        let state = machine.unit(unit, "ActiveState").await.map_err(|error| format!("{error:#}"))?;
        if state != "active" {
            return Err(format!("{unit} of {} is {state}", machine.name()));
        }
    }
    let failed = machine.run(&["systemctl", "--failed", "--plain", "--no-legend"]).await.map_err(|error| format!("{error:#}"))?;
    if failed.is_empty() { Ok(()) } else { Err(format!("failed on {}: {failed}", machine.name())) }
}

#[tokio::test]
async fn a_worker_and_a_server_that_their_groups_terminate_are_drained_and_leave() -> anyhow::Result<()> {
    play("kubernetes-leave", async |plane: &Plane| {
        plane.run_pods(8).await?;
        let writer = plane.write_to_servers(&plane.groups.servers, "/test/")?;
        let worker = plane.worker()?;
        plane.terminate(worker.instance())?;
        plane.until_gone(worker.instance(), LIMIT).await?;
        in_order(&worker, &[Mark::Step("drain"), Mark::Step("stop-member"), Mark::Event(HOOK_COMPLETED), Mark::Says("Shutting down.")])?;
        ensure!(worker.disk().join("var/lib/quorate/left").exists(), "nothing says that the worker has left");
        plane.formed().await?;

        let worker = plane.worker()?;
        let named = plane.named(&worker).await?;
        let server = plane.machine(&named)?;
        plane.terminate(&named)?;
        plane.until_gone(&named, LIMIT).await?;
        let marks = ["drain", "annotate-removal", "put-data-aside", "delete-node"].map(Mark::Step);
        in_order(&server, &[&marks[..], &[Mark::Event(HOOK_COMPLETED), Mark::Says("Shutting down.")]].concat())?;
        in_order(&server, &[Mark::Step("put-data-aside"), Mark::Event(LEFT)])?;
        tell(&server)?;
        let kept = |path: &str| server.disk().join("var/lib/rancher/k3s/server").join(path).exists();
        ensure!(!kept("db/etcd") && !kept("tls"), "its data is where k3s would find it");
        plane.formed().await?;
        plane.until(LIMIT, "the proxy's servers", || proxied(plane, &worker)).await?;

        let named = plane.named(&worker).await?;
        plane.hard_kill(&named)?;
        let moved = || async {
            let now = alias(&worker).await.map_err(|error| format!("{error:#}"))?;
            let dead = plane.address(&named).map_err(|error| format!("{error:#}"))?;
            if now == dead { Err(format!("it is {now}")) } else { Ok(()) }
        };
        plane.until(ALIAS_MOVES, "the alias to leave the dead server", moved).await?;
        plane.until_gone(&named, LIMIT).await?;
        plane.formed().await?;
        let written = writer.stop().await;
        println!("{} writes acknowledged, {} tries failed", written.acked(), written.failed());
        plane.settled(&plane.groups.servers, SERVERS, LIMIT, Some(&written)).await
    })
    .await
}
