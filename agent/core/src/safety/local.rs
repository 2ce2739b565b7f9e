//! Steps on this machine: starting and stopping etcd, and touching its data.

use crate::charter::{Origin, Record, State};
use crate::ids::{Generation, InstanceId, MemberId};
use crate::observation::{DataIdentity, Membership, ShutdownKind};
use crate::plan::{Start, StopReason};
use crate::quorum;
use crate::transport::Transport;

use super::facts::Facts;
use super::giving_up::gives_up_data;
use super::membership::without_me;
use super::refusal::{CharterFault, ClaimFault, DataFault, InstanceFault, MemberFault, SnapshotFault, Unread, VoterList};
use super::verdict::{Verdict, forbid, require};
use super::{certificates, consent, last_voter, node, notices, reattached, version};

pub(super) fn start(f: &Facts<'_>, start: &Start, transport: Transport) -> Verdict {
    f.needs_a_stopped_service()?;
    certificates::starts_with(f, transport)?;
    match start {
        Start::Found { generation, token } => found(f, *generation, token),
        Start::Join { generation, initial_cluster } => join(f, *generation, initial_cluster.len()),
        Start::JoinServer { generation, .. } => join_server(f, *generation),
        Start::Worker { server, authority } => node::start_worker(f, *server, *authority),
        Start::Resume { loopback_only, server } => {
            let forgotten = f.seen.kubernetes.points_at.filter(|_| server.is_none() && !loopback_only);
            forbid(forgotten, MemberFault::ForgetsServer)?;
            resume(f, *loopback_only)
        }
        Start::Alone => {
            last_voter::last_voter_leaves(f)?;
            last_voter::retires(f, f.charter()?)?;
            resume(f, true)
        }
    }
}

fn found(f: &Facts<'_>, generation: Generation, token: &str) -> Verdict {
    version::founds(f)?;
    let record = consent::begun_claim(f, generation, token)?;
    let Origin::Snapshot { key } = &record.origin else { return Ok(()) };
    Err(ClaimFault::Restores(key.clone()).into())
}

fn join(f: &Facts<'_>, generation: Generation, listed: usize) -> Verdict {
    f.needs_an_empty_disk()?;
    // The membership must not change under its feet.
    f.needs_the_lock()?;
    let membership = f.membership()?;
    let record = f.charter()?;
    permits_to_join(record, generation)?;
    let (answers, charter) = (membership.cluster, record.etcd_cluster);
    require(charter == Some(answers), CharterFault::EtcdCluster { answers, charter })?;
    version::joins(f)?;
    let url = f.own_peer_url();
    let added = membership.members.iter().any(|m| m.peer_url == url && m.learner && m.name.is_none());
    require(added, MemberFault::NotAdded(url))?;
    // A stranger's address must not be written down.
    forbid(membership.members.iter().find(|m| m.peer_url.url().is_none()), |m| MemberFault::Stranger(m.id))?;
    let members = membership.members.len();
    require(members == listed, MemberFault::ListDiffers { named: listed, members })
}

fn permits_to_join(record: &Record, generation: Generation) -> Verdict {
    let permits = record.state == State::Established && record.generation == generation;
    require(permits, CharterFault::NotPermitted { generation, record: Some(record.number) })
}

/// A distribution's server adds its own member, and etcd's single learner slot orders two that do so at once. But without a voter's admission it could meet a
/// founder's half-finished cluster, a departed voter or a leave in progress unprepared.
fn join_server(f: &Facts<'_>, generation: Generation) -> Verdict {
    require(f.ways().is_let_in, InstanceFault::WrongRole(f.seen.me.role))?;
    let record = f.charter()?;
    permits_to_join(record, generation)?;
    f.needs_an_empty_disk()?;
    // Its former member has to be out of the charter first.
    require(!record.lists(f.me()), CharterFault::StillLists { record: record.number, instance: f.me().clone() })?;
    notices::stays(f)?;
    let admits = |id: &InstanceId| record.lists(id) && f.peer(id).is_some_and(|p| p.control_plane.admits.as_ref() == Some(f.me()));
    require(f.seen.peers.keys().any(admits), MemberFault::NotAdmitted)
}

