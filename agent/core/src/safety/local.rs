//! Steps on this machine: starting and stopping etcd, and touching its data.

use crate::charter::{Origin, Record, State};
use crate::ids::{Generation, InstanceId, MemberId};
use crate::observation::{DataIdentity, Membership, ShutdownKind};
use crate::plan::{Start, StopReason};
use crate::quorum;
use crate::role::Role;

use super::facts::Facts;
use super::giving_up::gives_up_data;
use super::membership::without_me;
use super::verdict::{Verdict, require};
use super::{consent, last_voter, moved, node, notices, version};

pub(super) fn start(f: &Facts<'_>, start: &Start) -> Verdict {
    require(f.is_stopped(), "etcd is not known to be stopped")?;
    match start {
        Start::Found { generation, token } => found(f, *generation, token),
        Start::Join { generation, initial_cluster } => join(f, *generation, initial_cluster.len()),
        Start::JoinServer { generation, .. } => join_server(f, *generation),
        Start::Worker { server, authority } => node::start_worker(f, *server, *authority),
        Start::Resume { loopback_only, server } => {
            let names_one = server.is_some() || *loopback_only || f.seen.kubernetes.points_at.is_none();
            require(names_one, "its configuration names another server, and would name none")?;
            resume(f, *loopback_only)
        }
        Start::Alone => {
            last_voter::last_voter_leaves(f)?;
            last_voter::retires(f, f.highest()?.ok_or("there is no charter")?)?;
            resume(f, true)
        }
    }
}

fn found(f: &Facts<'_>, generation: Generation, token: &str) -> Verdict {
    version::founds(f)?;
    let record = consent::begun_claim(f, generation, token)?;
    require(!matches!(record.origin, Origin::Snapshot { .. }), "its claim is to restore a snapshot, and not to begin empty")
}

fn join(f: &Facts<'_>, generation: Generation, listed: usize) -> Verdict {
    require(f.disk_is_empty(), "the disk is not empty")?;
    require(f.lock_outlasts_a_call(), "the membership may change under its feet: the lock is not held")?;
    let membership = f.membership()?;
    let record = f.highest()?.ok_or("there is no charter")?;
    require(record.state == State::Established && record.generation == generation, "the charter does not say `established`")?;
    require(record.etcd_cluster == Some(membership.cluster), "the cluster that answers is not the charter's")?;
    version::joins(f)?;
    let url = f.seen.me.role.peer_url(f.seen.me.address);
    require(membership.members.iter().any(|m| m.peer_url == url && m.learner && m.name.is_none()), "it was not added as a learner")?;
    require(
        membership.members.iter().all(|m| m.peer_url.url().is_some()),
        "a member is a stranger, whose address is nobody's to write down",
    )?;
    require(membership.members.len() == listed, "the member list is not the quorum's")
}

/// A distribution's server adds its own member, and etcd's single learner slot orders two that do so at once; but a founder's half-finished
/// cluster, a departed voter or a leave in progress would be met unprepared.
fn join_server(f: &Facts<'_>, generation: Generation) -> Verdict {
    require(f.seen.me.role == Role::ControlPlane, "its group is no control plane")?;
    let record = f.highest()?.ok_or("there is no charter")?;
    require(record.state == State::Established && record.generation == generation, "the charter does not permit this generation to run")?;
    require(f.disk_is_empty(), "its disk holds data")?;
    require(!record.lists(f.me()), "the charter still lists the member that it was")?;
    require(!notices::is_told_to_leave(f), "it is leaving")?;
    let admits = |id: &InstanceId| record.lists(id) && f.peer(id).is_some_and(|p| p.control_plane.admits.as_ref() == Some(f.me()));
    require(f.seen.peers.keys().any(admits), "no voter admits it")
}

