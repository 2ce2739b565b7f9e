//! A state directory that cannot be written, and a memory file that was damaged.

use std::fs;

use quorate_core::ids::InstanceId;
use rustix::process::Signal;

use super::group::{Group, LIMIT};

/// The memory file cannot be replaced: something that cannot be removed is where its new contents would be written first.
fn obstruct(group: &Group, instance: &InstanceId) -> anyhow::Result<()> {
    Ok(fs::create_dir(group.lab.disk(instance).join("state/memory.json.tmp"))?)
}

/// Neither a hook's heartbeats nor a leave nor the removal of the dead rests on what would have to be written.
#[tokio::test]
async fn nodes_that_cannot_write_their_memory_leave_and_remove_the_dead() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let writer = group.write()?;
    group.live().iter().try_for_each(|instance| obstruct(&group, instance))?;
    let leaver = group.lab.leader(&group.name).await?;
    group.replace(&leaver)?;
    group.lab.until_gone(&leaver, LIMIT).await?;
    group.settled(3, None).await?;
    let victim = group.lab.followers(&group.name).await?.remove(0);
    group.lab.hard_kill(&victim);
    group.lab.until_gone(&victim, LIMIT).await?;
    group.settled(3, Some(&writer.stop().await)).await
}

/// The charter has what it held. The file is kept, and the agent says where.
#[tokio::test]
async fn a_damaged_memory_is_set_aside_and_rebuilt_from_the_charter() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    let node = group.live().remove(0);
    group.lab.kill_agent(&node, Signal::TERM).await?;
    let memory = group.lab.disk(&node).join("state/memory.json");
    let whole = fs::read(&memory)?;
    fs::write(&memory, &whole[..whole.len() / 2])?;
    group.lab.start_agent(&node).await?;
    group.until_says(&node, "serves as one of 3 voters").await?;
    assert_eq!(fs::read(memory.with_extension("json.damaged-1"))?, &whole[..whole.len() / 2]);
    group.replace(&node)?;
    group.lab.until_gone(&node, LIMIT).await?;
    group.settled(3, None).await
}