fn resume(f: &Facts<'_>, loopback_only: bool) -> Verdict {
    version::resumes(f)?;
    let generation = f.data().and_then(|d| d.generation).ok_or(Unread::Generation)?;
    let cluster = f.data().and_then(|d| d.cluster);
    // etcd would mistake a directory without a log for a new cluster's.
    require(cluster.is_some(), DataFault::NoLog)?;
    let same_cluster = |r: &Record| r.etcd_cluster.is_none() || r.etcd_cluster == cluster;
    let permits = |r: &Record| r.generation == generation && r.state == State::Established && same_cluster(r);
    let not_permitted = |r: Option<&Record>| CharterFault::NotPermitted { generation, record: r.map(|r| r.number) };
    let remembered = f.memory.kept.record.as_ref();
    let record = match f.highest() {
        Ok(record) => record,
        // The charter was read, and something is wrong with it.
        Err(why) if f.seen.store.fresh().is_some() => return Err(why),
        Err(_) => {
            require(remembered.is_some_and(permits), not_permitted(remembered))?;
            return require(f.seen.local.ran_this_boot, Unread::StoreSinceStop);
        }
    };
    let Some(record) = record else { return Err(not_permitted(None).into()) };
    let later = remembered.filter(|known| known.number > record.number);
    forbid(later, |known| CharterFault::Behind { shown: record.number, remembered: known.number })?;
    if permits(record) {
        return Ok(());
    }
    let own_claim = f.founds(record) && record.generation == generation;
    require(own_claim, not_permitted(Some(record)))?;
    require(loopback_only, CharterFault::ServesTooEarly(generation))
}

pub(super) fn stop(f: &Facts<'_>, reason: StopReason) -> Verdict {
    if !f.ways().has_member {
        return if reason == StopReason::Reattach { node::reattach(f) } else { node::stop_worker(f) };
    }
    match reason {
        StopReason::Left => require(is_removed(f, f.membership()?), MemberFault::NotRemoved),
        StopReason::PutAside => data_is_dead(f),
        StopReason::OpenToClients => {
            let record = f.charter()?;
            require(record.state == State::Established, CharterFault::NotEstablished(record.number))?;
            let other = record.voters.iter().find(|v| v.instance != *f.me());
            forbid(other, |v| MemberFault::OthersLeft { by: VoterList::Charter, member: v.member })
        }
        StopReason::LastVoterLeaves => last_voter::last_voter_leaves(f),
        StopReason::Retire => {
            last_voter::last_voter_leaves(f)?;
            last_voter::retires(f, f.charter()?)?;
            require(f.has_store(), SnapshotFault::NoStore)?;
            require(f.policy.snapshots.enabled, SnapshotFault::Disabled)
        }
        StopReason::Reattach => Err(InstanceFault::WrongRole(f.seen.me.role).into()),
        StopReason::Recover => survivor_claim(f).map(|_| ()),
        StopReason::NotAnswering => {
            let mine = f.own_member()?;
            require(!f.answers(mine), MemberFault::Answers(mine))?;
            without_me(f)
        }
        StopReason::Reboot => {
            let reboots = f.seen.local.shutdown.is_some_and(|shutdown| shutdown.kind == ShutdownKind::Reboot);
            require(reboots, InstanceFault::NoReboot)?;
            let membership = f.membership()?;
            let nobody_rests_on_it = f.surely_does_not_vote() || membership.voters().all(|m| f.is_mine(m));
            if nobody_rests_on_it { Ok(()) } else { without_me(f) }
        }
        StopReason::Reload => {
            certificates::reloads(f)?;
            let membership = f.membership()?;
            if membership.voters().all(|m| f.is_mine(m)) {
                return Ok(());
            }
            without_me(f)?;
            let mine = f.own_member()?;
            require(membership.leader != Some(mine), MemberFault::Leads(mine))
        }
        StopReason::GiveUp => require(f.surely_does_not_vote() || is_a_server_without_member(f), MemberFault::MayVote),
        StopReason::NotPermitted => {
            let newer = |r: &Record| r.state == State::Established && f.data().is_some_and(|d| is_of_another_cluster(d, r));
            let generation = f.data().and_then(|d| d.generation);
            require(f.highest()?.is_some_and(newer), CharterFault::NoNewerGeneration(generation))
        }
    }
}

/// Whether this is a distribution's server that has not joined: its disk has no log, and no record lists it.
fn is_a_server_without_member(f: &Facts<'_>) -> bool {
    let unlisted = f.memory.kept.record.as_ref().is_none_or(|r| !r.lists(f.me()));
    f.ways().is_let_in && unlisted && f.data().is_none_or(|d| d.cluster.is_none()) && f.seen.local.data.fresh().is_some()
}

/// The charter must list the member here already, so no other node claims to bring it back.
pub(super) fn adopt(f: &Facts<'_>, owner: &InstanceId, member: MemberId) -> Verdict {
    let record = f.charter()?;
    reattached::reattached_here(f, record, member)?;
    require(f.seen.local.reattached.as_ref().is_some_and(|m| m.owner == *owner), DataFault::NoVolumeOf(owner.clone()))?;
    require(record.lists(f.me()), CharterFault::NotListed { record: record.number, instance: f.me().clone() })
}

