//! `quorate pause` and `quorate resume` as they reach the loop: what is remembered, and the answer to the operator.

use quorate_core::memory::PersistentState;
use quorate_core::pausing::Pause;
use quorate_core::time::Timestamp;

use super::PauseRequest;

/// Adds an order to the persistent state, which the caller has to store, and returns the answer.
pub fn take(kept: &mut PersistentState, request: &PauseRequest, now: Timestamp) -> String {
    let pausing = &mut kept.pausing;
    if request.resume {
        let own = pausing.own.is_some();
        pausing.resume(request.cluster);
        return resumed(kept, request.cluster, own);
    }
    let pause = Pause { since: now, by: request.by.as_str().into(), on: kept.instance.clone() };
    pausing.pause(pause, request.cluster);
    match (request.cluster, pausing.in_force()) {
        (false, Some(pause)) => format!("this node is paused {pause}: it takes no step until `quorate resume`"),
        (true, Some(_)) if pausing.wish.is_none() => "the cluster is paused already, until `quorate resume --cluster`".to_owned(),
        _ => "this node takes no step from now on, nor do the others once they learn of it through a quorum of etcd, until `quorate resume --cluster`"
            .to_owned(),
    }
}

fn resumed(kept: &PersistentState, cluster: bool, own: bool) -> String {
    if cluster {
        return "this node continues at once, and the others once they learn of it through a quorum of etcd; without quorum order it on each"
            .to_owned();
    }
    match (kept.pausing.in_force(), own) {
        (Some(pause), _) => format!("the cluster is still paused {pause}: `quorate resume --cluster` ends that"),
        (None, true) => "goes on".to_owned(),
        (None, false) => "it was not paused, and continues".to_owned(),
    }
}
