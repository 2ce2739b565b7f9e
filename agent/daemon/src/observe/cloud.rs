//! The AWS control plane, asked at the core's cadence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use quorate_core::cadence::Query;
use quorate_core::engine::Engine;
use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::observation::{Cloud, Ec2Answer, Group, Hook, LifecycleState, ListedInstance, Observation};
use quorate_core::policy::Policy;
use quorate_core::reading::Reading;
use quorate_core::role::Role;
use quorate_core::sources::{Failure, Source, Sources};
use quorate_core::time::Timestamp;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::last::Last;
use crate::adapters::aws::{AwsError, HookPattern, Listing};
use crate::clients::Clients;
use crate::config::Settings;
use crate::repeats::Repeats;
use crate::telemetry::chain;

/// The hooks can be asked for once the groups are known: a second round saves a booting node a pause.
const ROUNDS: usize = 2;

/// Longer than AWS normally takes. A slower answer is left to a later cycle: while AWS is slow or away, membership stays as before, and the watchdog is fed.
const AT_ONCE: Duration = Duration::from_secs(1);

const NOT_ASKED: &str = "AWS was not asked yet";

pub(super) struct CloudObserver {
    clients: Clients,
    hook_pattern: HookPattern,
    groups: Last<(Vec<Group>, BTreeMap<InstanceId, ListedInstance>)>,
    tagged: Last<BTreeSet<InstanceId>>,
    asked: BTreeMap<InstanceId, (Ec2Answer, Timestamp)>,
    places: BTreeMap<InstanceId, (Option<LifecycleState>, Timestamp)>,
    hooks: Last<Vec<Hook>>,
    own_state: Last<LifecycleState>,
    /// The open questions, at most one of each kind.
    asking: JoinSet<(Timestamp, Answer)>,
    open: HashMap<task::Id, Discriminant<Query>>,
    /// Answers about this instance's own state that were asked for before this time are outdated, because of a step.
    own_state_from: Timestamp,
    /// Limits the journal: a throttled minute is one line.
    troubles: Repeats,
    /// The health checks that the journal has warned of.
    warned_of: BTreeMap<GroupName, Vec<String>>,
    /// The results of the questions since the last look.
    came: Vec<(&'static str, Result<(), Trouble>, Timestamp)>,
}

type Asked<T> = Result<T, Trouble>;

struct Trouble {
    message: String,
    /// None while AWS only throttles.
    failure: Option<Failure>,
}

impl From<AwsError> for Trouble {
    fn from(error: AwsError) -> Self {
        let message = chain(&error);
        let is_certain = matches!(error, AwsError::Denied { .. } | AwsError::Unauthenticated { .. });
        let failure = (!error.is_throttling()).then(|| Failure { message: message.as_str().into(), is_certain });
        Self { message, failure }
    }
}

enum Answer {
    Groups(Asked<Listing>),
    Tagged(Asked<BTreeSet<InstanceId>>),
    Instances(Asked<BTreeMap<InstanceId, Ec2Answer>>),
    Places(Asked<BTreeMap<InstanceId, Option<LifecycleState>>>),
    Hooks(Asked<Vec<Hook>>),
    /// None if no group lists this instance: it is detached, or not listed yet.
    OwnState(Asked<Option<LifecycleState>>),
}

impl CloudObserver {
    pub(super) fn new(settings: &Settings, clients: &Clients) -> Self {
        Self {
            clients: clients.clone(),
            hook_pattern: settings.aws.hook_pattern.clone(),
            groups: Last::default(),
            tagged: Last::default(),
            asked: BTreeMap::new(),
            places: BTreeMap::new(),
            hooks: Last::default(),
            own_state: Last::default(),
            asking: JoinSet::new(),
            open: HashMap::new(),
            own_state_from: Timestamp(0),
            troubles: Repeats::default(),
            warned_of: BTreeMap::new(),
            came: Vec::new(),
        }
    }

    /// Asks what is due, side by side, and puts the answers into `seen`.
    pub(super) async fn look(&mut self, seen: &mut Observation, engine: &mut Engine, policy: &Policy, now: Timestamp) {
        let until = Instant::now() + AT_ONCE;
        // Drops old entries: one that is too old to act on is of no use.
        self.places.retain(|_, (_, at)| now.since(*at) <= policy.cloud_fresh);
        for _ in 0..ROUNDS {
            let due = engine.due(seen, now);
            for query in due.into_iter().filter(|query| !self.open.values().any(|open| *open == discriminant(query))).collect::<Vec<_>>() {
                engine.asked(&query, now);
                self.start(query, now);
            }
            if self.open.is_empty() {
                return;
            }
            let all_answered = timeout_at(until, self.take_all()).await.is_ok();
            self.tell(engine.sources());
            seen.cloud = self.cloud(now, policy);
            if !all_answered {
                return;
            }
        }
    }

    /// A step may have changed this instance's own state: earlier answers are not believed.
    pub(super) fn own_state_may_have_changed(&mut self, now: Timestamp) {
        self.own_state_from = now;
    }

    fn start(&mut self, query: Query, now: Timestamp) {
        let kind = discriminant(&query);
        let names = self.groups_with_hooks();
        let answer = ask(self.clients.clone(), query, names, self.hook_pattern.clone());
        let task = self.asking.spawn(async move { (now, answer.await) });
        self.open.insert(task.id(), kind);
    }

