//! Auto Scaling: the cluster's groups, their instances and hooks, and the three calls that an instance makes to its group.

mod actions;
mod groups;
mod hooks;
mod pattern;
mod probe;
mod tags;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, AutoScalingInstanceDetails, Filter, Instance};
use aws_sdk_autoscaling::{Client, config};
use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::observation::{Group, Hook, LifecycleState, ListedInstance};
use quorate_core::role::Role;

pub use hooks::FoundHook;
pub use pattern::HookPattern;
pub use probe::{GroupSettings, OwnEntry};
pub use tags::{CLUSTER_TAG, GroupTags, ROLE_TAG, STORE_TAG, TagEntry};

use super::answers::Whole;
use super::{AwsError, Witness, sdk};

const DESCRIBE_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";
const DESCRIBE_INSTANCES: &str = "autoscaling:DescribeAutoScalingInstances";
const DESCRIBE_POOL: &str = "autoscaling:DescribeWarmPool";
const DESCRIBE_HOOKS: &str = "autoscaling:DescribeLifecycleHooks";

/// The largest page that the API gives.
const PAGE: i32 = 100;
/// The most instances that one call describes.
const MOST_IDS: usize = 50;

/// The client.
#[derive(Clone, Debug)]
pub struct AutoScaling {
    /// For questions.
    asks: Client,
    /// For calls that change something: never retried automatically.
    acts: Client,
}

