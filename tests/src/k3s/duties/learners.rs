//! Learners: each tick tries to promote them; one that makes no progress for too long is removed.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_client::Client;
use tokio::time::Instant;

use super::members;
use crate::k3s::disk::Disk;
use crate::k3s::member::Member;
use crate::k3s::{etcd, log};

/// How far each learner has come, and since when.
#[derive(Debug, Default)]
pub(super) struct Learners(BTreeMap<u64, (u64, Instant)>);

impl Learners {
    pub(super) async fn manage(&mut self, client: &mut Client, disk: &Disk, stalled: Duration) -> anyhow::Result<()> {
        let members = members(client).await?;
        self.0.retain(|id, _| members.iter().any(|member| member.id == *id));
        for learner in members.iter().filter(|member| member.is_learner) {
            match client.member_promote(learner.id).await {
                Ok(_) => log::info(&format!("Learner {} was promoted", learner.name)),
                Err(error) => {
                    log::warn(&format!("Unable to promote learner {}: {error}", learner.name));
                    self.track(client, learner, applied(disk, learner).await, stalled).await?;
                }
            }
        }
        Ok(())
    }

    async fn track(&mut self, client: &mut Client, learner: &Member, applied: u64, stalled: Duration) -> anyhow::Result<()> {
        let (most, since) = self.0.entry(learner.id).or_insert_with(|| (applied, Instant::now()));
        if applied > *most {
            (*most, *since) = (applied, Instant::now());
        } else if since.elapsed() >= stalled {
            log::warn(&format!("Removing learner {} that makes no progress", learner.name));
            client.member_remove(learner.id).await?;
        }
        Ok(())
    }
}

/// A learner that does not answer has applied nothing.
async fn applied(disk: &Disk, learner: &Member) -> u64 {
    let Ok(mut client) = etcd::client(disk, &learner.client_urls).await else { return 0 };
    client.status().await.map_or(0, |status| status.raft_applied_index())
}
