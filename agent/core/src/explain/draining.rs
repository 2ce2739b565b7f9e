//! A Kubernetes node around the member: drained, cordoned, deleted.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use crate::ids::InstanceId;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn is_under_way(why: &dyn Display, progress: &str) -> Wait {
    wait(WaitReason::Drain, format!("drains its node because {why}: {progress}"))
}

pub(crate) fn begins(why: &dyn Display) -> Message {
    format!("drains its node because {why}").into()
}

pub(crate) fn for_a_reboot() -> &'static str {
    "the machine reboots"
}

pub(crate) fn cordons_for_a_reboot() -> Message {
    "cordons its node for the reboot".into()
}

pub(crate) fn uncordons() -> Message {
    "uncordons its node".into()
}

pub(crate) fn deletes_own_node() -> Message {
    "deletes its Node".into()
}

pub(crate) fn deletes_node_of(instance: &InstanceId) -> Message {
    format!("deletes the Node of {instance}, which has ended").into()
}

pub(crate) fn points_at(server: IpAddr) -> Message {
    format!("points its configuration at {server}, so that no restart founds a second cluster").into()
}

pub(crate) fn is_out_of_time(left: &str) -> String {
    format!("runs out of time for the drain, and {left} still there")
}

pub(crate) fn cordons() -> String {
    "cordons its node".to_owned()
}

pub(crate) fn is_given_up(silent: Duration, why: &dyn Display) -> String {
    format!("gives up the drain: no API server has answered for {} s ({why})", silent.as_secs())
}

pub(crate) fn awaits_api_server(why: &dyn Display) -> String {
    format!("waits for an API server to go on with the drain: {why}")
}

pub(crate) fn looks_once_more() -> String {
    "has drained its node, and checks once more for pods that arrived meanwhile".to_owned()
}

pub(crate) fn is_done(pods: usize) -> String {
    format!("has drained its node: {pods} {} gone", if pods == 1 { "pod is" } else { "pods are" })
}

pub(crate) fn awaits_end_of(pods: &str) -> String {
    format!("drains its node: waits for {pods} to end")
}

pub(crate) fn evicts(pods: &str, gone: usize, of: usize) -> String {
    format!("drains its node: evicts {pods}; {gone} of {of} are gone")
}

pub(crate) fn deletes(pods: &str, gone: usize, of: usize) -> String {
    format!("drains its node: deletes {pods}; {gone} of {of} are gone")
}

pub(crate) fn may_not_evict(pods: &str, why: &dyn Display) -> String {
    format!("drains its node: cannot evict {pods} yet: {why}")
}
