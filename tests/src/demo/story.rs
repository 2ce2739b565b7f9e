//! What happens in the demo, one act after the other.

use std::time::Duration;

use anyhow::{Context, ensure};
use quorate_core::ids::{GroupName, InstanceId};
use tokio::time::{Instant, sleep};

use super::footprint::{self, Footprint};
use super::replacement::{self, Replacement};
use super::timeline::{Timeline, seconds};
use crate::lab::Lab;
use crate::lab::witness::Witness;
use crate::lab::writer::{Label, Writer};
use crate::region::{RefreshPreferences, RefreshStatus};

/// No act may take longer; only a failure comes near it.
const LIMIT: Duration = Duration::from_secs(180);
/// How long the agents are watched while they have nothing to do.
const QUIET: Duration = Duration::from_secs(20);
const HOOK_TIMEOUT: Duration = Duration::from_secs(60);
const KEYS: &str = "/quorate-lab/";

/// The group, and everything that observes it.
pub struct Story<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// The group.
    pub group: GroupName,
    /// The witness.
    pub witness: Witness,
    /// Where the story is printed.
    pub timeline: &'a Timeline,
    size: usize,
}

/// The group as it was rolled.
#[derive(Debug)]
pub struct Refresh {
    /// How long the whole took.
    pub took: Duration,
    /// Each replacement.
    pub replacements: Vec<Replacement>,
    /// The fewest voters on the way.
    pub fewest: Option<usize>,
}

impl<'a> Story<'a> {
    /// Makes the group; its instances launch at once.
    ///
    /// # Errors
    /// The region refuses it.
    pub fn begin(lab: &'a Lab, size: u32, timeline: &'a Timeline) -> anyhow::Result<Self> {
        let group = lab.create_group(lab.group("etcd", "demo", size, HOOK_TIMEOUT))?;
        let witness = Witness::of(lab);
        Ok(Self { lab, group, witness, timeline, size: size as usize })
    }

    /// The cluster forms on its own. Returns how long that took, from the start of the first agent.
    ///
    /// # Errors
    /// It does not.
    pub async fn bootstrap(&self) -> anyhow::Result<Duration> {
        self.during("the cluster forms", None, self.lab.until_whole(&self.group, self.size, LIMIT)).await?;
        self.during("the launch hooks are completed", None, self.lab.until_in_service(&self.group, self.size, LIMIT)).await?;
        let seen = self.witness.sightings().voting_since;
        let live = self.lab.live(&self.group);
        let started = live.iter().filter_map(|instance| self.lab.agent_started(instance)).min().context("no agent was started")?;
        let voted = live.iter().filter_map(|instance| seen.get(instance)).max().context("nobody was seen to vote")?;
        Ok(voted.since(started))
    }

    /// Starts the write load.
    ///
    /// # Errors
    /// It is not acknowledged.
    pub async fn write(&self) -> anyhow::Result<Writer> {
        let addresses = self.lab.live(&self.group).iter().map(|one| self.lab.address(one)).collect::<anyhow::Result<_>>()?;
        let writer = Writer::start(addresses, KEYS);
        let acknowledged = || async { if writer.acked() > 0 { Ok(()) } else { Err(writer.last_failure().unwrap_or_default()) } };
        self.lab.until(LIMIT, "a write to be acknowledged", acknowledged).await?;
        Ok(writer)
    }

    /// Nothing happens but writes: what the agents cost.
    ///
    /// # Errors
    /// An agent is not there.
    pub async fn quiet(&self, writer: &Writer) -> anyhow::Result<Vec<Footprint>> {
        let live = self.lab.live(&self.group);
        self.during("the agents have nothing to do", Some(writer), footprint::of(self.lab, &live, QUIET)).await
    }

