//! What the metadata service says, path by path. `None` is 404.

use quorate_core::ids::InstanceId;
use serde_json::json;

use super::when;
use crate::region::{Instance, InstanceKeys, MaintenanceEvent, Region};

/// The first schema that has `autoscaling/target-lifecycle-state`.
const TARGET_SCHEMA: &str = "2021-07-15";

pub(super) fn read(region: &Region, id: &InstanceId, version: &str, path: &str) -> Option<String> {
    let instance = region.instance(id)?;
    let known = version == "latest" || (version.len() == 10 && version.starts_with("20"));
    match path.split_once('/').filter(|_| known)? {
        ("dynamic", "instance-identity/document") => Some(identity(region, instance)),
        ("meta-data", path) => metadata(region, instance, version, path),
        _ => None,
    }
}

fn metadata(region: &Region, instance: &Instance, version: &str, path: &str) -> Option<String> {
    match path {
        "" => Some(listed(instance)),
        "instance-id" => Some(instance.id.to_string()),
        "instance-type" => Some("t3.small".to_owned()),
        "local-ipv4" => instance.ipv4().map(|address| address.to_string()),
        "ipv6" => instance.ipv6().map(|address| address.to_string()),
        "placement/availability-zone" => Some(instance.zone.to_string()),
        "placement/region" => Some(region.config().region.to_string()),
        "autoscaling/target-lifecycle-state" => {
            let target = instance.metadata.target.filter(|_| version == "latest" || version >= TARGET_SCHEMA);
            target.map(|target| target.to_string())
        }
        "spot/instance-action" => {
            instance.metadata.spot.as_ref().map(|spot| json!({"action": spot.action, "time": when::seconds(spot.time)}).to_string())
        }
        "events/recommendations/rebalance" => instance.metadata.rebalance.map(|at| json!({"noticeTime": when::seconds(at)}).to_string()),
        "events/maintenance/scheduled" => Some(scheduled(&instance.metadata.maintenance)),
        "iam/security-credentials" | "iam/security-credentials/" => Some(region.group_of(instance).iam_role.to_string()),
        other => tag(instance, other).or_else(|| credentials(region, instance, other)),
    }
}

fn listed(instance: &Instance) -> String {
    let always = [("autoscaling/", true), ("events/", true), ("iam/", true), ("instance-id", true)];
    let all =
        always.into_iter().chain([("ipv6", instance.ipv6().is_some()), ("local-ipv4", instance.ipv4().is_some()), ("placement/", true)]);
    all.filter(|(_, there)| *there).map(|(name, _)| name).collect::<Vec<_>>().join("\n")
}

/// `tags/instance` lists the keys, `tags/instance/KEY` gives a value; neither is there unless the group switched it on.
fn tag(instance: &Instance, path: &str) -> Option<String> {
    let key = path.strip_prefix("tags/instance").filter(|_| instance.metadata.tags)?;
    let tags = instance.tags.iter();
    match key.strip_prefix('/').unwrap_or(key) {
        "" => Some(tags.map(|tag| &*tag.key).collect::<Vec<_>>().join("\n")),
        key => tags.filter(|tag| &*tag.key == key).map(|tag| tag.value.to_string()).next(),
    }
}

fn credentials(region: &Region, instance: &Instance, path: &str) -> Option<String> {
    path.strip_prefix("iam/security-credentials/").filter(|role| *role == &*region.group_of(instance).iam_role)?;
    let (now, keys) = (region.now(), InstanceKeys::of(&instance.id));
    let answer = json!({
        "Code": "Success",
        "LastUpdated": when::seconds(now),
        "Type": "AWS-HMAC",
        "AccessKeyId": keys.access_key,
        "SecretAccessKey": keys.secret,
        "Token": keys.token,
        "Expiration": when::seconds(now + std::time::Duration::from_secs(6 * 3600)),
    });
    Some(answer.to_string())
}

/// An array, empty when there is nothing to say; `NotAfter` may be absent.
fn scheduled(events: &[MaintenanceEvent]) -> String {
    let spelled = |event: &MaintenanceEvent| {
        let mut spelled = json!({
            "Code": event.code,
            "Description": "scheduled event",
            "EventId": event.id,
            "NotBefore": when::scheduled(event.not_before),
            "State": event.state,
        });
        if let Some(end) = event.not_after {
            spelled["NotAfter"] = when::scheduled(end).into();
        }
        spelled
    };
    serde_json::Value::from(events.iter().map(spelled).collect::<Vec<_>>()).to_string()
}

fn identity(region: &Region, instance: &Instance) -> String {
    let document = json!({
        "accountId": region.config().account,
        "architecture": "x86_64",
        "availabilityZone": &*instance.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "imageId": "ami-00000000000000000",
        "instanceId": instance.id,
        "instanceType": "t3.small",
        "kernelId": null,
        "marketplaceProductCodes": null,
        "pendingTime": when::seconds(instance.launched_at),
        "privateIp": instance.ipv4().map(|address| address.to_string()),
        "ramdiskId": null,
        "region": region.config().region,
        "version": "2017-09-30",
    });
    format!("{document:#}")
}
