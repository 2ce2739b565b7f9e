//! What EC2 says of the health of instances.

use super::{document, state, visible, well_formed};
use crate::region::{ApplicationCheck, Call, Ec2State};
use crate::wire::session::{Answer, Session};
use crate::wire::xml::Xml;

/// Running instances, and with `IncludeAllInstances` the others. Every machine that runs passes both checks.
pub(super) fn of_instances(session: &mut Session<'_>) -> Answer {
    let ids = well_formed(session.instances("InstanceId"))?;
    session.api().note(Call::DescribeInstanceStatus);
    let all = session.query.flag("IncludeAllInstances") == Some(true);
    let mut views = visible(session, &ids, &[])?;
    views.retain(|view| all || view.state == Ec2State::Running);
    let page = session.page(views, usize::MAX)?;
    Ok(document("DescribeInstanceStatus", |xml| {
        xml.list("instanceStatusSet", "item", &page.items, |xml, view| {
            xml.leaf("instanceId", &view.id).leaf("availabilityZone", &view.zone);
            state(xml, "instanceState", view.state);
            let status = if view.state == Ec2State::Running { "ok" } else { "not-applicable" };
            for element in ["systemStatus", "instanceStatus"] {
                xml.node(element, |xml| {
                    xml.leaf("status", status);
                });
            }
        });
        xml.maybe("nextToken", page.next);
    }))
}

/// Which application status checks count for these instances.
pub(super) fn of_applications(session: &mut Session<'_>) -> Answer {
    let ids = well_formed(session.instances("InstanceId"))?;
    session.api().note(Call::DescribeApplicationStatus);
    let page = session.page(ids, usize::MAX)?;
    let region = &*session.region;
    Ok(document("DescribeApplicationStatus", |xml| {
        xml.node("applicationStatusesResponseType", |xml| {
            xml.list("instanceSet", "item", &page.items, |xml, id| {
                xml.leaf("instanceId", id);
                xml.node("applicationStatus", |xml| {
                    xml.leaf("status", "ok");
                    xml.list("detailSet", "item", region.application_checks_of(id), |xml, check| {
                        xml.leaf("applicationStatusCheckId", check.id).leaf("aggregation", aggregation(check)).leaf("status", "ok");
                    });
                });
            });
        });
        xml.maybe("nextToken", page.next);
    }))
}

pub(super) fn application_checks(session: &mut Session<'_>) -> Answer {
    let ids = session.query.list("ApplicationStatusCheckId");
    session.api().note(Call::DescribeApplicationStatusChecks);
    let checks: Vec<ApplicationCheck> =
        session.region.application_checks().iter().filter(|check| ids.is_empty() || ids.iter().any(|id| id == check.id)).cloned().collect();
    let page = session.page(checks, usize::MAX)?;
    Ok(document("DescribeApplicationStatusChecks", |xml| {
        xml.list("applicationStatusCheckSet", "item", &page.items, describe);
        xml.maybe("nextToken", page.next);
    }))
}

fn describe(xml: &mut Xml, check: &ApplicationCheck) {
    xml.leaf("applicationStatusCheckId", check.id).leaf("aggregation", aggregation(check)).leaf("protocol", "HTTP");
    xml.leaf("port", check.port).leaf("path", check.path);
}

fn aggregation(check: &ApplicationCheck) -> &'static str {
    if check.included { "included" } else { "excluded" }
}
