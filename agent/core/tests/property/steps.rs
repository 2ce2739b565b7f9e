//! Every conceivable step in a world, sensible or not.

use quorate_core::charter::{Ancestor, ListedVoter, Origin, Record, State};
use quorate_core::ids::{Generation, InstanceId, MemberId, SnapshotKey};
use quorate_core::plan::{AsideReason, HookResult, Start, Step, StopReason, Via, peer_url};
use quorate_core::rotation::Rotation;
use quorate_core::snapshot::{SnapshotOrder, Trigger};
use quorate_core::transport::Transport;

use super::torn::tls::authority;
use super::world::{NAMES, World, address, cluster, instance, member};

const REASONS: &[StopReason] = &[
    StopReason::OpenToClients,
    StopReason::Left,
    StopReason::LastVoterLeaves,
    StopReason::Retire,
    StopReason::PutAside,
    StopReason::Recover,
    StopReason::NotPermitted,
    StopReason::NotAnswering,
    StopReason::GiveUp,
    StopReason::Reboot,
    StopReason::Reload,
    StopReason::Reattach,
];

pub(crate) fn via() -> Via {
    Via { member: member(1, 0), url: "http://10.0.0.2:2379".into() }
}

pub(crate) fn thinkable(w: &World) -> Vec<Step> {
    let via = via();
    let mut all = vec![Step::DropSuperseded, Step::ReportUnhealthy, Step::ForgetOrder, Step::PutDataAside { why: AsideReason::Left }];
    all.push(Step::ClearPause { via: via.clone() });
    all.extend(["arn:a", "arn:b"].map(|group| Step::DeregisterTarget { group: group.into() }));
    all.extend([0, 1].map(|life| Step::SetPause { via: via.clone(), pause: super::world::pause(life) }));
    all.extend(REASONS.iter().map(|reason| Step::StopMember(*reason)));
    for index in 0..NAMES.len() {
        all.extend(TRANSPORTS.map(|t| Step::AddLearner { via: via.clone(), peer_url: peer_url(address(index), t) }));
        for life in 0..2 {
            let id = member(index, life);
            all.push(Step::RemoveMember { via: via.clone(), member: id });
            all.push(Step::AdoptData { owner: instance(index), member: id });
            let to = |at, t| Step::UpdatePeerUrl { via: via.clone(), member: id, peer_url: peer_url(address(at), t) };
            all.extend(TRANSPORTS.into_iter().flat_map(|t| [to(0, t), to(1, t)]));
            all.push(Step::Promote { via: via.clone(), member: id });
            all.push(Step::MoveLeader { via: via.clone(), to: id });
        }
    }
    all.extend(snapshots(w));
    all.extend(hooks(w));
    all.extend(starts(w));
    all.extend(records(w).into_iter().map(Step::CreateRecord));
    all
}

fn snapshots(w: &World) -> Vec<Step> {
    let order = |r: &Record, trigger| SnapshotOrder::of(r, via(), trigger);
    let own = |r: &Record| SnapshotOrder::of(r, Via { member: member(0, 0), url: "http://10.0.0.1:2379".into() }, Trigger::Final);
    let take = |r: &Record| {
        let alone = own(r).map(|o| SnapshotOrder { on_loopback: true, ..o });
        let unconfirmed =
            [own(r), order(r, Trigger::Final), order(r, Trigger::Interval)].map(|o| o.map(|o| SnapshotOrder { unconfirmed: true, ..o }));
        [order(r, Trigger::Interval), alone].into_iter().chain(unconfirmed).flatten().map(Step::TakeSnapshot).collect::<Vec<_>>()
    };
    let mut all: Vec<Step> = known_records(w).iter().flat_map(take).collect();
    let Some(listing) = w.seen.snapshots.stored.last() else { return all };
    let keys: Vec<_> = listing.snapshots.iter().map(|s| s.key.clone()).collect();
    let prune = |keys: &[SnapshotKey], abandoned: Vec<String>| Step::PruneSnapshots { keys: keys.to_vec(), abandoned };
    all.extend((0..keys.len()).map(|index| prune(&keys[index..=index], Vec::new())));
    all.extend((1..=keys.len()).map(|count| prune(&keys[..count], Vec::new())));
    all.push(prune(&["snapshots/unheard-of".into()], Vec::new()));
    let (fetch, restore) = (
        |key| Step::FetchSnapshot { key },
        |key, r: &Record| Step::RestoreSnapshot { key, generation: r.generation, token: r.token(), transport: r.transport },
    );
    all.extend(keys.iter().cloned().map(fetch));
    all.extend(keys.iter().cloned().map(|key| Step::DrillSnapshot { key }));
    all.push(Step::DrillSnapshot { key: "snapshots/unheard-of".into() });
    all.extend(known_records(w).iter().flat_map(|r| keys.iter().map(move |key| restore(key.clone(), r))));
    all.extend(listing.strays.iter().map(|stray| prune(&[], vec![stray.at.clone()])));
    all
}

