//! A charter's log as it may arise, and as a store may show it.

use quorate_core::charter::{ListedVoter, Log, Origin, Record, State, StoreView};
use quorate_core::ids::Generation;
use quorate_core::reading::Reading;
use quorate_core::transport::Transport;

use super::{Plot, aged};
use crate::property::dice::Dice;
use crate::property::world::{NOW, World, cluster, instance, member};

/// Up to eight records that follow one another.
pub(super) fn log(dice: &mut Dice<'_>, size: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..dice.below(9) {
        let next = match records.last() {
            None => founding(dice, size, None),
            Some(last) => follow(dice, size, last),
        };
        records.push(next);
    }
    records
}

fn follow(dice: &mut Dice<'_>, size: usize, last: &Record) -> Record {
    match &last.state {
        State::Founding { founder } if !dice.one_in(4) => {
            let index = (0..size).find(|i| instance(*i) == *founder).unwrap_or(0);
            let voters = vec![ListedVoter { instance: founder.clone(), member: member(index, dice.below(2)) }];
            established(last, voters)
        }
        State::Established if !dice.one_in(5) => established(last, voters(dice, size)),
        State::Established if dice.one_in(8) => Record { state: State::Retired { key: "final".into(), revision: 7 }, ..successor(last) },
        _ => founding(dice, size, Some(last)),
    }
}

fn successor(last: &Record) -> Record {
    Record { number: last.number + 1, previous: Some(last.digest()), ..last.clone() }
}

fn established(last: &Record, voters: Vec<ListedVoter>) -> Record {
    let etcd_cluster = Some(cluster(usize::try_from(last.generation.0).unwrap() + 1));
    let authority = (last.transport == Transport::Tls).then(|| super::tls::authority(0));
    Record { state: State::Established, ever_established: Some(last.generation), etcd_cluster, voters, authority, ..successor(last) }
}

fn founding(dice: &mut Dice<'_>, size: usize, last: Option<&Record>) -> Record {
    let founder = instance(dice.below(size));
    let ever = last.and_then(|r| r.ever_established);
    let origin = match ever {
        None => Origin::Empty,
        Some(_) if dice.flip() => Origin::Fresh,
        Some(_) => Origin::Survivor { instance: founder.clone() },
    };
    Record {
        number: last.map_or(1, |r| r.number + 1),
        previous: last.map(Record::digest),
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        cluster: "demo".into(),
        generation: last.map_or(Generation(1), |r| r.generation.next()),
        origin,
        state: State::Founding { founder },
        ever_established: ever,
        etcd_cluster: None,
        voters: last.map_or(Vec::new(), |r| r.voters.clone()),
        ancestors: last.map_or(Vec::new(), Record::lineage),
        transport: last.map_or_else(|| super::tls::transport(dice), |r| r.transport),
        authority: last.and_then(|r| r.authority),
        rotation: None,
    }
}

/// Some of the instances, each with one of its two members.
pub(super) fn voters(dice: &mut Dice<'_>, size: usize) -> Vec<ListedVoter> {
    let mut all = (0..size).filter(|_| !dice.one_in(4)).collect::<Vec<_>>();
    if all.is_empty() {
        all.push(dice.below(size));
    }
    let mut voters: Vec<_> = all.into_iter().map(|index| ListedVoter { instance: instance(index), member: member(index, 0) }).collect();
    voters.sort();
    voters
}

pub(super) fn store(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let mut shown = plot.records.clone();
    if dice.one_in(plot.calm) {
        shown.truncate(dice.below(shown.len() + 1));
    }
    if dice.one_in(plot.calm) && !shown.is_empty() {
        let index = dice.below(shown.len());
        shown[index].generation = shown[index].generation.next();
    }
    let view = match shown.is_empty() {
        _ if dice.one_in(20) => StoreView::NotConfigured,
        _ if dice.one_in(30) => StoreView::Foreign { example: "x".into() },
        true => StoreView::Absent,
        false => StoreView::Charter(Log { records: shown }),
    };
    w.seen.store = aged(dice, plot, Reading::Fresh(view, NOW));
}
