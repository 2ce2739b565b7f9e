//! A Kubernetes worker.

use std::fmt::Display;
use std::net::IpAddr;

use crate::authority::AuthorityHash;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn stops_kubelet(why: &dyn Display) -> Message {
    format!("leaves, as {why}: stops its kubelet").into()
}

pub(crate) fn is_ready_for_the_reboot() -> Message {
    "its node is as ready for the reboot as it gets".into()
}

pub(crate) fn process_is_unknown(why: &str) -> Wait {
    wait(WaitReason::LocalFacts, format!("whether its kubelet runs is not known: {why}"))
}

pub(crate) fn started_just_now() -> Wait {
    wait(WaitReason::EtcdStart, "started its kubelet a moment ago; waits for it, or to start it again")
}

pub(crate) fn no_server_answers(known: usize) -> Wait {
    wait(WaitReason::Server, format!("waits for a server: none of the {known} that are known answers"))
}

pub(crate) fn no_server_is_named(answering: usize) -> Wait {
    let message = format!("waits for a server at an address that EC2 gives: of the {answering} that answer it has named none");
    wait(WaitReason::Server, message)
}

pub(crate) fn authority_was_not_read(why: &str) -> Wait {
    let message = format!("waits to read in the store which authority its servers' certificates are signed by: {why}");
    wait(WaitReason::Store, message)
}

pub(crate) fn joins(server: IpAddr) -> Message {
    format!("joins through {server}").into()
}

pub(crate) fn joins_by_the_store(server: IpAddr) -> Message {
    format!("joins through {server}, if its certificate is of the authority that the store names").into()
}

pub(crate) fn joins_whoever_answers(server: IpAddr) -> Message {
    format!("joins through {server}, whoever answers there: neither its token nor the store names the cluster's authority").into()
}

pub(crate) fn authorities_differ(token: &AuthorityHash, store: &AuthorityHash) -> Wait {
    let message = format!(
        "does not join: its token names authority {token}, and the store names {store}: one of them is another cluster's; see to kubernetes.token_file"
    );
    wait(WaitReason::Authority, message)
}

pub(crate) fn turns_to(server: IpAddr, known: IpAddr) -> Message {
    format!("stops its kubelet, which turned to {known}, to start it again through {server}: its pods run on").into()
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
    wait(WaitReason::Server, "serves on; no server answers, and nothing is done here until one does")
}
