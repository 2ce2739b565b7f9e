//! What a lab can see: what the agents say, and what etcd says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures::future::join_all;
use quorate_core::ids::{InstanceId, MemberId};
use serde_json::Value;

use super::Lab;
use super::etcd::{self, Clients, View};
use super::site::{Groups, Site};
use crate::region::LifecycleState;

/// An agent answers its control socket at once or not at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// What an agent says of itself on its control socket.
///
/// # Errors
/// It does not answer.
pub async fn ask(socket: &Path) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder().unix_socket(socket).no_proxy().timeout(PATIENCE).build()?;
    let answer = client.get("http://quorate/v1/status").send().await?;
    let text = answer.error_for_status()?.text().await?;
    serde_json::from_str(&text).with_context(|| format!("the status is no JSON: {text}"))
}

impl Lab {
    /// What the agent on this instance says of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self, instance: &InstanceId) -> anyhow::Result<Value> {
        let socket = self.disk(instance).join("run/quorate.sock");
        ask(&socket).await.with_context(|| format!("the agent of {instance} does not answer"))
    }

    /// Waits until what the agent on this instance says of itself is as wanted, and returns it.
    ///
    /// # Errors
    /// It is not in time: what it says at last.
    pub async fn until_status(
        &self,
        instance: &InstanceId,
        within: Duration,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let look = || async {
            let status = self.status(instance).await.map_err(|error| format!("{error:#}"))?;
            if wanted(&status) { Ok(status) } else { Err(format!("{instance} says {status:#}")) }
        };
        self.until(within, what, look).await
    }
}

impl Site {
    /// The members as each running instance's own etcd lists them after a read through a quorum; those that do not answer are left out.
    pub async fn lists(&self) -> BTreeMap<InstanceId, View> {
        let ask = |(instance, address)| async move {
            let client = Clients::default().with(address, self.host.credentials(&instance)).await.ok()?;
            Some((instance, etcd::list(client).await.ok()?))
        };
        join_all(self.powered().into_iter().map(ask)).await.into_iter().flatten().collect()
    }

    /// The id of each instance's member, once the voters are these instances as [`Site::until_whole`] has it.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn member_ids(
        &self,
        groups: &(impl Groups + ?Sized),
        size: usize,
        within: Duration,
    ) -> anyhow::Result<BTreeMap<InstanceId, MemberId>> {
        let lists = self.until_whole(groups, size, within).await?;
        Ok(lists.into_iter().map(|(instance, view)| (instance, view.member)).collect())
    }

    /// Waits until the voters are exactly the groups' running instances, this number of them, as every one of them says.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn until_whole(
        &self,
        groups: &(impl Groups + ?Sized),
        size: usize,
        within: Duration,
    ) -> anyhow::Result<BTreeMap<InstanceId, View>> {
        let what = format!("{size} voters of {:?} on {size} instances", groups.names());
        self.until(within, &what, || async {
            let live = self.live(groups);
            if live.len() != size {
                return Err(format!("{} instances run: {live:?}", live.len()));
            }
            let mut lists = self.lists().await;
            lists.retain(|instance, _| live.contains(instance));
            agreed(&live, &lists)?;
            Ok(lists)
        })
        .await
    }

    /// Waits until the groups have this number of instances, all in service.
    ///
    /// # Errors
    /// They do not in time.
    pub async fn until_in_service(&self, groups: &(impl Groups + ?Sized), size: usize, within: Duration) -> anyhow::Result<()> {
        let names = groups.names();
        self.until(within, &format!("{size} instances in service, and no other"), || async {
            let region = self.region().lock();
            let states: Vec<_> = names.iter().flat_map(|group| region.members(group)).map(|one| one.lifecycle).collect();
            let done = states.len() == size && states.iter().all(|state| *state == LifecycleState::InService);
            if done { Ok(()) } else { Err(format!("{names:?} have {states:?}")) }
        })
        .await
    }

    /// Waits until the group has let go of this instance.
    ///
    /// # Errors
    /// It does not in time.
    pub async fn until_gone(&self, instance: &InstanceId, within: Duration) -> anyhow::Result<()> {
        self.until(within, &format!("the group to let go of {instance}"), || async {
            let listed = self.region().lock().instance(instance).filter(|one| one.member).map(|one| one.lifecycle);
            listed.map_or(Ok(()), |state| Err(format!("it is {state}")))
        })
        .await
    }

    /// The instance that leads.
    ///
    /// # Errors
    /// None does, in time.
    pub async fn leader(&self, groups: &(impl Groups + ?Sized)) -> anyhow::Result<InstanceId> {
        self.until(Duration::from_secs(10), "a leader", || async {
            let live = self.live(groups);
            let lists = self.lists().await;
            let leader = lists.iter().find(|(instance, view)| view.leads() && live.contains(instance));
            leader.map(|(instance, _)| instance.clone()).ok_or_else(|| format!("{} members answer, none leads", lists.len()))
        })
        .await
    }

    /// The running instances that do not lead.
    ///
    /// # Errors
    /// None leads.
    pub async fn followers(&self, groups: &(impl Groups + ?Sized)) -> anyhow::Result<Vec<InstanceId>> {
        let leader = self.leader(groups).await?;
        Ok(self.live(groups).into_iter().filter(|instance| *instance != leader).collect())
    }
}

/// Whether every live instance says that the voters are the live instances, and that there is no other member.
fn agreed(live: &[InstanceId], lists: &BTreeMap<InstanceId, View>) -> Result<(), String> {
    let names: BTreeSet<_> = live.iter().map(InstanceId::as_str).collect();
    for instance in live {
        let view = lists.get(instance).ok_or_else(|| format!("the etcd of {instance} does not answer through a quorum"))?;
        let learners: Vec<_> = view.members.iter().filter(|member| member.learner).map(|member| &member.name).collect();
        let voters: BTreeSet<_> = view.voters().map(|voter| voter.name.as_str()).collect();
        if voters != names || !learners.is_empty() {
            return Err(format!("{instance} lists the voters {voters:?} and the learners {learners:?}; the instances are {names:?}"));
        }
    }
    let clusters: BTreeSet<_> = lists.values().map(|view| view.cluster).collect();
    if clusters.len() > 1 { Err(format!("there are several clusters: {clusters:?}")) } else { Ok(()) }
}
