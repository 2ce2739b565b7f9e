//! An etcd that does not stay up: its unit's output is in the journal alone, and the agent quotes the line of it that says why.

use anyhow::ensure;
use quorate_lab::lab::witness::Witness;
use quorate_lab::machine::Machine;

use super::evidence::{Mark, in_order};
use super::scene::{ETCD, LIMIT, Scene, play_joined};

/// An operator's drop-in. The agent tries the flags that it gives itself before each start, and not this one.
const ADD: &str = "mkdir /etc/systemd/system/quorate-etcd.service.d
printf '[Service]\\nExecStart=\\nExecStart=etcd --no-such-flag\\n' >/etc/systemd/system/quorate-etcd.service.d/flag.conf
systemctl daemon-reload
systemctl kill --signal=KILL quorate-etcd.service";
const REMOVE: &str = "rm -r /etc/systemd/system/quorate-etcd.service.d
systemctl daemon-reload";
/// etcd's own line. Its usage, many lines of it, follows.
const WORDS: &str = "flag provided but not defined: -no-such-flag";

#[tokio::test]
async fn a_flag_that_etcd_refuses_is_told_in_its_own_words_and_costs_no_member_its_place() -> anyhow::Result<()> {
    play_joined("last-words", 3, async |scene: &Scene| {
        let before = scene.member_ids(3).await?;
        let (witness, writer, machine) = (Witness::of(scene), scene.write().await?, scene.follower().await?);
        witness.count_voters();
        machine.run(&["sh", "-ec", ADD]).await?;
        says(scene, &machine, &["and it ended (exit-code, status 2: ", WORDS]).await?;
        // By now a member that is taken for broken would be removed, to join again without its data.
        says(scene, &machine, &["has not stayed up", WORDS]).await?;
        ensure!(machine.status().await?["needs_operator"] == true, "it calls nobody");
        in_order(&machine, &[Mark::Says(WORDS), Mark::Unit(ETCD, "status=2/INVALIDARGUMENT"), Mark::Agent(WORDS)])?;
        machine.run(&["sh", "-ec", REMOVE]).await?;
        scene.settled(3, None).await?;
        ensure!(scene.member_ids(3).await? == before, "the members changed");
        ensure!(witness.sightings().fewest_voters == Some(3), "the member was removed");
        scene.ends(3, writer).await
    })
    .await
}

/// Waits until the agent's report has all of these.
async fn says(scene: &Scene, machine: &Machine, texts: &[&str]) -> anyhow::Result<()> {
    scene
        .until(LIMIT, &format!("{} to say {texts:?}", machine.name()), || async {
            let status = machine.status().await.map_err(|error| format!("{error:#}"))?;
            let message = status["message"].as_str().unwrap_or_default();
            if texts.iter().all(|text| message.contains(text)) { Ok(()) } else { Err(format!("it says {message}")) }
        })
        .await?;
    println!("{} says {}", machine.name(), machine.status().await?["message"]);
    Ok(())
}
