//! Converts the API's groups and instances to the core's.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{AutoScalingGroup, AutoScalingInstanceDetails, Instance, RetentionAction};
use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::observation::{Group, LifecycleState, ListedInstance, ScalingProcess};

use super::tags;
use quorate_core::role::Role;

/// This instance's entry, by its id.
///
/// # Errors
/// The entry lacks something; the end of a sentence that begins with "an answer".
pub(super) fn own(instance: &InstanceId, listed: &[AutoScalingInstanceDetails]) -> Result<Option<(GroupName, LifecycleState)>, String> {
    let Some(entry) = listed.iter().find(|entry| entry.instance_id() == Some(instance.as_str())) else { return Ok(None) };
    let group = entry.auto_scaling_group_name().ok_or_else(|| format!("without the group of {instance}"))?;
    let state = entry.lifecycle_state().ok_or_else(|| format!("without the state of {instance}"))?;
    let group = GroupName::parse(group).map_err(|error| format!("with a group of {instance} that cannot be used: {error}"))?;
    Ok(Some((group, LifecycleState::parse(state))))
}

/// The groups that carry both tags, and what they list. The API's filter is not trusted for this: a group included by mistake would add its instances to this
/// cluster.
///
/// # Errors
/// An entry lacks something, or an instance is in two groups; the end of a sentence that begins with "an answer".
pub(super) fn of_cluster(
    found: &[AutoScalingGroup],
    cluster: &ClusterName,
    role: Role,
) -> Result<(Vec<Group>, BTreeMap<InstanceId, ListedInstance>), String> {
    let (mut groups, mut listed) = (Vec::new(), BTreeMap::new());
    for found in found {
        let tags = tags::of(found)?;
        if tags.cluster.as_deref() != Some(cluster.as_str()) || tags.role.as_deref() != Some(role.as_str()) {
            continue;
        }
        let group = group(found)?;
        found.instances().iter().try_for_each(|instance| list(&mut listed, &group.name, instance))?;
        groups.push(group);
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((groups, listed))
}

/// The kinds of probes whose verdict a group believes. The API lists the kinds of health checks in one text, separated by commas; `EC2` and `EBS` ask
/// nothing of what runs on the instance.
pub(super) fn probes(found: &AutoScalingGroup) -> Vec<String> {
    let kinds = found.health_check_type().unwrap_or_default().split(',').map(str::trim);
    kinds.filter(|kind| !["", "EC2", "EBS"].contains(kind)).map(str::to_owned).collect()
}

/// The same of each of `groups` that believes any.
pub(super) fn health_checks(found: &[AutoScalingGroup], groups: &[Group]) -> BTreeMap<GroupName, Vec<String>> {
    let of = |group: &Group| {
        let found = found.iter().find(|found| found.auto_scaling_group_name() == Some(group.name.as_str()))?;
        Some(probes(found)).filter(|kinds| !kinds.is_empty()).map(|kinds| (group.name.clone(), kinds))
    };
    groups.iter().filter_map(of).collect()
}

/// Those of `groups` that have a warm pool.
pub(super) fn with_pools<'a>(found: &[AutoScalingGroup], groups: &'a [Group]) -> impl Iterator<Item = &'a GroupName> {
    let have: BTreeSet<&str> = found
        .iter()
        .filter(|found| found.warm_pool_configuration().is_some())
        .filter_map(|found| found.auto_scaling_group_name())
        .collect();
    let names: Vec<&GroupName> = groups.iter().map(|group| &group.name).filter(|name| have.contains(name.as_str())).collect();
    names.into_iter()
}

/// Adds the instances of a group's warm pool. They were read after the group's own list, so for an instance in both they are the newer answer.
///
/// # Errors
/// An entry lacks something, or an instance is in two groups; the end of a sentence that begins with "an answer".
pub(super) fn add_spares(listed: &mut BTreeMap<InstanceId, ListedInstance>, group: &GroupName, spares: &[Instance]) -> Result<(), String> {
    spares.iter().try_for_each(|instance| list(listed, group, instance))
}

fn list(listed: &mut BTreeMap<InstanceId, ListedInstance>, group: &GroupName, instance: &Instance) -> Result<(), String> {
    let (id, entry) = entry(group, instance)?;
    match listed.insert(id.clone(), entry).filter(|other| other.group != *group) {
        Some(other) => Err(format!("in which {id} is in two groups, {} and {group}", other.group)),
        None => Ok(()),
    }
}

