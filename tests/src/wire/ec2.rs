//! EC2: what is needed of it.

mod change;
mod status;

use quorate_core::ids::InstanceId;

use super::endpoint::request_id;
use super::session::{Answer, Session};
use super::when;
use super::xml::Xml;
use crate::region::{ApiError, Ec2State, InstanceFilter, InstanceView};

/// The version that tells this service apart.
pub(super) const VERSION: &str = "2016-11-15";

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// Calls that this service knows; asked for with `DryRun` they do nothing.
pub(super) fn call(session: &mut Session<'_>, action: &str) -> Answer {
    let answer = match action {
        "DescribeInstances" => describe_instances,
        "DescribeInstanceStatus" => status::of_instances,
        "DescribeApplicationStatus" => status::of_applications,
        "DescribeApplicationStatusChecks" => status::application_checks,
        "TerminateInstances" => change::terminate,
        "StopInstances" => change::stop,
        "RebootInstances" => change::reboot,
        "DescribeTags" => describe_tags,
        _ => return Err(ApiError::new("InvalidAction", format!("The action {action} is not valid for this web service."))),
    };
    if session.query.flag("DryRun") == Some(true) {
        return Err(ApiError::new("DryRunOperation", "Request would have succeeded, but DryRun flag is set."));
    }
    answer(session)
}

/// A refusal.
pub(super) fn error(error: &ApiError) -> String {
    Xml::plain("Response", |xml| {
        xml.node("Errors", |xml| {
            xml.node("Error", |xml| {
                xml.leaf("Code", error.code).leaf("Message", &error.message);
            });
        });
        request_id(xml, "RequestID");
    })
}

fn document(action: &str, fill: impl FnOnce(&mut Xml)) -> String {
    Xml::document(&format!("{action}Response"), NAMESPACE, |xml| {
        request_id(xml, "requestId");
        fill(xml);
    })
}

fn describe_instances(session: &mut Session<'_>) -> Answer {
    let ids = well_formed(session.instances("InstanceId"))?;
    let size = page_size(session, &ids)?;
    let filters = session.query.filters("Filter", "Value");
    let filters = filters.into_iter().map(filter).collect::<Result<Vec<_>, _>>()?;
    let views = visible(session, &ids, &filters)?;
    let page = session.page(views, size)?;
    let account = session.region.config().account.clone();
    let region = session.region.config().region.clone();
    Ok(document("DescribeInstances", |xml| {
        xml.list("reservationSet", "item", &page.items, |xml, view| {
            xml.leaf("reservationId", view.id.as_str().replacen('i', "r", 1)).leaf("ownerId", &account);
            xml.node("groupSet", |_| {});
            xml.node("instancesSet", |xml| {
                xml.node("item", |xml| {
                    describe_instance(xml, view, region.as_str());
                    xml.maybe("instanceLifecycle", session.region.instance(&view.id).and_then(|instance| instance.capacity));
                });
            });
        });
        xml.maybe("nextToken", page.next);
    }))
}

/// Without `IncludeManagedResources` EC2 shows nothing of what the account hides, and knows no id of it.
fn visible(session: &mut Session<'_>, ids: &[InstanceId], filters: &[InstanceFilter]) -> Result<Vec<InstanceView>, ApiError> {
    let includes = session.query.flag("IncludeManagedResources") == Some(true);
    let hidden: Vec<InstanceId> = match includes {
        true => Vec::new(),
        false => session.region.instances().iter().filter(|instance| instance.hidden).map(|instance| instance.id.clone()).collect(),
    };
    let unknown: Vec<InstanceId> = ids.iter().filter(|id| hidden.contains(id)).cloned().collect();
    if !unknown.is_empty() {
        return Err(ApiError::unknown_instances(&unknown));
    }
    let mut views = session.api().describe_instances(ids, filters)?;
    views.retain(|view| !hidden.contains(&view.id));
    Ok(views)
}

