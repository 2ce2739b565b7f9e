//! What there is.

use quorate_core::ids::GroupName;

use super::{document, page_size, warm_pool};
use crate::region::{Activity, ApiError, Call, Cause, GroupFilter, GroupView, Health, MemberView, Region, Tag};
use crate::wire::session::{Answer, Session};
use crate::wire::when;
use crate::wire::xml::Xml;

pub(super) fn groups(session: &mut Session<'_>) -> Answer {
    let names: Vec<_> = session.query.list("AutoScalingGroupNames.member").iter().map(|name| GroupName::new(name)).collect();
    let filters = session.query.filters("Filters.member", "Values.member");
    let filters = filters.into_iter().map(group_filter).collect::<Result<Vec<_>, _>>()?;
    let size = page_size(session, 50, 100)?;
    let views = session.api().describe_groups(&names, &filters);
    let page = session.page(views, size)?;
    let with_instances = session.query.flag("IncludeInstances") != Some(false);
    Ok(document("DescribeAutoScalingGroups", |xml| {
        xml.list("AutoScalingGroups", "member", &page.items, |xml, view| {
            group(xml, session.region, view);
            if with_instances {
                members(xml, &view.members);
            }
        });
        xml.maybe("NextToken", page.next);
    }))
}

fn group_filter((name, values): (String, Vec<String>)) -> Result<GroupFilter, ApiError> {
    Ok(match name.as_str() {
        "tag-key" => GroupFilter::TagKey(values),
        "tag-value" => GroupFilter::TagValue(values),
        other => match other.strip_prefix("tag:") {
            Some(key) => GroupFilter::Tag(key.to_owned(), values),
            None => {
                return Err(ApiError::validation(format!(
                    "Filter type {other} is not correct. Allowed Filter types are: tag-key tag-value tag:<key>"
                )));
            }
        },
    })
}

fn group(xml: &mut Xml, region: &Region, view: &GroupView) {
    let (account, place) = (&region.config().account, &region.config().region);
    let arn = format!(
        "arn:aws:autoscaling:{place}:{account}:autoScalingGroup:00000000-0000-4000-8000-000000000000:autoScalingGroupName/{}",
        view.name
    );
    xml.leaf("AutoScalingGroupName", &view.name).leaf("AutoScalingGroupARN", arn);
    xml.leaf("MinSize", view.sizes.min).leaf("MaxSize", view.sizes.max).leaf("DesiredCapacity", view.sizes.desired);
    let checks = region.group(&view.name).map_or("EC2", |group| &*group.health_checks);
    xml.leaf("DefaultCooldown", 300).leaf("HealthCheckType", checks).leaf("HealthCheckGracePeriod", 0);
    xml.leaf("CreatedTime", when::millis(view.created_at)).leaf("VPCZoneIdentifier", "").leaf("NewInstancesProtectedFromScaleIn", false);
    xml.list("AvailabilityZones", "member", view.zones.iter(), |xml, zone| xml.text(zone));
    xml.list("TerminationPolicies", "member", ["Default"], |xml, policy| xml.text(policy));
    xml.list("Tags", "member", view.tags.iter(), |xml, tag| group_tag(xml, &view.name, tag));
    if let Some(pool) = &view.warm_pool {
        let ends = region.group(&view.name).is_some_and(|group| group.warm_pool_ends);
        let size = region.spare_instances(&view.name).count();
        xml.node("WarmPoolConfiguration", |xml| warm_pool::configuration(xml, pool, ends)).leaf("WarmPoolSize", size);
    }
    let Some(truth) = region.group(&view.name) else { return };
    xml.list("SuspendedProcesses", "member", &truth.suspended, |xml, process| {
        xml.leaf("ProcessName", process).leaf("SuspensionReason", "User suspended");
    });
    if truth.retain_on_abandon {
        xml.node("InstanceLifecyclePolicy", |xml| {
            xml.node("RetentionTriggers", |xml| {
                xml.leaf("TerminateHookAbandon", "retain");
            });
        });
    }
}

fn group_tag(xml: &mut Xml, group: &GroupName, tag: &Tag) {
    xml.leaf("ResourceId", group).leaf("ResourceType", "auto-scaling-group");
    xml.leaf("Key", &tag.key).leaf("Value", &tag.value).leaf("PropagateAtLaunch", true);
}

