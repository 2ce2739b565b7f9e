//! Under which key each peer was heard: a process that takes an agent's port while it restarts answers under another, and is not that agent.

use crate::ids::{EtcdClusterId, InstanceId, MemberId};
use crate::memory::{HeardAs, Memory};
use crate::observation::{DataClaim, Observation, PeerAnswer};

/// The first key stays, as long as data may hang on it; another key's word changes nothing here.
pub(super) fn absorb(memory: &mut Memory, seen: &Observation) {
    let is_over =
        |held: (EtcdClusterId, MemberId)| seen.etcd.membership.fresh().is_some_and(|m| m.cluster == held.0 && m.get(held.1).is_none());
    let heard_as = &mut memory.instances.heard_as;
    for (id, answer) in seen.peers.iter().filter_map(|(id, peer)| Some((id, peer.fresh()?))) {
        let Some(key) = answer.signed_by else { continue };
        match heard_as.get_mut(id) {
            Some(before) if before.key == key => before.held = held(answer, before.held),
            // A quorum has removed what it held, or it never held anything: nothing hangs on the key that it had.
            Some(before) if before.held.is_some_and(|held| !is_over(held)) => {}
            _ => {
                heard_as.insert(id.clone(), HeardAs { key, held: held(answer, None) });
            }
        }
    }
    let terminated = &memory.instances.terminated;
    memory.instances.heard_as.retain(|id: &InstanceId, _| !terminated.contains(id));
}

/// What it holds by this answer; as before, where it does not know.
fn held(answer: &PeerAnswer, before: Option<(EtcdClusterId, MemberId)>) -> Option<(EtcdClusterId, MemberId)> {
    match &answer.data {
        DataClaim::Holds { cluster, member, .. } => Some((*cluster, *member)),
        DataClaim::None => None,
        DataClaim::Unknown => before,
    }
}
