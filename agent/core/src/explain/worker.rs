//! A Kubernetes worker.

use std::fmt::Display;
use std::net::IpAddr;

use crate::authority::AuthorityHash;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn stops_kubelet(why: &dyn Display) -> Message {
    format!("leaves because {why}: stops its kubelet").into()
}

pub(crate) fn is_ready_for_the_reboot() -> Message {
    "its node is as ready for the reboot as it gets".into()
}

pub(crate) fn process_is_unknown(why: &str) -> Wait {
    wait(WaitReason::LocalFacts, format!("does not know whether its kubelet runs: {why}"))
}

pub(crate) fn started_just_now() -> Wait {
    wait(WaitReason::EtcdStart, "started its kubelet a moment ago; waits for it before starting it again")
}

pub(crate) fn no_server_answers(known: usize) -> Wait {
    wait(WaitReason::Server, format!("waits for a server: none of the {known} known ones answers"))
}

pub(crate) fn no_server_is_named(answering: usize) -> Wait {
    let message = format!("waits for a server whose address EC2 confirms: of the {answering} that answer it confirms none");
    wait(WaitReason::Server, message)
}

pub(crate) fn authority_was_not_read(why: &str) -> Wait {
    let message = format!("waits to read from the store which authority signs its servers' certificates: {why}");
    wait(WaitReason::Store, message)
}

pub(crate) fn joins(server: IpAddr) -> Message {
    format!("joins through {server}").into()
}

pub(crate) fn joins_by_the_store(server: IpAddr) -> Message {
    format!("joins through {server}, if the authority that the store names signed its certificate").into()
}

pub(crate) fn joins_whoever_answers(server: IpAddr) -> Message {
    format!("joins through {server} without checking who answers: neither its token nor the store names the cluster's authority").into()
}

pub(crate) fn authorities_differ(token: &AuthorityHash, store: &AuthorityHash) -> Wait {
    let message = format!(
        "does not join: its token names authority {token}, and the store names {store}: one of them belongs to another cluster; check kubernetes.token_file"
    );
    wait(WaitReason::Authority, message)
}

pub(crate) fn turns_to(server: IpAddr, known: IpAddr) -> Message {
    format!("stops its kubelet, which uses {known}, to restart it with {server}; its pods keep running").into()
}

/// Its node did not become ready in time.
pub(crate) fn abandons() -> Message {
    "abandons its launch: its node did not become ready within its deadline".into()
}

pub(crate) fn serves() -> Message {
    "serves as a worker".into()
}

pub(crate) fn node_is_not_ready() -> Wait {
    wait(WaitReason::Node, "its node is not ready yet")
}

pub(crate) fn node_is_absent() -> Wait {
    wait(WaitReason::Node, "waits for its Node to appear")
}

pub(crate) fn serves_without_a_server() -> Wait {
    wait(WaitReason::Server, "keeps serving although no server answers; nothing is done here until one does")
}
