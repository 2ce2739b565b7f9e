//! What the describes answer.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use quorate_core::ids::{GroupName, HookName, InstanceId};
use quorate_core::time::Timestamp;

use super::view::Lens;
use super::{
    Api, ApiError, Call, Ec2State, Group, Health, HookSpec, Instance, InstanceRefresh, LifecycleState, Look, Region, Service, Sizes, Tag,
    WarmPool,
};

/// An instance as EC2 describes it.
#[derive(Clone, Debug)]
pub struct InstanceView {
    /// Its id.
    pub id: InstanceId,
    /// The state of the machine.
    pub state: Ec2State,
    /// Its private IPv4 address; a terminated instance has none.
    pub address: Option<Ipv4Addr>,
    /// Its IPv6 address, likewise.
    pub ipv6: Option<Ipv6Addr>,
    /// Its availability zone.
    pub zone: Arc<str>,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// Its tags.
    pub tags: Arc<[Tag]>,
}

/// An instance as Auto Scaling describes it.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// Its id.
    pub id: InstanceId,
    /// Its group.
    pub group: GroupName,
    /// Its availability zone.
    pub zone: Arc<str>,
    /// Its place in the group.
    pub lifecycle: LifecycleState,
    /// Its health.
    pub health: Health,
}

/// A group as Auto Scaling describes it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its name.
    pub name: GroupName,
    /// Its sizes.
    pub sizes: Sizes,
    /// Its tags.
    pub tags: Arc<[Tag]>,
    /// Its zones.
    pub zones: Arc<[Arc<str>]>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its warm pool.
    pub warm_pool: Option<WarmPool>,
    /// Its instances in launch order, without those of the warm pool.
    pub members: Vec<MemberView>,
}

/// A filter of DescribeInstances: all filters must hold, one value of each is enough.
#[derive(Clone, Debug)]
pub enum InstanceFilter {
    /// `instance-state-name`
    State(Vec<Ec2State>),
    /// `tag:KEY`
    Tag(String, Vec<String>),
    /// `tag-key`
    TagKey(Vec<String>),
    /// `instance-id`
    Id(Vec<InstanceId>),
    /// `private-ip-address`
    Address(Vec<String>),
    /// `ipv6-address`
    Ipv6(Vec<String>),
    /// `availability-zone`
    Zone(Vec<String>),
}

/// A filter of DescribeAutoScalingGroups.
#[derive(Clone, Debug)]
pub enum GroupFilter {
    /// `tag:KEY`
    Tag(String, Vec<String>),
    /// `tag-key`
    TagKey(Vec<String>),
    /// `tag-value`
    TagValue(Vec<String>),
}

impl InstanceFilter {
    fn admits(&self, view: &InstanceView) -> bool {
        match self {
            Self::State(states) => states.contains(&view.state),
            Self::Tag(key, values) => view.tags.iter().any(|tag| *tag.key == **key && any(values, &tag.value)),
            Self::TagKey(keys) => view.tags.iter().any(|tag| any(keys, &tag.key)),
            Self::Id(ids) => ids.contains(&view.id),
            Self::Address(addresses) => view.address.is_some_and(|address| any(addresses, &address.to_string())),
            Self::Ipv6(addresses) => view.ipv6.is_some_and(|address| any(addresses, &address.to_string())),
            Self::Zone(zones) => any(zones, &view.zone),
        }
    }
}

impl GroupFilter {
    fn admits(&self, group: &Group) -> bool {
        let mut tags = group.tags.iter();
        match self {
            Self::Tag(key, values) => tags.any(|tag| *tag.key == **key && any(values, &tag.value)),
            Self::TagKey(keys) => tags.any(|tag| any(keys, &tag.key)),
            Self::TagValue(values) => tags.any(|tag| any(values, &tag.value)),
        }
    }
}

fn any(values: &[String], text: &str) -> bool {
    values.iter().any(|value| value == text)
}