impl AutoScaling {
    /// A client with this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let (retries, patience) = sdk::once(config);
        let once = config::Builder::from(config).retry_config(retries).timeout_config(patience).interceptor(Whole).build();
        let asks = config::Builder::from(config).interceptor(Whole).build();
        Self { asks: Client::from_conf(asks), acts: Client::from_conf(once) }
    }

    /// The same with an observer.
    #[must_use]
    pub fn watched(config: &SdkConfig, witness: Witness) -> Self {
        let asks = config::Builder::from(config).interceptor(witness).interceptor(Whole).build();
        Self { asks: Client::from_conf(asks), ..Self::new(config) }
    }

    /// This instance's own group and its place there; `None` if no group has it, which is also so for a moment after its launch.
    ///
    /// # Errors
    /// The call failed.
    pub async fn own(&self, instance: &InstanceId) -> Result<Option<(GroupName, LifecycleState)>, AwsError> {
        let found = self.entries(std::slice::from_ref(instance)).await?;
        groups::own(instance, &found).map_err(|what| AwsError::malformed(DESCRIBE_INSTANCES, what))
    }

    /// Where each of these instances stands in its group; `None` if no group has it, or no longer has it.
    ///
    /// # Errors
    /// A call failed, or an entry could not be read.
    pub async fn places(&self, instances: &[InstanceId]) -> Result<BTreeMap<InstanceId, Option<LifecycleState>>, AwsError> {
        let mut places = BTreeMap::new();
        for some in instances.chunks(MOST_IDS) {
            let found = self.entries(some).await?;
            for instance in some {
                let own = groups::own(instance, &found);
                let own = own.map_err(|what| AwsError::malformed(DESCRIBE_INSTANCES, what))?;
                places.insert(instance.clone(), own.map(|(_, state)| state));
            }
        }
        Ok(places)
    }

    /// Quorate's tags of one group.
    ///
    /// # Errors
    /// The call failed, there is no such group, or its tags contradict each other.
    pub async fn tags_of(&self, group: &GroupName) -> Result<GroupTags, AwsError> {
        tags::of(&self.named(group).await?).map_err(|what| AwsError::malformed(DESCRIBE_GROUPS, what))
    }

    /// A group without its instances. As everywhere, an answer may have fewer entries than it could have, or none, and a next page.
    async fn named(&self, group: &GroupName) -> Result<AutoScalingGroup, AwsError> {
        let request = self.asks.describe_auto_scaling_groups().auto_scaling_group_names(group.as_str()).include_instances(false);
        let found = all(request).await?.into_iter().find(|found| found.auto_scaling_group_name() == Some(group.as_str()));
        found.ok_or_else(|| AwsError::malformed(DESCRIBE_GROUPS, format!("without the group {group}")))
    }

    /// The entries of these instances; an instance that no group has is left out.
    async fn entries(&self, instances: &[InstanceId]) -> Result<Vec<AutoScalingInstanceDetails>, AwsError> {
        let ids = instances.iter().map(|id| id.as_str().to_owned()).collect();
        let mut pages = self.asks.describe_auto_scaling_instances().set_instance_ids(Some(ids)).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(DESCRIBE_INSTANCES, error))?;
            found.extend(page.auto_scaling_instances.unwrap_or_default());
        }
        Ok(found)
    }

    /// The cluster's groups, found by their tags, and the instances that they list, including those of their warm pools.
    ///
    /// # Errors
    /// A call failed, or an entry could not be read. A partial answer is never given: an instance left out would look gone.
    pub async fn groups(&self, cluster: &ClusterName, role: Role) -> Result<Listing, AwsError> {
        let filters = vec![tag_filter(CLUSTER_TAG, cluster.as_str()), tag_filter(ROLE_TAG, role.as_str())];
        let found = all(self.asks.describe_auto_scaling_groups().set_filters(Some(filters)).max_records(PAGE)).await?;
        let all = groups::of_cluster(&found, cluster, role).map_err(|what| AwsError::malformed(DESCRIBE_GROUPS, what))?;
        let (groups, mut listed) = all;
        for group in groups::with_pools(&found, &groups) {
            let spares = self.spares(group).await?;
            groups::add_spares(&mut listed, group, &spares).map_err(|what| AwsError::malformed(DESCRIBE_POOL, what))?;
        }
        let health_checks = groups::health_checks(&found, &groups);
        Ok(Listing { groups, listed, health_checks })
    }

    /// The instances in a group's warm pool. DescribeAutoScalingGroups does not list them, and a stopped one answers nothing: without this call it looks like
    /// an instance that may hold data.
    async fn spares(&self, group: &GroupName) -> Result<Vec<Instance>, AwsError> {
        let mut pages = self.asks.describe_warm_pool().auto_scaling_group_name(group.as_str()).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(DESCRIBE_POOL, error))?;
            found.extend(page.instances.unwrap_or_default());
        }
        Ok(found)
    }

    /// Our hooks on these groups. Other hooks are left out, so nothing can complete them by mistake.
    ///
    /// # Errors
    /// A call failed, or a hook of ours could not be read.
    pub async fn hooks(&self, groups: &[GroupName], ours: &HookPattern) -> Result<Vec<Hook>, AwsError> {
        let mut found = Vec::new();
        for group in groups {
            let request = self.asks.describe_lifecycle_hooks().auto_scaling_group_name(group.as_str());
            let answer = request.send().await.map_err(|error| AwsError::new(DESCRIBE_HOOKS, error))?;
            let hooks = hooks::ours(group, answer.lifecycle_hooks(), ours);
            found.extend(hooks.map_err(|what| AwsError::malformed(DESCRIBE_HOOKS, what))?);
        }
        Ok(found)
    }
}

/// What the cluster's groups are and list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The groups.
    pub groups: Vec<Group>,
    /// The instances that they list, those of their warm pools included.
    pub listed: BTreeMap<InstanceId, ListedInstance>,
    /// By group, the kinds of probes whose verdict it believes: `ELB`, `VPC_LATTICE`. A group that believes none is left out.
    pub health_checks: BTreeMap<GroupName, Vec<String>>,
}

/// The groups of every page.
async fn all(request: DescribeAutoScalingGroupsFluentBuilder) -> Result<Vec<AutoScalingGroup>, AwsError> {
    let mut pages = request.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::new(DESCRIBE_GROUPS, error))?;
        found.extend(page.auto_scaling_groups.unwrap_or_default());
    }
    Ok(found)
}

fn tag_filter(key: &str, value: &str) -> Filter {
    Filter::builder().name(format!("tag:{key}")).values(value).build()
}