fn resume(f: &Facts<'_>, loopback_only: bool) -> Verdict {
    version::resumes(f)?;
    let generation = f.data().and_then(|d| d.generation).ok_or("the data's generation is not known")?;
    let cluster = f.data().and_then(|d| d.cluster);
    require(cluster.is_some(), "etcd would take a directory without a log for a new cluster")?;
    let same_cluster = |r: &Record| r.etcd_cluster.is_none() || r.etcd_cluster == cluster;
    let permits = |r: &Record| r.generation == generation && r.state == State::Established && same_cluster(r);
    let is_newest = |r: &Record| f.memory.kept.record.as_ref().is_none_or(|known| known.number <= r.number);
    match f.highest() {
        Ok(Some(record)) if !is_newest(record) => Err("a later record is remembered than the store shows"),
        Ok(Some(record)) if permits(record) => Ok(()),
        Ok(Some(record)) if f.founds(record) && record.generation == generation => {
            require(loopback_only, "a founder serves loopback only until the charter says `established`")
        }
        Ok(_) => Err("the charter does not permit this generation to run"),
        Err(_) => {
            require(f.seen.store.fresh().is_none(), "the store is another's")?;
            let remembered = f.memory.kept.record.as_ref().is_some_and(permits);
            require(remembered && f.seen.local.ran_this_boot, "the store cannot be read, and the instance may have been stopped meanwhile")
        }
    }
}

pub(super) fn stop(f: &Facts<'_>, reason: StopReason) -> Verdict {
    if f.seen.me.role == Role::Worker {
        return if reason == StopReason::Reattach { node::reattach(f) } else { node::stop_worker(f) };
    }
    match reason {
        StopReason::Left => require(is_removed(f, f.membership()?), "a quorum does not say that its member is removed"),
        StopReason::PutAside => data_is_dead(f),
        StopReason::OpenToClients => {
            let record = f.highest()?.ok_or("there is no charter")?;
            require(record.state == State::Established && record.voters.iter().all(|v| v.instance == *f.me()), "others vote already")
        }
        StopReason::LastVoterLeaves => last_voter::last_voter_leaves(f),
        StopReason::Retire => {
            last_voter::last_voter_leaves(f)?;
            let record = f.highest()?.ok_or("there is no charter")?;
            last_voter::retires(f, record)?;
            require(f.has_store() && f.policy.snapshots.enabled, "nothing could be saved")
        }
        StopReason::Reattach => Err("only a worker turns to another server"),
        StopReason::Recover => survivor_claim(f).map(|_| ()),
        StopReason::NotAnswering => {
            let mine = f.data().and_then(|d| d.member).ok_or("its own member is not known")?;
            require(!f.answers(mine), "its member answers")?;
            without_me(f)
        }
        StopReason::Reboot => {
            let reboots = f.seen.local.shutdown.is_some_and(|shutdown| shutdown.kind == ShutdownKind::Reboot);
            require(reboots, "the machine does not reboot")?;
            let membership = f.membership()?;
            let nobody_rests_on_it = f.surely_does_not_vote() || membership.voters().all(|m| f.is_mine(m));
            if nobody_rests_on_it { Ok(()) } else { without_me(f) }
        }
        StopReason::GiveUp => {
            require(f.surely_does_not_vote() || is_a_server_without_member(f), "no quorum says that its member does not vote")
        }
        StopReason::NotPermitted => {
            let newer = |r: &Record| r.state == State::Established && f.data().is_some_and(|d| is_of_another_cluster(d, r));
            require(f.highest()?.is_some_and(newer), "no newer generation is established")
        }
    }
}

/// A distribution's server that has not joined: no log lies on the disk, and no record names it.
fn is_a_server_without_member(f: &Facts<'_>) -> bool {
    let unlisted = f.memory.kept.record.as_ref().is_none_or(|r| !r.lists(f.me()));
    f.seen.me.role == Role::ControlPlane && unlisted && f.data().is_none_or(|d| d.cluster.is_none()) && f.seen.local.data.fresh().is_some()
}

/// The charter lists the member here already, so that nobody else claims to bring it back.
pub(super) fn adopt(f: &Facts<'_>, owner: &InstanceId, member: MemberId) -> Verdict {
    let record = f.highest()?.ok_or("there is no charter")?;
    moved::moved_here(f, record, member)?;
    require(f.seen.local.moved.as_ref().is_some_and(|m| m.owner == *owner), "no such volume is here")?;
    require(record.lists(f.me()), "the charter does not list it here yet")
}

pub(super) fn put_aside(f: &Facts<'_>) -> Verdict {
    require(f.is_stopped(), "etcd is not known to be stopped")?;
    data_is_dead(f)
}

