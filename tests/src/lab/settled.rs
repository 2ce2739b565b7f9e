//! What has to hold at the end of every test.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::bail;

use super::site::{Groups, Site};
use super::writer::Written;
use crate::region::LifecycleAction;

impl Site {
    /// Waits for the voters to be the live instances, and checks that nothing went wrong on the way: one cluster, no learner, every
    /// acknowledged write there, no lifecycle action completed too late or over its own machine's head. A second try that AWS refused, for which the
    /// region's own statistics count, changed nothing.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub async fn settled(
        &self,
        groups: &(impl Groups + ?Sized),
        size: usize,
        within: Duration,
        written: Option<&Written>,
    ) -> anyhow::Result<()> {
        let lists = self.until_whole(groups, size, within).await?;
        self.until(within, "every lifecycle action to be over", || async { self.actions_over() }).await?;
        if let Some(written) = written {
            let addresses: Vec<_> = lists.keys().filter_map(|instance| self.address(instance).ok()).collect();
            let lost = written.lost(&addresses).await?;
            if !lost.is_empty() {
                bail!(
                    "{} of {} acknowledged writes are lost, such as {:?}\n{}",
                    lost.len(),
                    written.acked(),
                    lost.first(),
                    self.host.logs()
                );
            }
        }
        match self.action_complaints() {
            complaints if complaints.is_empty() => Ok(()),
            complaints => bail!("{}\n{}", complaints.join("\n"), self.host.logs()),
        }
    }

    fn actions_over(&self) -> Result<(), String> {
        let region = self.region().lock();
        let open: Vec<_> = region.actions().iter().filter(|action| action.open()).map(name).collect();
        if open.is_empty() { Ok(()) } else { Err(format!("still open: {open:?}")) }
    }

    /// What was wrong with how the lifecycle actions ended.
    #[must_use]
    pub fn action_complaints(&self) -> Vec<String> {
        let region = self.region().lock();
        let complaints = |action: &LifecycleAction| complaints(action, self.host.is_unattended(&action.instance));
        region.actions().iter().flat_map(complaints).collect()
    }

    /// The cluster ids that the running members of a group state.
    pub async fn cluster_ids(&self) -> BTreeSet<String> {
        self.lists().await.values().map(|view| view.cluster.to_string()).collect()
    }
}

/// A machine without an agent cannot complete its action itself.
fn complaints(action: &LifecycleAction, unattended: bool) -> Vec<String> {
    let wrong = [
        (action.timed_out(), "was not completed in time"),
        (action.completed_over_its_head() && !unattended, "was completed by another instance while its own machine ran"),
    ];
    wrong.into_iter().filter(|(holds, _)| *holds).map(|(_, what)| format!("{} {what}", name(action))).collect()
}

fn name(action: &LifecycleAction) -> String {
    format!("{} of {}", action.hook, action.instance)
}
