//! Instance refreshes.

use super::{document, page_size};
use crate::region::{ApiError, InstanceRefresh, RefreshPreferences, Strategy};
use crate::wire::session::{Answer, Session};
use crate::wire::when;
use crate::wire::xml::Xml;

pub(super) fn start(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let preferences = preferences(session)?;
    let id = session.api().start_instance_refresh(&group, preferences)?;
    Ok(document("StartInstanceRefresh", |xml| {
        xml.leaf("InstanceRefreshId", id);
    }))
}

/// Only what is given; a group's own way is the default.
fn preferences(session: &Session<'_>) -> Result<Option<RefreshPreferences>, ApiError> {
    let strategy = match session.query.text("Strategy") {
        Some(text) => Strategy::parse(text).ok_or_else(|| ApiError::validation(format!("Invalid value for Strategy: {text}")))?,
        None => Strategy::Rolling,
    };
    let most: Option<u32> = session.query.number("Preferences.MaxHealthyPercentage")?;
    let Some(least) = session.query.number("Preferences.MinHealthyPercentage")? else {
        if most.is_some() {
            return Err(ApiError::validation("If you specify MaxHealthyPercentage, you must also specify MinHealthyPercentage."));
        }
        return Ok((strategy == Strategy::ReplaceRootVolume).then(RefreshPreferences::root_volumes));
    };
    if least > 100 || most.is_some_and(|most| !(100..=200).contains(&most) || most - least > 100) {
        return Err(ApiError::validation("The healthy percentages must be 0..100 and 100..200, and no more than 100 apart."));
    }
    Ok(Some(RefreshPreferences { min_healthy_percentage: least, max_healthy_percentage: most, strategy }))
}

pub(super) fn cancel(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let id = session.api().cancel_instance_refresh(&group)?;
    Ok(document("CancelInstanceRefresh", |xml| {
        xml.leaf("InstanceRefreshId", id);
    }))
}

pub(super) fn describe(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let wanted = session.query.list("InstanceRefreshIds.member");
    let mut refreshes = session.api().describe_instance_refreshes(&group)?;
    refreshes.retain(|refresh| wanted.is_empty() || wanted.contains(&refresh.id));
    let page = session.page(refreshes, page_size(session, 50, 100)?)?;
    Ok(document("DescribeInstanceRefreshes", |xml| {
        xml.list("InstanceRefreshes", "member", &page.items, |xml, refresh| {
            xml.leaf("AutoScalingGroupName", &group);
            describe_one(xml, refresh);
        });
        xml.maybe("NextToken", page.next);
    }))
}

fn describe_one(xml: &mut Xml, refresh: &InstanceRefresh) {
    xml.leaf("InstanceRefreshId", &refresh.id).leaf("Status", refresh.status).leaf("StartTime", when::millis(refresh.started_at));
    xml.maybe("EndTime", refresh.ended_at.map(when::millis));
    xml.leaf("PercentageComplete", refresh.percentage).leaf("InstancesToUpdate", refresh.remaining);
    xml.leaf("Strategy", refresh.preferences.strategy);
    xml.node("Preferences", |xml| {
        xml.leaf("MinHealthyPercentage", refresh.preferences.min_healthy_percentage);
        xml.maybe("MaxHealthyPercentage", refresh.preferences.max_healthy_percentage);
    });
}
