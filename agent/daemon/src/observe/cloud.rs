//! The AWS control plane, asked when the core's cadence says so.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::cadence::{self, Query};
use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::memory::Memory;
use quorate_core::observation::{Cloud, Ec2Answer, Group, Hook, LifecycleState, ListedInstance, Observation};
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;
use tracing::warn;

use super::last::Last;
use crate::config::{HookPattern, Settings};
use crate::telemetry::chain;
use crate::world::World;

/// The hooks can be asked for once the groups are known: a second round saves a booting node a pause.
const ROUNDS: usize = 2;

const NOT_ASKED: &str = "AWS was not asked yet";

pub(super) struct CloudObserver {
    world: World,
    hook_pattern: HookPattern,
    groups: Last<(Vec<Group>, BTreeMap<InstanceId, ListedInstance>)>,
    tagged: Last<BTreeSet<InstanceId>>,
    asked: BTreeMap<InstanceId, (Ec2Answer, Timestamp)>,
    hooks: Last<Vec<Hook>>,
    own_state: Last<LifecycleState>,
    /// The failure that was last told of, so that a throttled minute is one line.
    told: Option<String>,
}

impl CloudObserver {
    pub(super) fn new(settings: &Settings, world: &World) -> Self {
        Self {
            world: world.clone(),
            hook_pattern: settings.aws.hook_pattern.clone(),
            groups: Last::default(),
            tagged: Last::default(),
            asked: BTreeMap::new(),
            hooks: Last::default(),
            own_state: Last::default(),
            told: None,
        }
    }

    /// Asks what is due, and puts the answers into `seen`.
    pub(super) async fn look(&mut self, seen: &mut Observation, memory: &mut Memory, policy: &Policy, now: Timestamp) {
        for _ in 0..ROUNDS {
            let queries = cadence::due(seen, memory, policy, now);
            if queries.is_empty() {
                return;
            }
            for query in &queries {
                let result = self.ask(query, now).await;
                memory.note_asked(query, now);
                self.tell(result.err());
            }
            seen.cloud = self.cloud(now, policy);
        }
    }

    pub(super) fn own_state_may_have_changed(&mut self) {
        self.own_state.expire();
    }

    async fn ask(&mut self, query: &Query, now: Timestamp) -> Result<(), String> {
        let me = &self.world.me;
        match query {
            Query::Groups => {
                let result = self.world.autoscaling.groups(&me.cluster, self.world.role).await.map_err(|e| chain(&e));
                keep(&mut self.groups, result, now)
            }
            Query::Tagged => {
                let result = self.world.ec2.tagged(&me.cluster, self.world.role).await.map_err(|e| chain(&e));
                keep(&mut self.tagged, result, now)
            }
            Query::Instances(ids) => {
                let answers = self.world.ec2.describe(ids).await.map_err(|e| chain(&e))?;
                self.asked.extend(answers.into_iter().map(|(id, answer)| (id, (answer, now))));
                Ok(())
            }
            Query::Hooks => {
                let names: Vec<GroupName> =
                    self.groups.value().into_iter().flat_map(|(groups, _)| groups).map(|g| g.name.clone()).collect();
                let result = self.world.autoscaling.hooks(&names, &self.hook_pattern).await.map_err(|e| chain(&e));
                keep(&mut self.hooks, result, now)
            }
            Query::OwnState => {
                let own = self.world.autoscaling.own(&me.instance).await.map_err(|e| chain(&e))?;
                // An instance that no group lists is detached, or not listed yet: the last state stands, and ages.
                if let Some((_, state)) = own {
                    self.own_state.take(Ok(state), now);
                }
                Ok(())
            }
        }
    }

    fn tell(&mut self, trouble: Option<String>) {
        match trouble {
            Some(trouble) if self.told.as_ref() != Some(&trouble) => {
                warn!("AWS did not answer as it should: {trouble}");
                self.told = Some(trouble);
            }
            Some(_) => {}
            None => self.told = None,
        }
    }

    pub(super) fn cloud(&self, now: Timestamp, policy: &Policy) -> Cloud {
        let fresh = policy.cloud_fresh;
        let both = self.groups.reading(now, fresh, NOT_ASKED);
        let (groups, listed) = match both {
            Reading::Fresh((groups, listed), at) => (Reading::Fresh(groups, at), Reading::Fresh(listed, at)),
            Reading::Stale((groups, listed), at) => (Reading::Stale(groups, at), Reading::Stale(listed, at)),
            Reading::Unknown(why) => (Reading::Unknown(why.clone()), Reading::Unknown(why)),
        };
        let aged =
            |(id, (answer, at)): (&InstanceId, &(Ec2Answer, Timestamp))| (id.clone(), Reading::aged(answer.clone(), *at, now, fresh));
        Cloud {
            groups,
            listed,
            tagged: self.tagged.reading(now, fresh, NOT_ASKED),
            asked: self.asked.iter().map(aged).collect(),
            hooks: self.hooks.reading(now, fresh, NOT_ASKED),
            own_state: self.own_state.reading(now, fresh, NOT_ASKED),
        }
    }
}

fn keep<T: Clone>(last: &mut Last<T>, result: Result<T, String>, now: Timestamp) -> Result<(), String> {
    let trouble = result.as_ref().err().cloned();
    last.take(result, now);
    trouble.map_or(Ok(()), Err)
}