fn hooks(w: &World) -> Vec<Step> {
    let hooks = w.seen.cloud.hooks.last().into_iter().flatten();
    let mut all = Vec::new();
    for hook in hooks {
        all.push(Step::Heartbeat { hook: hook.hook.clone() });
        for index in 0..NAMES.len() {
            for result in [HookResult::Continue, HookResult::Abandon] {
                all.push(Step::CompleteHook { hook: hook.hook.clone(), instance: instance(index), result });
            }
        }
    }
    all
}

fn starts(w: &World) -> Vec<Step> {
    let resume = |loopback_only| Start::Resume { loopback_only, server: None };
    let mut all = vec![resume(true), resume(false), Start::Alone];
    let known: Vec<Record> = known_records(w);
    for record in &known {
        all.push(Start::Found { generation: record.generation, token: record.token() });
        let members = w.seen.etcd.membership.last().map(|m| m.members.clone()).unwrap_or_default();
        let list = |m: &quorate_core::observation::Member| Some((m.id.to_string(), m.peer_url.url()?));
        all.push(Start::Join { generation: record.generation, initial_cluster: members.iter().filter_map(list).collect() });
    }
    let restore = |r: &Record, transport| Step::RestoreOwnData { generation: r.generation, token: r.token(), transport };
    let mut steps: Vec<Step> = known.iter().flat_map(|r| TRANSPORTS.map(|t| restore(r, t))).collect();
    steps.extend(all.into_iter().flat_map(|how| TRANSPORTS.map(|t| Step::StartMember(how.clone(), t))));
    steps
}

fn known_records(w: &World) -> Vec<Record> {
    use quorate_core::charter::StoreView;
    let stored = match w.seen.store.last() {
        Some(StoreView::Charter(log)) => log.records.clone(),
        _ => Vec::new(),
    };
    stored.into_iter().chain(w.memory.kept.record.clone()).collect()
}

/// The known records, and successors of them of every kind.
fn records(w: &World) -> Vec<Record> {
    let known = known_records(w);
    let mut all: Vec<Record> = Vec::new();
    let mut bases: Vec<Option<&Record>> = vec![None];
    bases.extend(known.last().map(Some));
    bases.extend(known.iter().rev().nth(1).map(Some));
    for base in bases {
        all.extend(claims(w, base));
        all.extend(base.into_iter().flat_map(|b| establishments(w, b)));
        all.extend(base.into_iter().flat_map(|b| retirements(w, b)));
        all.extend(base.and_then(|b| moved(w, b)));
    }
    let otherwise = |r: &Record| [Record { transport: other(r.transport), ..r.clone() }, Record { authority: None, ..r.clone() }];
    let of_other = |r: &Record| [0, 1].map(|index| Record { authority: Some(authority(index)), ..r.clone() });
    let rotated = |r: &Record| [0, 1].map(|index| Record { rotation: Some(Rotation::To(authority(index))), ..r.clone() });
    let all_of = |r: &Record| otherwise(r).into_iter().chain(of_other(r)).chain(rotated(r)).collect::<Vec<_>>();
    let with_tls: Vec<Record> = all.iter().step_by(3).flat_map(all_of).collect();
    all.extend(with_tls);
    all.extend(known);
    all
}

const TRANSPORTS: [Transport; 2] = [Transport::Plain, Transport::Tls];

fn other(transport: Transport) -> Transport {
    if transport == Transport::Plain { Transport::Tls } else { Transport::Plain }
}

/// The record that lists its only voter here.
fn moved(w: &World, base: &Record) -> Option<Record> {
    let member = base.voters.first()?.member;
    let voters = vec![ListedVoter { instance: w.seen.me.instance.clone(), member }];
    Some(Record { state: base.state.clone(), voters, ..blank(w, Some(base)) })
}