fn describe_instance(xml: &mut Xml, view: &InstanceView, region: &str) {
    xml.leaf("instanceId", &view.id).leaf("imageId", "ami-00000000000000000");
    state(xml, "instanceState", view.state);
    let by_address = |address| format!("ip-{}.{region}.compute.internal", format!("{address}").replace('.', "-"));
    // An instance without an IPv4 address is named after itself.
    let by_itself = || view.ipv6.map(|_| format!("{}.{region}.compute.internal", view.id));
    xml.leaf("privateDnsName", view.address.map(by_address).or_else(by_itself).unwrap_or_default()).leaf("dnsName", "");
    xml.leaf("amiLaunchIndex", 0).leaf("instanceType", "t3.small").leaf("launchTime", when::millis(view.launched_at));
    xml.node("placement", |xml| {
        xml.leaf("availabilityZone", &view.zone).leaf("tenancy", "default");
    });
    xml.node("monitoring", |xml| {
        xml.leaf("state", "disabled");
    });
    xml.maybe("privateIpAddress", view.address).maybe("ipv6Address", view.ipv6);
    if view.address.is_some() || view.ipv6.is_some() {
        xml.list("networkInterfaceSet", "item", [view], interface);
    }
    xml.leaf("architecture", "x86_64").leaf("rootDeviceType", "ebs").leaf("virtualizationType", "hvm");
    xml.list("tagSet", "item", view.tags.iter(), |xml, tag| {
        xml.leaf("key", &tag.key).leaf("value", &tag.value);
    });
}

/// The primary interface, which is the only one.
fn interface(xml: &mut Xml, view: &InstanceView) {
    xml.leaf("networkInterfaceId", view.id.as_str().replacen('i', "eni", 1)).leaf("status", "in-use");
    xml.node("attachment", |xml| {
        xml.leaf("deviceIndex", 0).leaf("status", "attached");
    });
    xml.maybe("privateIpAddress", view.address);
    xml.list("ipv6AddressesSet", "item", view.ipv6, |xml, address| {
        xml.leaf("ipv6Address", address).leaf("isPrimaryIpv6", false);
    });
}

fn state(xml: &mut Xml, element: &str, state: Ec2State) {
    xml.node(element, |xml| {
        xml.leaf("code", state.code()).leaf("name", state);
    });
}

/// Without a size everything comes at once; with ids a size is refused.
fn page_size(session: &Session<'_>, ids: &[InstanceId]) -> Result<usize, ApiError> {
    let Some(size) = session.query.number::<usize>("MaxResults")? else { return Ok(usize::MAX) };
    if !ids.is_empty() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    if !(5..=1000).contains(&size) {
        let message = format!("Value ( {size} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.");
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    Ok(size)
}

/// `i-` and 8 or 17 hex digits; anything else is malformed rather than unknown.
fn well_formed(ids: Vec<InstanceId>) -> Result<Vec<InstanceId>, ApiError> {
    let hex = |text: &str| matches!(text.len(), 8 | 17) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match ids.iter().find(|id| !id.as_str().strip_prefix("i-").is_some_and(hex)) {
        Some(id) => Err(ApiError::new("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\""))),
        None => Ok(ids),
    }
}

fn filter((name, values): (String, Vec<String>)) -> Result<InstanceFilter, ApiError> {
    Ok(match name.as_str() {
        "instance-state-name" => InstanceFilter::State(values.iter().filter_map(|value| Ec2State::parse(value)).collect()),
        "instance-id" => InstanceFilter::Id(values.iter().map(|id| InstanceId::new(id)).collect()),
        "private-ip-address" => InstanceFilter::Address(values),
        "ipv6-address" => InstanceFilter::Ipv6(values),
        "availability-zone" => InstanceFilter::Zone(values),
        "tag-key" => InstanceFilter::TagKey(values),
        other => match other.strip_prefix("tag:") {
            Some(key) => InstanceFilter::Tag(key.to_owned(), values),
            None => return Err(ApiError::new("InvalidParameterValue", format!("The filter '{other}' is invalid"))),
        },
    })
}

/// Only the tags of instances, narrowed by `resource-id`, `key` and `value`.
fn describe_tags(session: &mut Session<'_>) -> Answer {
    let filters = session.query.filters("Filter", "Value");
    let admits = |name: &str, value: &str| {
        let mut named = filters.iter().filter(|(filter, _)| filter == name);
        named.all(|(_, values)| values.iter().any(|wanted| wanted == value))
    };
    let tags = session.api().tags_of_instances();
    Ok(document("DescribeTags", |xml| {
        let wanted = tags.iter().filter(|(id, tag)| {
            admits("resource-id", id.as_str())
                && admits("resource-type", "instance")
                && admits("key", &tag.key)
                && admits("value", &tag.value)
        });
        xml.list("tagSet", "item", wanted, |xml, (id, tag)| {
            xml.leaf("resourceId", id).leaf("resourceType", "instance").leaf("key", &tag.key).leaf("value", &tag.value);
        });
    }))
}