/// A quorum proves the member removed, never started, or of an older generation; or an operator ordered a fresh start and its record stands.
/// What is only remembered proves nothing here: the store's word alone says that a claim stands, or what was established.
fn data_is_dead(f: &Facts<'_>) -> Verdict {
    let data = f.data().ok_or("there is no data")?;
    // Without a write-ahead log there is no member: etcd writes it before anything else.
    if data.cluster.is_none() && f.is_stopped() {
        return Ok(());
    }
    let record = f.highest().ok().flatten();
    let is_saved = |r: &Record| {
        let same = data.generation == Some(r.generation) && data.cluster == r.etcd_cluster;
        matches!(r.state, State::Retired { .. }) && same && f.membership().is_err()
    };
    if record.is_some_and(is_saved) {
        return Ok(());
    }
    let Ok(membership) = f.membership() else {
        if record.is_some_and(|r| matches!(r.origin, Origin::Snapshot { .. })) {
            return snapshot_takes_its_place(f, data);
        }
        let ordered = record.is_some_and(|r| f.founds(r) && r.origin == Origin::Fresh && data.generation.is_some_and(|g| g < r.generation));
        return require(ordered, "no quorum has spoken, and no fresh start of this node's stands in the store");
    };
    if is_removed(f, membership) {
        return Ok(());
    }
    let newer = |r: &Record| r.state == State::Established && r.etcd_cluster == Some(membership.cluster) && is_of_another_cluster(data, r);
    require(data.cluster != Some(membership.cluster) && record.is_some_and(newer), "no quorum read proves the data dead")
}

/// This node's claim to restore a snapshot stands, which is proved on this disk; everybody has consented since, and what is left of the claim's voters
/// can never have quorum again.
fn snapshot_takes_its_place(f: &Facts<'_>, data: &DataIdentity) -> Verdict {
    let record = f.highest()?.filter(|r| f.founds(r)).ok_or("the claim is another's")?;
    let Origin::Snapshot { key } = &record.origin else { return Err("it claims no snapshot") };
    require(data.generation.is_some_and(|g| g < record.generation), "its data is not older than the claim")?;
    require(gives_up_data(f, record), "neither an operator nor the policy gives its data up")?;
    require(f.seen.snapshots.fetched.as_ref() == Some(key), "the snapshot was not proved on this disk")?;
    consent::consented_since(f, record)
}

/// The data is of an older generation than the record's; or, should two ever have got one number, of another etcd cluster of that number. Data
/// of no known generation is not Quorate's to judge.
fn is_of_another_cluster(data: &DataIdentity, record: &Record) -> bool {
    let twin = data.cluster.zip(record.etcd_cluster).is_some_and(|(ours, theirs)| ours != theirs);
    data.generation.is_some_and(|g| g < record.generation || (g == record.generation && twin))
}

fn is_removed(f: &Facts<'_>, membership: &Membership) -> bool {
    // Quorate adds its own member before there is data; k3s adds its own at any time, so that only what was read after the data was seen tells.
    let later = f.memory.local.holds.zip(f.seen.etcd.membership.at()).is_some_and(|((_, seen), read)| read > seen);
    (later || f.seen.me.role == Role::Etcd)
        && f.data().is_some_and(|d| d.cluster == Some(membership.cluster) && d.member.is_some_and(|id| membership.get(id).is_none()))
}

fn survivor_claim<'a>(f: &Facts<'a>) -> Result<&'a Record, &'static str> {
    let record = f.highest()?.ok_or("there is no charter")?;
    let mine = f.founds(record) && record.origin == (Origin::Survivor { instance: f.me().clone() });
    require(mine && f.membership().is_err(), "no claim of this survivor stands, or a quorum is alive")?;
    consent::everyone_consents(f, record).map(|()| record)
}

pub(super) fn restore(f: &Facts<'_>, generation: Generation) -> Verdict {
    require(f.is_stopped(), "etcd is not known to be stopped")?;
    version::restores_own(f)?;
    let record = survivor_claim(f)?;
    require(record.generation == generation, "no claim of this survivor stands")?;
    require(f.data().and_then(|d| d.generation) < Some(generation), "its data is not older than the claim")
}

pub(super) fn drop_superseded(f: &Facts<'_>) -> Verdict {
    let membership = f.membership()?;
    let established = f.highest()?.is_some_and(|r| r.state == State::Established && r.etcd_cluster == Some(membership.cluster));
    let healthy = membership.voters().filter(|m| f.answers(m.id)).count();
    require(established && quorum::has_quorum(membership.voters().count(), healthy), "the new generation is not established with quorum")
}