pub(super) fn members(xml: &mut Xml, members: &[MemberView]) {
    xml.list("Instances", "member", members, |xml, member| {
        // This call spells health in another way than DescribeAutoScalingInstances does.
        let health = if member.health == Health::Healthy { "Healthy" } else { "Unhealthy" };
        xml.leaf("InstanceId", &member.id).leaf("InstanceType", "t3.small").leaf("AvailabilityZone", &member.zone);
        xml.leaf("LifecycleState", member.lifecycle).leaf("HealthStatus", health).leaf("ProtectedFromScaleIn", false);
    });
}

pub(super) fn instances(session: &mut Session<'_>) -> Answer {
    let ids = session.instances("InstanceIds.member");
    let size = page_size(session, 50, 50)?;
    let views = session.api().describe_auto_scaling_instances(&ids);
    let page = session.page(views, size)?;
    Ok(document("DescribeAutoScalingInstances", |xml| {
        xml.list("AutoScalingInstances", "member", &page.items, |xml, member| {
            xml.leaf("InstanceId", &member.id).leaf("InstanceType", "t3.small").leaf("AutoScalingGroupName", &member.group);
            xml.leaf("AvailabilityZone", &member.zone).leaf("LifecycleState", member.lifecycle);
            xml.leaf("HealthStatus", member.health).leaf("ProtectedFromScaleIn", false);
        });
        xml.maybe("NextToken", page.next);
    }))
}

/// Narrowed by `auto-scaling-group`, `key` and `value`.
pub(super) fn tags(session: &mut Session<'_>) -> Answer {
    let filters = session.query.filters("Filters.member", "Values.member");
    let admits = |name: &str, value: &str| {
        let mut named = filters.iter().filter(|(filter, _)| filter == name);
        named.all(|(_, values)| values.iter().any(|wanted| wanted == value))
    };
    let wanted = |(group, tag): &(GroupName, Tag)| {
        admits("auto-scaling-group", group.as_str()) && admits("key", &tag.key) && admits("value", &tag.value)
    };
    let tags: Vec<_> = session.api().tags_of_groups().into_iter().filter(wanted).collect();
    let page = session.page(tags, page_size(session, 50, 100)?)?;
    Ok(document("DescribeTags", |xml| {
        xml.list("Tags", "member", &page.items, |xml, (group, tag)| group_tag(xml, group, tag));
        xml.maybe("NextToken", page.next);
    }))
}

pub(super) fn activities(session: &mut Session<'_>) -> Answer {
    let name = session.group()?;
    session.api().note(Call::DescribeScalingActivities);
    let group = session.region.group(&name).ok_or_else(|| ApiError::no_group(&name))?;
    let numbered: Vec<_> = group.activities.iter().cloned().enumerate().collect();
    let newest_first = numbered.into_iter().rev().collect();
    let page = session.page(newest_first, page_size(session, 100, 100)?)?;
    Ok(document("DescribeScalingActivities", |xml| {
        xml.list("Activities", "member", &page.items, |xml, (number, activity)| describe_activity(xml, &name, *number, activity));
        xml.maybe("NextToken", page.next);
    }))
}

pub(super) fn describe_activity(xml: &mut Xml, group: &GroupName, number: usize, activity: &Activity) {
    let verb = if activity.launch { "Launching a new" } else { "Terminating" };
    let (instance, status) = match &activity.instance {
        Some(id) => (format!(": {id}"), "InProgress"),
        None => (String::new(), "Failed"),
    };
    xml.leaf("ActivityId", format_args!("00000000-0000-4000-8000-{number:012x}")).leaf("AutoScalingGroupName", group);
    xml.leaf("Description", format_args!("{verb} EC2 instance{instance}")).leaf("Cause", cause(activity.cause));
    xml.leaf("StartTime", when::millis(activity.at)).leaf("StatusCode", status).leaf("Progress", 50).leaf("Details", "{}");
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Capacity => "a difference between desired and actual capacity",
        Cause::Unhealthy => "an instance was taken out of service in response to an EC2 health check",
        Cause::Request => "an instance was taken out of service in response to a user request",
        Cause::Refresh => "an instance refresh",
        Cause::LaunchAbandoned => "a lifecycle action that was abandoned",
        Cause::GroupDeleted => "the deletion of the group",
    }
}