    /// Every instance is replaced, under load; each new one is launched before an old one leaves.
    ///
    /// # Errors
    /// It does not end.
    pub async fn refresh(&self, writer: &Writer) -> anyhow::Result<Refresh> {
        let before = self.lab.live(&self.group);
        let begin = Instant::now();
        self.witness.count_voters();
        let preferences = Some(RefreshPreferences::launch_before_terminate());
        self.lab.operator(|api| api.start_instance_refresh(&self.group, preferences)).map_err(|error| anyhow::anyhow!("{error}"))?;
        let done = self.during("instance refresh", Some(writer), self.until_refreshed(&before));
        done.await?;
        let took = begin.elapsed();
        self.during("the old instances are gone", Some(writer), self.lab.until_in_service(&self.group, self.size, LIMIT)).await?;
        self.lab.until_whole(&self.group, self.size, LIMIT).await?;
        let seen = self.witness.sightings();
        let new = self.lab.live(&self.group);
        ensure!(!new.iter().any(|instance| before.contains(instance)), "the refresh kept one of {before:?}: {new:?}");
        let mut old = before;
        old.sort_by_key(|instance| seen.removed_at.get(instance).copied());
        let replacements = replacement::measure(self.lab, &old, &new, &seen)?;
        Ok(Refresh { took, replacements, fewest: seen.fewest_voters })
    }

    async fn until_refreshed(&self, before: &[InstanceId]) -> anyhow::Result<()> {
        let mut told = 0;
        let begin = Instant::now();
        loop {
            let status = self.lab.region().lock().group(&self.group).and_then(|group| group.refreshes.last().map(|last| last.status));
            let gone = self.witness.sightings().removed_at;
            let replaced = before.iter().filter(|instance| gone.contains_key(*instance)).count();
            if replaced > told {
                told = replaced;
                self.timeline.tell(format_args!("  {told} of {} replaced", before.len()));
            }
            if status == Some(RefreshStatus::Successful) {
                return Ok(());
            }
            let limit = LIMIT * u32::try_from(before.len()).unwrap_or(1);
            ensure!(begin.elapsed() < limit, "the refresh is {status:?} after {} s\n{}", limit.as_secs(), self.lab.logs());
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The leader's hardware is gone, without notice. Returns how long it took until its replacement voted and nothing of it was left.
    ///
    /// # Errors
    /// It is not replaced.
    pub async fn kill(&self, writer: &Writer) -> anyhow::Result<Duration> {
        let leader = self.lab.leader(&self.group).await?;
        writer.label(Label::Kill);
        let begin = Instant::now();
        self.lab.hard_kill(&leader);
        self.timeline.tell(format_args!("{leader}, which led, lost its hardware"));
        let replaced = async {
            self.lab.until_gone(&leader, LIMIT).await?;
            self.lab.until_whole(&self.group, self.size, LIMIT).await
        };
        self.during("it is replaced", Some(writer), replaced).await?;
        let took = begin.elapsed();
        self.during("the launch hook is completed", Some(writer), self.lab.until_in_service(&self.group, self.size, LIMIT)).await?;
        writer.label(Label::Graceful);
        Ok(took)
    }

    /// Fewer instances are wanted.
    ///
    /// # Errors
    /// They do not become fewer.
    pub async fn scale_in(&self, to: usize, writer: &Writer) -> anyhow::Result<()> {
        self.witness.stop_counting();
        let desired = u32::try_from(to)?;
        self.lab.operator(|api| api.set_desired_capacity(&self.group, desired)).map_err(|error| anyhow::anyhow!("{error}"))?;
        self.during("the others leave", Some(writer), self.lab.until_in_service(&self.group, to, LIMIT)).await?;
        self.lab.until_whole(&self.group, to, LIMIT).await?;
        Ok(())
    }

    async fn during<T>(&self, what: &str, writer: Option<&Writer>, work: impl Future<Output = T>) -> T {
        self.timeline.during(what, || self.standing(writer), work).await
    }

    /// The leader, the voters, and the state of the writes.
    fn standing(&self, writer: Option<&Writer>) -> String {
        let cluster = match self.witness.sightings().now {
            Some((leader, voters)) => format!("{voters} voters, {leader} leads"),
            None => "no leader yet".to_owned(),
        };
        let writes = writer.map(|writer| {
            let gap = writer.longest(Label::Graceful).map_or(Duration::ZERO, |gap| gap.length);
            format!(", {} writes, longest gap {}", writer.acked(), seconds(gap))
        });
        format!("{cluster}{}", writes.unwrap_or_default())
    }
}