fn group(found: &AutoScalingGroup) -> Result<Group, String> {
    let name = found.auto_scaling_group_name().ok_or("with a group that has no name")?;
    let desired = found.desired_capacity().and_then(|desired| u32::try_from(desired).ok());
    let abandon = found.instance_lifecycle_policy().and_then(|policy| policy.retention_triggers()?.terminate_hook_abandon());
    Ok(Group {
        name: GroupName::parse(name).map_err(|error| format!("with a group that cannot be used: {error}"))?,
        desired: in_instances(desired.ok_or_else(|| format!("without the desired capacity of {name}"))?, found.instances()),
        retains_on_abandon: abandon == Some(&RetentionAction::Retain),
        suspended: found.suspended_processes().iter().filter_map(|process| ScalingProcess::parse(process.process_name()?)).collect(),
    })
}

/// A desired capacity, which counts units where the group's instance types have weights (`WeightedCapacity`), in instances: those that fill it now, and as
/// many more of the heaviest kind as fill what is missing. Auto Scaling may exceed the capacity by less than one instance.
fn in_instances(units: u32, listed: &[Instance]) -> u32 {
    let fills = |instance: &&Instance| {
        let state = instance.lifecycle_state().map(|state| LifecycleState::parse(state.as_str()));
        state.is_some_and(|state| state.is_watched() && !matches!(state, LifecycleState::Detached | LifecycleState::Warmed(_)))
    };
    let weight = |instance: &Instance| instance.weighted_capacity().and_then(|weight| weight.parse().ok()).unwrap_or(1_u32).max(1);
    let heaviest = listed.iter().map(weight).max().unwrap_or(1);
    let filling: Vec<u32> = listed.iter().filter(fills).map(weight).collect();
    let filled: u32 = filling.iter().sum();
    let count = u32::try_from(filling.len()).unwrap_or(u32::MAX);
    match units.checked_sub(filled) {
        Some(missing) => count + missing.div_ceil(heaviest),
        None => count - ((filled - units) / heaviest).min(count),
    }
}

