//! The agents' port while no agent runs: a local user able to bind it would answer for the node.

use anyhow::{Context, ensure};
use quorate_lab::lab::url::http;
use quorate_lab::machine::Machine;
use quorate_lab::machine::network::API;

use super::scene::{AGENT, LIMIT, Scene, play_joined};

const SOCKET: &str = "quorate.socket";
/// What the first question starts while no agent runs.
const NOBODY: &str = "quorate-port.service";
/// An informed attempt.
const BIND: &str =
    "socket(S, PF_INET, SOCK_STREAM, 0) or die; setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); setsockopt(S, SOL_SOCKET, 15, 1);
    bind(S, sockaddr_in(2378, inet_aton($ARGV[0]))) or die \"bind: $!\\n\"; listen(S, 1) or die \"listen: $!\\n\"";

/// The result of a local user's try at this address.
async fn bound(machine: &Machine, address: &str) -> anyhow::Result<()> {
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "perl", "-MSocket", "-e", BIND, address];
    machine.run(&user).await.map(drop)
}

async fn cannot_bind(scene: &Scene, machine: &Machine, when: &str) -> anyhow::Result<()> {
    let own = scene.address(machine.instance())?.to_string();
    for address in [&*own, "127.0.0.1", "0.0.0.0"] {
        let error = bound(machine, address).await.err().with_context(|| format!("{when}, a local user has {address}:2378"))?;
        ensure!(format!("{error:#}").contains("Address already in use"), "{when}: {error:#}");
    }
    Ok(())
}

/// The agent of this machine answers others.
async fn answers(scene: &Scene, machine: &Machine) -> anyhow::Result<()> {
    let url = http(scene.address(machine.instance())?, 2378) + "/v1/peer";
    scene
        .until(LIMIT, "the agent to answer", || async {
            let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
            if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) }
        })
        .await
}

#[tokio::test]
async fn nobody_takes_the_agents_port_while_it_is_away() -> anyhow::Result<()> {
    play_joined("port", 3, async |scene: &Scene| {
        let machine = scene.follower().await?;
        cannot_bind(scene, &machine, "while the agent runs").await?;
        let before = machine.unit(AGENT, "MainPID").await?;
        machine.run(&["systemctl", "kill", "--kill-who=main", "--signal=KILL", AGENT]).await?;
        cannot_bind(scene, &machine, "just after the agent was killed").await?;
        scene.until_restarted(&machine, &before).await?;

        machine.run(&["systemctl", "stop", AGENT]).await?;
        cannot_bind(scene, &machine, "after the agent was stopped").await?;
        // The others ask all the time, and that starts nothing.
        let asked = || async {
            let state = machine.unit(NOBODY, "ActiveState").await.map_err(|error| format!("{error:#}"))?;
            if state == "active" { Ok(()) } else { Err(format!("{NOBODY} is {state}")) }
        };
        scene.until(LIMIT, "a peer's question", asked).await?;
        let state = machine.unit(AGENT, "ActiveState").await?;
        ensure!(state == "inactive", "a question made the agent {state}");
        let found = machine.run(&["sh", "-c", &format!("AWS_ENDPOINT_URL=http://{API} quorate check || true")]).await?;
        ensure!(found.contains("systemd holds [::]:2378 for quorate") && !found.contains("2378 is taken"), "{found}");

        machine.run(&["systemctl", "start", AGENT]).await?;
        answers(scene, &machine).await?;
        cannot_bind(scene, &machine, "after the agent was started").await?;
        let listeners = machine.run(&["ss", "-Hltn", "sport", "=", ":2378"]).await?;
        ensure!(listeners.lines().count() == 1 && listeners.contains("*:2378"), "those that listen: {listeners}");
        scene.settled(3, None).await?;

        // It is the socket that keeps others out.
        machine.run(&["systemctl", "stop", AGENT, SOCKET, NOBODY]).await?;
        bound(&machine, "127.0.0.1").await.context("without the socket anybody can")?;
        machine.run(&["systemctl", "start", AGENT]).await?;
        answers(scene, &machine).await?;
        scene.settled(3, None).await
    })
    .await
}
