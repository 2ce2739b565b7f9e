//! TLS on a packaged machine: etcd has a user of its own there, which reads what the agent renews, and outsiders are refused.

use anyhow::ensure;
use quorate_lab::lab::AgentSettings;
use quorate_lab::machine::Machine;

use super::scene::{ETCD, LIMIT, Scene, play_with};

/// Certificates are renewed about every ten seconds.
const LIFE_S: &str = "20";

/// etcd's files belong to its group and the agent's to root, and all others to nobody.
const MODES: &str = "cd /var/lib/quorate/tls
stat -c '%a %U %G' etcd etcd/server.pem etcd/peer.pem own own/client.pem own/agent.pem";
const WANTED: &str = "2750 root quorate-etcd
640 root quorate-etcd
640 root quorate-etcd
700 root root
600 root root
600 root root";

#[tokio::test]
async fn etcds_user_reads_what_is_renewed_and_outsiders_are_refused() -> anyhow::Result<()> {
    let settings = AgentSettings::quick().text("tls.mode", "managed").raw("tls.leaf_life_s", LIFE_S);
    play_with(settings, "tls", 3, async |scene: &Scene| {
        scene.joined(3).await?;
        let (writer, machine) = (scene.write().await?, scene.leader().await?);
        let address = scene.address(machine.instance())?;
        outsiders(&machine, &address.to_string()).await?;
        let pid = async |machine: &Machine| machine.run(&["systemctl", "show", "--value", "--property=MainPID", ETCD]).await;
        let (before, old) = (pid(&machine).await?, certificate(&machine).await?);
        scene
            .until(LIMIT, "the certificates to be renewed", || async {
                let now = certificate(&machine).await.map_err(|error| format!("{error:#}"))?;
                if now == old { Err("they are as they were".to_owned()) } else { Ok(()) }
            })
            .await?;
        let modes = machine.run(&["sh", "-ec", MODES]).await?;
        ensure!(modes.trim_end() == WANTED, "modes and owners are\n{modes}");
        // A connection that is made now meets what was renewed.
        let said = machine.run(&["quorate", "etcdctl", "--", "endpoint", "status", "--cluster"]).await?;
        ensure!(said.lines().count() == 3, "{said}");
        ensure!(pid(&machine).await? == before, "etcd was restarted");
        scene.ends(3, writer).await
    })
    .await
}

async fn certificate(machine: &Machine) -> anyhow::Result<String> {
    machine.run(&["sha256sum", "/var/lib/quorate/tls/etcd/peer.pem"]).await
}

/// Without a certificate, and with a client's at the peers' port.
async fn outsiders(machine: &Machine, address: &str) -> anyhow::Result<()> {
    let client = "/var/lib/quorate/tls/own/client.pem";
    let etcdctl =
        |further: &str| format!("ETCDCTL_API=3 etcdctl --endpoints=https://{address}:2379 --insecure-skip-tls-verify {further} get x 2>&1");
    let own = machine.run(&["sh", "-c", &etcdctl(&format!("--cert={client} --key={client}"))]).await;
    ensure!(own.is_ok(), "its own certificate is refused: {own:?}");
    for (who, command) in [
        ("etcdctl without a certificate", etcdctl("")),
        ("etcdctl without TLS", format!("ETCDCTL_API=3 etcdctl --endpoints=http://{address}:2379 get x 2>&1")),
        (
            "a client at the peers' port",
            format!(
                "ETCDCTL_API=3 etcdctl --endpoints=https://{address}:2380 --insecure-skip-tls-verify --cert={client} --key={client} get x 2>&1"
            ),
        ),
    ] {
        let answer = machine.run(&["sh", "-c", &command]).await;
        ensure!(answer.is_err(), "{who} gets {answer:?}");
    }
    Ok(())
}