fn entry(group: &GroupName, instance: &Instance) -> Result<(InstanceId, ListedInstance), String> {
    let id = instance.instance_id().ok_or_else(|| format!("with an instance of {group} that has no id"))?;
    let state = instance.lifecycle_state().ok_or_else(|| format!("without the state of {id}"))?;
    let id = InstanceId::parse(id).map_err(|error| format!("with an instance of {group} that cannot be used: {error}"))?;
    Ok((id, ListedInstance { group: group.clone(), state: LifecycleState::parse(state.as_str()) }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::builders::AutoScalingGroupBuilder;
    use aws_sdk_autoscaling::types::{InstanceLifecyclePolicy, RetentionTriggers, TagDescription};

    use super::*;

    fn tagged(name: &str, cluster: &str, role: &str) -> AutoScalingGroupBuilder {
        let tag = |key: &str, value: &str| TagDescription::builder().key(key).value(value).build();
        let group = AutoScalingGroup::builder().auto_scaling_group_name(name).desired_capacity(3);
        group.tags(tag("quorate:cluster", cluster)).tags(tag("quorate:role", role))
    }

    fn instance(id: &str, state: &str) -> Instance {
        Instance::builder().instance_id(id).lifecycle_state(state.into()).build()
    }

    fn of_prod(found: &[AutoScalingGroup]) -> Result<(Vec<Group>, BTreeMap<InstanceId, ListedInstance>), String> {
        of_cluster(found, &ClusterName::new("prod"), Role::Etcd)
    }

    #[test]
    fn several_groups_make_one_cluster() {
        let b = tagged("b", "prod", "etcd").instances(instance("i-2", "Terminating:Wait")).build();
        let a = tagged("a", "prod", "etcd").instances(instance("i-1", "InService")).build();
        let (groups, listed) = of_prod(&[b, a]).unwrap();
        assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let second = ListedInstance { group: GroupName::new("b"), state: LifecycleState::TerminatingWait };
        assert_eq!(listed[&InstanceId::new("i-2")], second);
    }

    #[test]
    fn groups_of_other_clusters_and_roles_are_left_out_whatever_the_filter_let_through() {
        let others = [
            tagged("a", "prod2", "etcd").instances(instance("i-1", "InService")).build(),
            tagged("b", "Prod", "etcd").build(),
            tagged("c", "prod", "worker").build(),
            AutoScalingGroup::builder().auto_scaling_group_name("d").build(),
        ];
        assert_eq!(of_prod(&others), Ok((vec![], BTreeMap::new())));
    }

    #[test]
    fn a_capacity_in_units_is_counted_in_instances() {
        let weighing = |id: &str, state: &str, weight: &str| {
            Instance::builder().instance_id(id).lifecycle_state(state.into()).weighted_capacity(weight)
        };
        let desired = |units: i32, of: &[(&str, &str)]| {
            let instances = of.iter().enumerate().map(|(n, (state, weight))| weighing(&format!("i-{n}"), state, weight).build());
            let group = tagged("a", "prod", "etcd").desired_capacity(units).set_instances(Some(instances.collect()));
            of_prod(&[group.build()]).unwrap().0[0].desired
        };
        let three = [("InService", "2"), ("InService", "2"), ("InService", "2")];
        assert_eq!(desired(6, &three), 3);
        assert_eq!(desired(6, &[("InService", "2"), ("InService", "2"), ("Terminating:Wait", "2")]), 3, "its replacement is missing");
        assert_eq!(desired(6, &[("InService", "2"), ("InService", "2"), ("Pending", "2"), ("Terminating:Wait", "2")]), 3);
        assert_eq!(desired(5, &three), 3, "a capacity may be exceeded by less than one instance");
        assert_eq!(desired(4, &three), 2, "the group scales in");
        assert_eq!(desired(8, &three), 4);
        assert_eq!(desired(6, &[("InService", "4"), ("InService", "1")]), 3);
        assert_eq!(desired(3, &[("InService", "1"), ("Standby", "1")]), 3, "what is in standby fills nothing");
        assert_eq!(desired(2, &[("InService", "1"), ("InService", "1"), ("Terminating:Wait", "1")]), 2);
        assert_eq!(desired(0, &[("InService", "1")]), 0);
        assert_eq!(desired(3, &[("InService", "two")]), 3, "a weight that cannot be read counts one");
    }

    #[test]
    fn retention_is_read_from_the_lifecycle_policy() {
        let policy = |action: RetentionAction| {
            let triggers = RetentionTriggers::builder().terminate_hook_abandon(action).build();
            tagged("a", "prod", "etcd").instance_lifecycle_policy(InstanceLifecyclePolicy::builder().retention_triggers(triggers).build())
        };
        let retains = |group: AutoScalingGroupBuilder| of_prod(&[group.build()]).unwrap().0[0].retains_on_abandon;
        assert!(retains(policy(RetentionAction::Retain)));
        assert!(!retains(policy(RetentionAction::Terminate)));
        assert!(!retains(tagged("a", "prod", "etcd")));
    }

    #[test]
    fn an_entry_that_cannot_be_read_spoils_the_answer_and_does_not_vanish() {
        let nameless = Instance::builder().lifecycle_state("InService".into()).build();
        let stateless = Instance::builder().instance_id("i-1").build();
        for (instance, message) in [(nameless, "has no id"), (stateless, "without the state of i-1")] {
            let error = of_prod(&[tagged("a", "prod", "etcd").instances(instance).build()]).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn an_instance_in_two_groups_is_a_contradiction() {
        let group = |name| tagged(name, "prod", "etcd").instances(instance("i-1", "InService")).build();
        assert!(of_prod(&[group("a"), group("b")]).unwrap_err().contains("i-1 is in two groups, a and b"));
    }

    #[test]
    fn a_spare_is_listed_with_the_pools_word_which_is_the_newer_one() {
        let group = GroupName::new("a");
        let found = [tagged("a", "prod", "etcd").instances(instance("i-1", "InService")).build()];
        let (groups, mut listed) = of_prod(&found).unwrap();
        assert_eq!(with_pools(&found, &groups).count(), 0, "it has no pool");
        add_spares(&mut listed, &group, &[instance("i-1", "Warmed:Pending"), instance("i-2", "Warmed:Stopped")]).unwrap();
        let expected = [("i-1", "Warmed:Pending"), ("i-2", "Warmed:Stopped")];
        for (id, state) in expected {
            assert_eq!(listed[&InstanceId::new(id)].state, LifecycleState::parse(state));
        }
        let error = add_spares(&mut listed, &GroupName::new("b"), &[instance("i-2", "Warmed:Stopped")]).unwrap_err();
        assert!(error.contains("i-2 is in two groups, a and b"), "{error}");
    }

    #[test]
    fn only_the_own_entry_counts() {
        let entry =
            |id: &str| AutoScalingInstanceDetails::builder().instance_id(id).auto_scaling_group_name("g").lifecycle_state("Pending");
        let listed = [entry("i-2").build(), entry("i-1").lifecycle_state("Warmed:Stopped").build()];
        let me = InstanceId::new("i-1");
        let expected = (GroupName::new("g"), LifecycleState::parse("Warmed:Stopped"));
        assert_eq!(own(&me, &listed), Ok(Some(expected)));
        assert_eq!(own(&me, &listed[..1]), Ok(None));
        assert!(own(&me, &[AutoScalingInstanceDetails::builder().instance_id("i-1").build()]).is_err());
    }
}
