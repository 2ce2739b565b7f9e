//! What a step does to the world when it is done. Lines of the story may change it further.

use quorate_core::ids::{EtcdClusterId, MemberId};
use quorate_core::observation::{Member, PeerUrl};
use quorate_core::plan::{Outcome, Start, Step, client_url};
use quorate_core::transport::Transport;

use super::words::{Words, letter};
use super::world::World;

/// `done`: the step that was last decided has been accepted.
pub(crate) fn done(world: &mut World, words: &Words<'_>) {
    let step = pending(world, words);
    carry_out(world, &step);
}

/// `refused TEXT` or `unclear TEXT`: nothing changed.
pub(crate) fn failed(world: &mut World, words: &Words<'_>) {
    let step = pending(world, words);
    let text = words.rest().to_owned();
    world.step_takes_a_moment();
    let outcome = if words.first() == "refused" { Outcome::Refused(text) } else { Outcome::Unclear(text) };
    world.done(&step, &outcome);
}

/// `lost-answer`: it was done, and the answer was lost.
pub(crate) fn lost(world: &mut World, words: &Words<'_>) {
    let step = pending(world, words);
    world.step_takes_a_moment();
    apply(world, &step);
    world.done(&step, &Outcome::Unclear("the answer was lost".to_owned()));
}

fn pending(world: &mut World, words: &Words<'_>) -> Step {
    world.pending.take().unwrap_or_else(|| words.fail("no step was decided and let through just before"))
}

pub(crate) fn carry_out(world: &mut World, step: &Step) {
    world.step_takes_a_moment();
    apply(world, step);
    world.done(step, &Outcome::Done);
}

fn apply(world: &mut World, step: &Step) {
    match step {
        Step::CreateRecord(record) => world.store.write(record.clone()),
        Step::StartMember(start, transport) => start_member(world, start, *transport),
        Step::StopMember(_) => world.machine.stop(),
        Step::PutDataAside { .. } => world.machine.clear(),
        Step::AdoptData { .. } => world.machine.adopt(),
        Step::UpdatePeerUrl { member, peer_url, .. } => world.etcd.readdress(*member, *peer_url),
        Step::RestoreOwnData { generation, .. } => {
            world.machine.hold(*generation, None);
            world.machine.keep_superseded(true);
        }
        Step::FetchSnapshot { key } => world.snapshots.fetch(key),
        // Another etcd cluster begins.
        Step::RestoreSnapshot { generation, .. } => world.machine.hold(*generation, Some((EtcdClusterId(0xe9), MemberId(0x99)))),
        Step::DropSuperseded => world.machine.keep_superseded(false),
        Step::AcquireLock { .. } | Step::RenewLock { .. } => world.etcd.hold_lock(world.policy().lock_ttl),
        Step::ReleaseLock { .. } => world.etcd.free_lock(),
        Step::AddLearner { peer_url, .. } => {
            let id = world.etcd.new_id(letter(&world.me.instance));
            world.etcd.add(Member { id, name: None, peer_url: PeerUrl::At(*peer_url), client_url: None, learner: true });
        }
        Step::Promote { member, .. } => world.etcd.promote(*member),
        Step::RemoveMember { member, .. } => world.etcd.remove(*member),
        Step::MoveLeader { to, .. } => world.etcd.lead(*to),
        Step::SetPause { pause, .. } => world.etcd.pause(Some(pause.clone())),
        Step::Node(step) => world.kubernetes.apply(step),
        Step::ClearPause { .. } => world.etcd.pause(None),
        Step::TakeSnapshot(order) => world.snapshots.begin(order, world.now),
        Step::DrillSnapshot { key } => world.snapshots.drill(key, world.now),
        Step::PruneSnapshots { keys, .. } => world.snapshots.delete(keys, world.store.with_data(), &world.me),
        Step::Heartbeat { .. } | Step::CompleteHook { .. } | Step::ReportUnhealthy | Step::ForgetOrder | Step::DeregisterTarget { .. } => {}
    }
}

fn start_member(world: &mut World, start: &Start, transport: Transport) {
    let now = world.now;
    match start {
        Start::Found { generation, .. } => {
            world.machine.hold(*generation, None);
            world.machine.start(true, now);
        }
        Start::Join { generation, .. } => {
            let cluster = world.etcd.cluster();
            let id = world.etcd.at(world.me.address).map(|m| m.id);
            if let Some(id) = id {
                world.etcd.name(id, &world.me.instance, client_url(world.me.address, transport));
                world.machine.hold(*generation, Some((cluster, id)));
            }
            world.machine.start(false, now);
        }
        // The distribution adds the member itself, in its own time.
        Start::JoinServer { generation, .. } => {
            world.machine.hold(*generation, None);
            world.machine.start(false, now);
        }
        Start::Worker { .. } => world.machine.start(false, now),
        Start::Resume { loopback_only, .. } => world.machine.start(*loopback_only, now),
        Start::Alone => world.machine.start(true, now),
    }
}
