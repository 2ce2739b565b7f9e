//! Versions in a torn world: mostly one for all, or the one above; sometimes a combination that etcd does not support.

use std::sync::Arc;

use quorate_core::etcd_version::{EtcdVersion, StartRefusal};
use quorate_core::observation::{Installed, Listens, LocalData, TakenPort};
use quorate_core::reading::Reading;

use super::{Plot, aged};
use crate::property::dice::Dice;
use crate::property::world::{NOW, World};

const V35: EtcdVersion = EtcdVersion { major: 3, minor: 5 };

fn version(dice: &mut Dice<'_>, plot: &Plot) -> EtcdVersion {
    let minor = if dice.one_in(plot.calm.min(4)) { 3 + u32::try_from(dice.below(6)).unwrap() } else { 5 };
    EtcdVersion { major: if dice.one_in(60) { 4 } else { 3 }, minor }
}

/// In most worlds everything is of version 3.5, and zeros make such a world.
pub(super) fn versions(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    if dice.one_in(3) {
        return mixed(w, plot, dice);
    }
    w.seen.local.etcd = Installed { version: Reading::Fresh(V35, NOW), ..Installed::unknown("not said") };
    w.seen.etcd.version = Reading::Fresh(V35, NOW);
    write(w, |_| Some(V35));
}

fn mixed(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    let own = version(dice, plot);
    w.seen.local.etcd = Installed {
        version: aged(dice, plot, Reading::Fresh(own, NOW)),
        flag_refused: dice.one_in(plot.calm).then(|| "flag provided but not defined: -new".to_owned()),
        ports_taken: if dice.one_in(plot.calm) { vec![taken(dice)] } else { Vec::new() },
        ended: dice.one_in(plot.calm).then_some(StartRefusal::Version),
    };
    let told = if dice.one_in(12) { EtcdVersion { major: 3, minor: 0 } } else { version(dice, plot) };
    w.seen.etcd.version = aged(dice, plot, Reading::Fresh(told, NOW));
    let (first, second, third) = (version(dice, plot), version(dice, plot), (!dice.one_in(6)).then(|| version(dice, plot)));
    write(w, |turn| [Some(first), Some(second), third][turn % 3]);
}

/// The versions that the members report, and those written to disks and into the store.
fn write(w: &mut World, of: impl Fn(usize) -> Option<EtcdVersion>) {
    for (turn, status) in w.seen.etcd.statuses.values_mut().enumerate() {
        if let Reading::Fresh(status, _) | Reading::Stale(status, _) = status {
            status.version = of(turn);
        }
    }
    if let Reading::Fresh(LocalData::Present(identity), _) | Reading::Stale(LocalData::Present(identity), _) = &mut w.seen.local.data {
        identity.version = of(2);
    }
    if let Some(moved) = &mut w.seen.local.reattached {
        moved.data.version = of(1);
    }
    if let Reading::Fresh(listing, _) | Reading::Stale(listing, _) = &mut w.seen.snapshots.stored {
        for (turn, stored) in Arc::make_mut(listing).snapshots.iter_mut().enumerate() {
            stored.manifest.etcd_version = of(turn).map_or_else(String::new, |v| format!("{v}.7"));
        }
    }
}

fn taken(dice: &mut Dice<'_>) -> TakenPort {
    let (port, listens) = *dice.pick(&[(2380, Listens::ToPeers), (2379, Listens::ToClients), (2379, Listens::OnLoopback)]);
    TakenPort { at: ([10, 0, 0, 1], port).into(), listens, by: None }
}