    /// The groups whose hooks matter here. A worker needs only those of its own group; the groups that it knows are the servers'.
    fn groups_with_hooks(&self) -> Vec<GroupName> {
        match self.clients.me.role {
            Role::Worker => vec![self.clients.me.group.clone()],
            Role::Etcd | Role::ControlPlane => {
                self.groups.value().into_iter().flat_map(|(groups, _)| groups).map(|group| group.name.clone()).collect()
            }
        }
    }

    async fn take_all(&mut self) {
        while let Some(next) = self.asking.join_next_with_id().await {
            match next {
                Ok((id, (at, answer))) => {
                    self.open.remove(&id);
                    self.take(answer, at);
                }
                Err(error) => {
                    self.open.remove(&error.id());
                }
            }
        }
    }

    fn take(&mut self, answer: Answer, at: Timestamp) {
        let question = question(&answer);
        let trouble = match answer {
            Answer::Groups(result) => {
                let result = result.map(|Listing { groups, listed, health_checks }| {
                    self.warn_of(health_checks);
                    (groups, listed)
                });
                keep(&mut self.groups, result, at)
            }
            Answer::Tagged(result) => keep(&mut self.tagged, result, at),
            Answer::Hooks(result) => keep(&mut self.hooks, result, at),
            Answer::Instances(Ok(answers)) => {
                self.asked.extend(answers.into_iter().map(|(id, answer)| (id, (answer, at))));
                None
            }
            Answer::Places(Ok(places)) => {
                self.places.extend(places.into_iter().map(|(id, place)| (id, (place, at))));
                None
            }
            // If no group lists the instance, its last state stays, and ages.
            Answer::OwnState(Ok(None)) => None,
            Answer::OwnState(Ok(Some(_))) if at < self.own_state_from => None,
            Answer::OwnState(Ok(Some(state))) => keep(&mut self.own_state, Ok(state), at),
            Answer::Instances(Err(trouble)) | Answer::Places(Err(trouble)) | Answer::OwnState(Err(trouble)) => Some(trouble),
        };
        self.came.push((question, trouble.map_or(Ok(()), Err), at));
    }

    /// Says once what a group of members believes that it should not. A worker's groups are the servers', whose agents say it.
    fn warn_of(&mut self, health_checks: BTreeMap<GroupName, Vec<String>>) {
        if self.clients.me.role == Role::Worker || self.warned_of == health_checks {
            return;
        }
        for (group, kinds) in &health_checks {
            let kinds = kinds.join(" or ");
            warn!(
                "the group {group} terminates what {kinds} calls unhealthy: point that health check at /livez, because /readyz fails on every member \
                 while quorum is lost, and /leader on every follower"
            );
        }
        self.warned_of = health_checks;
    }

    fn tell(&mut self, sources: &mut Sources) {
        for (question, result, at) in std::mem::take(&mut self.came) {
            let source = if question == INSTANCES { Source::Ec2 } else { Source::AutoScaling };
            match result {
                Ok(()) => {
                    self.troubles.over(question);
                    sources.note(source, question, Ok(()), at);
                }
                Err(Trouble { message, failure }) => {
                    if let Some(again) = self.troubles.news(question, &message, at) {
                        warn!("AWS did not answer as it should: {message}{again}");
                    }
                    failure.into_iter().for_each(|failure| sources.note(source, question, Err(failure), at));
                }
            }
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
            places: self.places.iter().map(|(id, (place, at))| (id.clone(), Reading::aged(*place, *at, now, fresh))).collect(),
            hooks: self.hooks.reading(now, fresh, NOT_ASKED),
            own_state: self.own_state.reading(now, fresh, NOT_ASKED),
        }
    }
}

async fn ask(clients: Clients, query: Query, groups: Vec<GroupName>, hooks: HookPattern) -> Answer {
    let cluster = &clients.me.cluster;
    match query {
        Query::Groups => Answer::Groups(clients.autoscaling.groups(cluster, clients.me.role.of_peers()).await.map_err(Trouble::from)),
        Query::Tagged => Answer::Tagged(clients.ec2.tagged(cluster, clients.me.role.of_peers()).await.map_err(Trouble::from)),
        Query::Instances(ids) => Answer::Instances(clients.ec2.describe(&ids).await.map_err(Trouble::from)),
        Query::Places(ids) => Answer::Places(clients.autoscaling.places(&ids).await.map_err(Trouble::from)),
        Query::Hooks => Answer::Hooks(clients.autoscaling.hooks(&groups, &hooks).await.map_err(Trouble::from)),
        Query::OwnState => {
            let own = clients.autoscaling.own(&clients.me.instance).await.map_err(Trouble::from);
            Answer::OwnState(own.map(|own| own.map(|(_, state)| state)))
        }
    }
}

/// Keeps a result, and returns the error if there was one.
fn keep<T: Clone>(last: &mut Last<T>, result: Asked<T>, at: Timestamp) -> Option<Trouble> {
    match result {
        Ok(value) => {
            last.take(Ok(value), at);
            None
        }
        Err(trouble) => {
            last.take(Err(trouble.message.clone()), at);
            Some(trouble)
        }
    }
}

const INSTANCES: &str = "DescribeInstances";

/// The call that it answers.
fn question(answer: &Answer) -> &'static str {
    match answer {
        Answer::Groups(_) => "DescribeAutoScalingGroups",
        Answer::Tagged(_) | Answer::Instances(_) => INSTANCES,
        Answer::Hooks(_) => "DescribeLifecycleHooks",
        Answer::OwnState(_) => "DescribeAutoScalingInstances",
        Answer::Places(_) => "DescribeAutoScalingInstances of others",
    }
}
