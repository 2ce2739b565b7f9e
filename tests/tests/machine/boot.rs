//! From power on to a cluster.

use anyhow::{Context, ensure};
use quorate::messages::{HOOK_COMPLETED, JOINED, STARTED};
use quorate_lab::machine::Machine;
use quorate_lab::machine::network::API;
use quorate_lab::region::{ActionResult, Transition};

use super::evidence::{Mark, in_order};
use super::k3s_unit;
use super::scene::{AGENT, ETCD, LIMIT, Scene, play, seconds};

#[tokio::test]
async fn three_machines_boot_into_one_cluster() -> anyhow::Result<()> {
    play("boot", 3, async |scene: &Scene| {
        let begun = scene.now();
        scene.until_in_service(&scene.name, 3, LIMIT).await?;
        println!("from launch to three in service: {:.1} s", seconds(begun, scene.now()));
        scene.settled(3, None).await?;
        launch_hooks(scene)?;
        for machine in scene.machines()? {
            scene.until(LIMIT, "every unit to be up", || async { up(&machine).await }).await?;
            let marks = [Mark::Event(STARTED), Mark::Unit(ETCD, "Starting"), Mark::Step("start-member"), Mark::Event(HOOK_COMPLETED)];
            in_order(&machine, &marks)?;
            joined(&machine).await?;
            ensure!(
                machine.run(&["systemctl", "--failed", "--plain", "--no-legend"]).await?.is_empty(),
                "a unit of {} failed",
                machine.name()
            );
        }
        let leader = scene.leader().await?;
        alias(&leader).await?;
        checks(&leader).await?;
        k3s_unit::is_read(&leader).await
    })
    .await
}

/// What an operator would have to mend: nothing that keeps it from working. The exit status says so.
async fn checks(machine: &Machine) -> anyhow::Result<()> {
    let found = machine.run(&["env", &format!("AWS_ENDPOINT_URL=http://{API}"), "quorate", "check"]).await?;
    println!("quorate check on {}:\n{found}", machine.name());
    for subject in ["systemd", "logind", "etcd's unit", "etcd's flags"] {
        ensure!(found.to_lowercase().contains(subject), "quorate check says nothing of {subject}");
    }
    Ok(())
}

/// The unit that may write /etc does so, as hardened as it is: it moves our line, and accepts nothing else as a request.
async fn alias(machine: &Machine) -> anyhow::Result<()> {
    let wishes = async |wish: &str| {
        let order = format!("echo '{wish}' >/run/quorate/alias; systemctl start quorate-alias.service 2>&1; grep -v localhost /etc/hosts");
        machine.run(&["sh", "-c", &order]).await
    };
    machine.run(&["sh", "-c", "printf '127.0.0.1 localhost\\n10.9.9.9 other' >/etc/hosts"]).await?;
    for address in ["10.9.9.1", "10.9.9.2"] {
        let hosts = wishes(&format!("{address} api.test")).await?;
        ensure!(hosts.trim_end() == format!("10.9.9.9 other\n{address} api.test # quorate"), "the hosts file is {hosts:?}");
    }
    ensure!(machine.run(&["getent", "hosts", "api.test"]).await?.starts_with("10.9.9.2 "), "the alias is not resolved");
    let refused = wishes("10.9.9.3 api.test evil").await?;
    ensure!(refused.contains("failed") && refused.trim_end().ends_with("10.9.9.2 api.test # quorate"), "a bad request did {refused:?}");
    machine.run(&["systemctl", "reset-failed", "quorate-alias.service"]).await.map(drop)
}

/// Each was completed once, by its own machine, and after that had joined: [`Scene::settled`] has looked at the first two.
fn launch_hooks(scene: &Scene) -> anyhow::Result<()> {
    let region = scene.region().lock();
    let launches: Vec<_> = region.actions().iter().filter(|action| action.transition == Transition::Launching).collect();
    ensure!(launches.len() == 3, "{} launch hooks were opened", launches.len());
    for action in launches {
        ensure!(action.completed() == Some(ActionResult::Continue), "the hook of {} ended with {:?}", action.instance, action.ending);
    }
    Ok(())
}

/// What an operator and a log shipper find in the journal about it.
async fn joined(machine: &Machine) -> anyhow::Result<()> {
    let entries = machine.journal(&[&format!("MESSAGE_ID={JOINED}")])?;
    let entry = entries.first().with_context(|| format!("{} never said that it has joined", machine.name()))?;
    let fields = ["QUORATE_INSTANCE", "QUORATE_CLUSTER", "QUORATE_PHASE"].map(|name| entry.field(name));
    ensure!(fields == [machine.instance().as_str(), "test", "voter"], "the fields are {fields:?}");
    let explained = machine.run(&["journalctl", "--catalog", "--quiet", "--no-pager", &format!("MESSAGE_ID={JOINED}")]).await?;
    ensure!(explained.contains("Subject:"), "the catalog does not explain it: {explained}");
    Ok(())
}

/// Every unit is active.
pub(crate) async fn up(machine: &Machine) -> Result<(), String> {
    for unit in [AGENT, ETCD, "quorate-joined.service", "quorate.target", "application.service", "multi-user.target"] {
        let state = machine.unit(unit, "ActiveState").await.map_err(|error| format!("{error:#}"))?;
        if state != "active" {
            return Err(format!("{unit} of {} is {state}", machine.name()));
        }
    }
    Ok(())
}