pub(super) fn put_aside(f: &Facts<'_>) -> Verdict {
    f.needs_a_stopped_service()?;
    data_is_dead(f)
}

/// Requires proof that this disk's data is dead. A quorum proves the member removed, never started, or of an older generation; or an operator ordered a fresh
/// start and its record stands. What is only remembered proves nothing here: only the store says that a claim stands, or what was established.
fn data_is_dead(f: &Facts<'_>) -> Verdict {
    let data = f.data().ok_or(DataFault::None)?;
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
        return require(ordered, DataFault::NotProvedDead);
    };
    if is_removed(f, membership) {
        return Ok(());
    }
    let newer = |r: &Record| r.state == State::Established && r.etcd_cluster == Some(membership.cluster) && is_of_another_cluster(data, r);
    require(data.cluster != Some(membership.cluster) && record.is_some_and(newer), DataFault::MayLive(data.cluster))
}

/// Requires that this node's claim to restore a snapshot stands and that the snapshot is proved on this disk. Every other instance must have consented since,
/// and what is left of the claim's voters can never have quorum again.
fn snapshot_takes_its_place(f: &Facts<'_>, data: &DataIdentity) -> Verdict {
    let record = f.highest()?.ok_or(ClaimFault::None)?;
    require(f.founds(record), ClaimFault::NotOwn(record.number))?;
    let Origin::Snapshot { key } = &record.origin else { return Err(ClaimFault::RestoresNothing(record.number).into()) };
    let older = data.generation.is_some_and(|g| g < record.generation);
    require(older, DataFault::NotOlder { data: data.generation, claim: record.generation })?;
    require(gives_up_data(f, record), DataFault::NotGivenUp)?;
    f.needs_proof_of(key)?;
    consent::consented_since(f, record)
}

/// Whether the data is of an older generation than the record's or, should two ever share a number, of another etcd cluster with that number. Data of no
/// known generation is not Quorate's to judge.
fn is_of_another_cluster(data: &DataIdentity, record: &Record) -> bool {
    let twin = data.cluster.zip(record.etcd_cluster).is_some_and(|(ours, theirs)| ours != theirs);
    data.generation.is_some_and(|g| g < record.generation || (g == record.generation && twin))
}

fn is_removed(f: &Facts<'_>, membership: &Membership) -> bool {
    // Quorate adds its own member before there is data. k3s adds its own at any time, so only a list that was read after the data was seen is proof.
    let later = f.memory.local.holds.zip(f.seen.etcd.membership.at()).is_some_and(|((_, seen), read)| read > seen);
    (later || f.ways().runs_etcd)
        && f.data().is_some_and(|d| d.cluster == Some(membership.cluster) && d.member.is_some_and(|id| membership.get(id).is_none()))
}

fn survivor_claim<'a>(f: &Facts<'a>) -> Verdict<&'a Record> {
    let record = f.charter()?;
    let mine = f.founds(record) && record.origin == (Origin::Survivor { instance: f.me().clone() });
    require(mine, ClaimFault::NotOwn(record.number))?;
    f.needs_no_quorum()?;
    consent::everyone_consents(f, record).map(|()| record)
}

pub(super) fn restore(f: &Facts<'_>, generation: Generation, transport: Transport) -> Verdict {
    f.needs_transport(transport)?;
    f.needs_a_stopped_service()?;
    version::restores_own(f)?;
    let record = survivor_claim(f)?;
    require(record.generation == generation, ClaimFault::OtherGeneration { claimed: record.generation, generation })?;
    let data = f.data().and_then(|d| d.generation);
    require(data < Some(generation), DataFault::NotOlder { data, claim: generation })
}

pub(super) fn drop_superseded(f: &Facts<'_>) -> Verdict {
    let membership = f.membership()?;
    let record = f.highest()?.ok_or(CharterFault::NothingEstablished)?;
    require(record.state == State::Established, CharterFault::NotEstablished(record.number))?;
    let (answers, charter) = (membership.cluster, record.etcd_cluster);
    require(charter == Some(answers), CharterFault::EtcdCluster { answers, charter })?;
    let (healthy, voters) = (membership.voters().filter(|m| f.answers(m.id)).count(), membership.voters().count());
    require(quorum::has_quorum(voters, healthy), MemberFault::NoHealthyQuorum { healthy, voters })
}