impl Api<'_> {
    /// EC2: the instances of these ids (all, when none is given) that pass every filter.
    ///
    /// # Errors
    ///
    /// `InvalidInstanceID.NotFound` when an id was asked for that EC2 does not know, no longer knows, or does not know yet.
    pub fn describe_instances(&mut self, ids: &[InstanceId], filters: &[InstanceFilter]) -> Result<Vec<InstanceView>, ApiError> {
        self.count(Call::DescribeInstances);
        let lens = self.region.lens(Service::Ec2, self.caller);
        let mut views = if ids.is_empty() { self.region.list_instances(&lens) } else { self.region.pick_instances(ids, &lens)? };
        views.retain(|view| filters.iter().all(|filter| filter.admits(view)));
        Ok(views)
    }

    /// EC2: every tag of every instance that it shows.
    pub fn tags_of_instances(&mut self) -> Vec<(InstanceId, Tag)> {
        self.count(Call::DescribeTags);
        let lens = self.region.lens(Service::Ec2, self.caller);
        let views = self.region.list_instances(&lens).into_iter();
        views.flat_map(|view| view.tags.iter().map(|tag| (view.id.clone(), tag.clone())).collect::<Vec<_>>()).collect()
    }

    /// Auto Scaling: the groups of these names (all, when none is given) that pass every filter. Unknown names are left out.
    pub fn describe_groups(&mut self, names: &[GroupName], filters: &[GroupFilter]) -> Vec<GroupView> {
        self.count(Call::DescribeAutoScalingGroups);
        let lens = self.region.lens(Service::AutoScaling, self.caller);
        let groups = self.region.groups.iter().filter(|_| !lens.empty);
        let named = groups.filter(|group| names.is_empty() || names.contains(&group.name));
        let wanted = named.filter(|group| filters.iter().all(|filter| filter.admits(group)));
        wanted.filter(|group| group.created_at <= lens.at).map(|group| self.region.group_view(group, &lens)).collect()
    }

    /// Auto Scaling: every tag of every group.
    pub fn tags_of_groups(&mut self) -> Vec<(GroupName, Tag)> {
        self.count(Call::DescribeTags);
        let tags = |group: &Group| group.tags.iter().map(|tag| (group.name.clone(), tag.clone())).collect::<Vec<_>>();
        self.region.groups.iter().flat_map(tags).collect()
    }

    /// Counts a call whose answer is read from the region itself.
    pub fn note(&mut self, call: Call) {
        self.count(call);
    }

    /// Auto Scaling: the members of these ids (all, when none is given) in any group. Unknown ids are left out.
    pub fn describe_auto_scaling_instances(&mut self, ids: &[InstanceId]) -> Vec<MemberView> {
        self.count(Call::DescribeAutoScalingInstances);
        let lens = self.region.lens(Service::AutoScaling, self.caller);
        let region = &*self.region;
        let view = |instance: &Instance| region.member_view(instance, &lens, ids.is_empty());
        if ids.is_empty() {
            region.instances.iter().filter_map(view).collect()
        } else {
            ids.iter().filter_map(|id| region.instance(id)).filter_map(view).collect()
        }
    }

    /// Auto Scaling: the hooks of a group, or those of these names.
    ///
    /// # Errors
    ///
    /// `ValidationError` when there is no such group.
    pub fn describe_hooks(&mut self, group: &GroupName, names: &[HookName]) -> Result<Vec<HookSpec>, ApiError> {
        self.count(Call::DescribeLifecycleHooks);
        let index = self.region.group_index(group)?;
        let hooks = self.region.groups[index].hooks.iter();
        Ok(hooks.filter(|hook| names.is_empty() || names.contains(&hook.name)).cloned().collect())
    }

    /// Auto Scaling: the refreshes of a group, newest first.
    ///
    /// # Errors
    ///
    /// `ValidationError` when there is no such group.
    pub fn describe_instance_refreshes(&mut self, group: &GroupName) -> Result<Vec<InstanceRefresh>, ApiError> {
        self.count(Call::DescribeInstanceRefreshes);
        let index = self.region.group_index(group)?;
        Ok(self.region.groups[index].refreshes.iter().rev().cloned().collect())
    }
}

impl Region {
    fn list_instances(&self, lens: &Lens) -> Vec<InstanceView> {
        let listed = self.instances.iter().filter(|instance| lens.lists(&instance.id));
        listed.filter_map(|instance| self.instance_view(instance, lens)).collect()
    }

    fn pick_instances(&self, ids: &[InstanceId], lens: &Lens) -> Result<Vec<InstanceView>, ApiError> {
        let view = |id: &InstanceId| self.instance_view(self.instance(id).filter(|_| lens.knows(id))?, lens);
        let views: Vec<_> = ids.iter().filter_map(view).collect();
        if views.len() == ids.len() {
            return Ok(views);
        }
        let unknown: Vec<_> = ids.iter().filter(|id| view(id).is_none()).cloned().collect();
        Err(ApiError::unknown_instances(&unknown))
    }

    /// How the caller sees an instance, if it is listed already and not forgotten yet.
    fn look(&self, instance: &Instance, lens: &Lens) -> Option<Look> {
        if instance.launched_at + self.config.delays.listing > lens.at {
            return None;
        }
        instance.look(lens.at)
    }

    fn instance_view(&self, instance: &Instance, lens: &Lens) -> Option<InstanceView> {
        let look = self.look(instance, lens)?;
        if look.ec2 == Ec2State::Terminated && look_age(instance, lens) > self.config.delays.forget {
            return None;
        }
        let is_there = look.ec2 != Ec2State::Terminated;
        Some(InstanceView {
            id: instance.id.clone(),
            state: look.ec2,
            address: instance.ipv4().filter(|_| is_there),
            ipv6: instance.ipv6().filter(|_| is_there),
            zone: instance.zone.clone(),
            launched_at: instance.launched_at,
            tags: instance.tags.clone(),
        })
    }

    fn member_view(&self, instance: &Instance, lens: &Lens, list: bool) -> Option<MemberView> {
        let shown = if list { lens.lists(&instance.id) } else { lens.knows(&instance.id) };
        let look = self.look(instance, lens).filter(|look| shown && look.member)?;
        Some(MemberView {
            id: instance.id.clone(),
            group: self.groups[instance.group].name.clone(),
            zone: instance.zone.clone(),
            lifecycle: look.lifecycle,
            health: look.health,
        })
    }

    fn group_view(&self, group: &Group, lens: &Lens) -> GroupView {
        GroupView {
            name: group.name.clone(),
            sizes: group.sizes_at(lens.at),
            tags: group.tags.clone(),
            zones: group.zones.clone(),
            created_at: group.created_at,
            warm_pool: group.warm_pool,
            // The spares are shown only by DescribeWarmPool and when asked for by id.
            members: self.members_seen(group, lens).into_iter().filter(|member| !member.lifecycle.warm()).collect(),
        }
    }

    /// The present list is enough, unless the caller sees a past in which more were on it.
    pub(super) fn members_seen(&self, group: &Group, lens: &Lens) -> Vec<MemberView> {
        let view = |instance: &Instance| self.member_view(instance, lens, true);
        if lens.at == self.now {
            return group.members.iter().filter_map(|slot| view(&self.instances[*slot])).collect();
        }
        let home = |instance: &&Instance| self.groups[instance.group].name == group.name;
        self.instances.iter().filter(home).filter_map(view).collect()
    }
}

fn look_age(instance: &Instance, lens: &Lens) -> std::time::Duration {
    instance.terminated_at.map_or(std::time::Duration::ZERO, |at| lens.at.since(at))
}
