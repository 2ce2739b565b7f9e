//! What the stand-in beside etcd's leader does for the others (k3s `pkg/etcd/etcd.go` `manageLearners`, `pkg/etcd/member_controller.go`).

mod learners;
pub(super) mod objects;
mod removal;
mod voters;

use std::time::Duration;

use anyhow::Context;
use etcd_client::Client;
use tokio::time::Instant;

use super::api::Api;
use super::beside::Pace;
use super::disk::Disk;
use super::gate::Gate;
use super::log;
use super::member::Member;
use learners::Learners;

/// Handlers of Nodes follow a change at once; this is how long "at once" takes.
const TURN: Duration = Duration::from_millis(300);

/// The duties of a server. It has them all, and does them while its etcd leads.
#[derive(Debug)]
pub(super) struct Duties {
    pub(super) api: Api,
    pub(super) gate: Gate,
    pub(super) disk: Disk,
    pub(super) pace: Pace,
}

impl Duties {
    /// Does them until the end.
    pub(super) async fn run(&self, mut client: Client) {
        let (mut learners, mut promoted) = (Learners::default(), None::<Instant>);
        loop {
            tokio::time::sleep(TURN).await;
            if !self.gate.is_open() || !leads(&mut client).await {
                promoted = None;
                continue;
            }
            // The first tick comes after the interval, as with Go's ticker.
            let tick = promoted.get_or_insert_with(Instant::now).elapsed() >= self.pace.promote();
            if let Err(error) = self.turn(&mut client, &mut learners, tick).await {
                log::error(&format!("{error:#}"));
            }
            if tick {
                promoted = Some(Instant::now());
            }
        }
    }

    async fn turn(&self, client: &mut Client, learners: &mut Learners, tick: bool) -> anyhow::Result<()> {
        let (nodes, version) = self.api.nodes().await?;
        objects::keep(client, &version).await?;
        removal::handle(&self.api, client, &nodes).await?;
        if tick {
            learners.manage(client, &self.disk, self.pace.stalled()).await?;
            voters::tell(&self.api, client, &self.disk, &nodes).await?;
        }
        Ok(())
    }
}

async fn leads(client: &mut Client) -> bool {
    let Ok(status) = client.status().await else { return false };
    status.header().is_some_and(|header| header.member_id() == status.leader())
}

async fn members(client: &mut Client) -> anyhow::Result<Vec<Member>> {
    let list = client.member_list().await.context("failed to get the list of members")?;
    Ok(list.members().iter().map(Member::of).collect())
}
