//! The key under which each peer was heard. A process that takes an agent's port while the agent restarts answers under another key, and is not that agent.

use crate::ids::{EtcdClusterId, InstanceId, MemberId};
use crate::memory::{HeardAs, Memory};
use crate::observation::{DataClaim, Observation, PeerAnswer};

/// Remembers each peer's key. The first key stays for as long as data may depend on it; an answer under another key changes nothing here.
pub(super) fn absorb(memory: &mut Memory, seen: &Observation) {
    let is_over =
        |held: (EtcdClusterId, MemberId)| seen.etcd.membership.fresh().is_some_and(|m| m.cluster == held.0 && m.get(held.1).is_none());
    let heard_as = &mut memory.instances.heard_as;
    for (id, answer) in seen.peers.iter().filter_map(|(id, peer)| Some((id, peer.fresh()?))) {
        let Some(key) = answer.signed_by else { continue };
        match heard_as.get_mut(id) {
            Some(before) if before.key == key => before.held = held(answer, before.held),
            // The old key stands until a quorum has removed the member whose data it held, if it ever held any.
            Some(before) if before.held.is_some_and(|held| !is_over(held)) => {}
            _ => {
                heard_as.insert(id.clone(), HeardAs { key, held: held(answer, None) });
            }
        }
    }
    let terminated = &memory.instances.terminated;
    memory.instances.heard_as.retain(|id: &InstanceId, _| !terminated.contains(id));
}

/// The member data that it holds by this answer, or what it held before where the answer does not know.
fn held(answer: &PeerAnswer, before: Option<(EtcdClusterId, MemberId)>) -> Option<(EtcdClusterId, MemberId)> {
    match &answer.data {
        DataClaim::Holds { cluster, member, .. } => Some((*cluster, *member)),
        DataClaim::None => None,
        DataClaim::Unknown => before,
    }
}
