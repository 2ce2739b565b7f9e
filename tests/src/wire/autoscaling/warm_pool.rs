//! Warm pools. Their instances are listed here and, by id, by DescribeAutoScalingInstances; DescribeAutoScalingGroups names none of them.

use super::describe::members;
use super::{document, page_size};
use crate::region::{ApiError, PoolState, WarmPool};
use crate::wire::session::{Answer, Session};
use crate::wire::xml::Xml;

pub(super) fn put(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let state = match session.query.text("PoolState") {
        Some(text) => PoolState::parse(text).ok_or_else(|| ApiError::validation(format!("Invalid value for PoolState: {text}")))?,
        None => PoolState::Stopped,
    };
    let most = session.query.number::<i64>("MaxGroupPreparedCapacity")?.unwrap_or(-1);
    let pool = WarmPool {
        state,
        min: session.query.number("MinSize")?.unwrap_or(0),
        // -1 is the group's maximum.
        max_prepared: u32::try_from(most).ok(),
        reuse_on_scale_in: session.query.flag("InstanceReusePolicy.ReuseOnScaleIn") == Some(true),
    };
    session.api().put_warm_pool(&group, pool)?;
    Ok(document("PutWarmPool", |_| {}))
}

pub(super) fn delete(session: &mut Session<'_>) -> Answer {
    let (group, force) = (session.group()?, session.query.flag("ForceDelete") == Some(true));
    session.api().delete_warm_pool(&group, force)?;
    Ok(document("DeleteWarmPool", |_| {}))
}

pub(super) fn describe(session: &mut Session<'_>) -> Answer {
    let group = session.group()?;
    let size = page_size(session, 50, 50)?;
    let (pool, instances) = session.api().describe_warm_pool(&group)?;
    let ends = session.region.group(&group).is_some_and(|group| group.warm_pool_ends);
    let page = session.page(instances, size)?;
    Ok(document("DescribeWarmPool", |xml| {
        if let Some(pool) = pool {
            xml.node("WarmPoolConfiguration", |xml| configuration(xml, &pool, ends));
        }
        members(xml, &page.items);
        xml.maybe("NextToken", page.next);
    }))
}

pub(super) fn configuration(xml: &mut Xml, pool: &WarmPool, ends: bool) {
    xml.leaf("MinSize", pool.min).leaf("PoolState", pool.state);
    xml.maybe("MaxGroupPreparedCapacity", pool.max_prepared);
    xml.maybe("Status", ends.then_some("PendingDelete"));
    xml.node("InstanceReusePolicy", |xml| {
        xml.leaf("ReuseOnScaleIn", pool.reuse_on_scale_in);
    });
}