fn blank(w: &World, base: Option<&Record>) -> Record {
    let me = &w.seen.me;
    Record {
        number: base.map_or(1, |r| r.number + 1),
        previous: base.map(Record::digest),
        account: me.account.clone(),
        region: me.region.clone(),
        cluster: me.cluster.clone(),
        generation: base.map_or(Generation(1), |r| r.generation),
        origin: base.map_or(Origin::Empty, |r| r.origin.clone()),
        state: State::Founding { founder: me.instance.clone() },
        ever_established: base.and_then(|r| r.ever_established),
        etcd_cluster: base.and_then(|r| r.etcd_cluster),
        voters: base.map_or(Vec::new(), |r| r.voters.clone()),
        ancestors: base.map_or(Vec::new(), |r| r.ancestors.clone()),
        transport: base.map_or(w.policy.transport, |r| r.transport),
        authority: base.and_then(|r| r.authority),
        rotation: None,
    }
}

fn claims(w: &World, base: Option<&Record>) -> Vec<Record> {
    let generation = base.map_or(Generation(1), |r| r.generation.next());
    let claim = |origin, founder: InstanceId| Record {
        generation,
        origin,
        state: State::Founding { founder },
        etcd_cluster: None,
        ..blank(w, base)
    };
    let me = || w.seen.me.instance.clone();
    let mut all = vec![claim(Origin::Empty, me()), claim(Origin::Fresh, me()), claim(Origin::Survivor { instance: me() }, me())];
    all.push(claim(Origin::Empty, instance(1)));
    all.push(claim(Origin::Survivor { instance: instance(1) }, me()));
    all.push(Record { ever_established: None, ..claim(Origin::Empty, me()) });
    for stored in w.seen.snapshots.stored.last().iter().flat_map(|l| &l.snapshots) {
        let own = Ancestor { generation: stored.manifest.generation, etcd_cluster: stored.manifest.etcd_cluster };
        let restored = || claim(Origin::Snapshot { key: stored.key.clone() }, me());
        all.push(Record { ancestors: base.map_or(Vec::new(), Record::lineage), ..restored() });
        all.push(Record { voters: Vec::new(), ancestors: vec![own], ..restored() });
    }
    all.push(Record { number: 99, previous: None, ..claim(Origin::Fresh, me()) });
    all
}

fn establishments(w: &World, base: &Record) -> Vec<Record> {
    let members = w.seen.etcd.membership.last().map(|m| m.members.clone()).unwrap_or_default();
    let at = |m: &quorate_core::observation::Member| m.name.clone().unwrap_or_else(|| instance(0));
    let listed = |all: bool| -> Vec<ListedVoter> {
        members.iter().filter(|m| all || !m.learner).map(|m| ListedVoter { instance: at(m), member: m.id }).collect()
    };
    let mine: Vec<MemberId> = (0..2).map(|life| member(0, life)).collect();
    let alone = mine.iter().map(|id| vec![ListedVoter { instance: instance(0), member: *id }]);
    let lists: Vec<Vec<ListedVoter>> = alone.chain([listed(true), listed(false), base.voters.clone()]).collect();
    let clusters = [cluster(0), cluster(1)];
    let record = |voters: &Vec<ListedVoter>, etcd_cluster| Record {
        state: State::Established,
        ever_established: Some(base.generation),
        etcd_cluster: Some(etcd_cluster),
        voters: voters.clone(),
        ..blank(w, Some(base))
    };
    let mut all: Vec<Record> = lists.iter().flat_map(|voters| clusters.iter().map(|c| record(voters, *c))).collect();
    if let Some(swapped) = swapped_names(&listed(false)) {
        all.extend(clusters.iter().map(|c| record(&swapped, *c)));
    }
    all
}

fn retirements(w: &World, base: &Record) -> Vec<Record> {
    let to = |key: &SnapshotKey, revision| Record { state: State::Retired { key: key.clone(), revision }, ..blank(w, Some(base)) };
    let saved = w.seen.snapshots.taken.iter().filter_map(|t| t.result.as_ref().ok()).chain(&w.memory.snapshots.covering_all);
    let mut all: Vec<Record> = saved.flat_map(|s| [to(&s.key, s.revision), to(&s.key, s.revision + 1)]).collect();
    all.push(to(&"final".into(), 7));
    all.extend(all.first().cloned().map(|record| Record { voters: Vec::new(), ..record }));
    all
}

/// The right members, with their names swapped.
fn swapped_names(voters: &[ListedVoter]) -> Option<Vec<ListedVoter>> {
    let [first, second, ..] = voters else { return None };
    let mut all = voters.to_vec();
    (all[0].instance, all[1].instance) = (second.instance.clone(), first.instance.clone());
    Some(all)
}
