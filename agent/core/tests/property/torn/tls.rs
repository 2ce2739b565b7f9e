//! TLS in a torn world: in a third of them the cluster has it; this node's certificates are mostly good, and sometimes late, early, another authority's or lost.

use quorate_core::authority::AuthorityHash;
use quorate_core::certificates::Certificates;
use quorate_core::memory::Order;
use quorate_core::reading::Reading;
use quorate_core::rotation::Trust;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use super::{Plot, aged};
use crate::property::dice::Dice;
use crate::property::world::{NOW, World};

const LIFE: u64 = 48 * 3_600_000;

/// The cluster's authority, and another's.
pub(crate) fn authority(index: usize) -> AuthorityHash {
    ["a", "b"][index % 2].repeat(64).parse().unwrap()
}

/// Of a cluster that begins: mostly without TLS.
pub(super) fn transport(dice: &mut Dice<'_>) -> Transport {
    if dice.one_in(3) { Transport::Tls } else { Transport::Plain }
}

pub(super) fn tls(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    w.policy.transport = plot.records.last().map_or_else(|| transport(dice), |r| r.transport);
    if dice.one_in(plot.calm) {
        w.policy.transport = transport(dice);
    }
    let from = if dice.one_in(plot.calm) { NOW.0 - 2 * LIFE + LIFE / 7 * u64::try_from(dice.below(20)).unwrap() } else { NOW.0 - LIFE / 2 };
    let own = Certificates {
        authority: authority(usize::from(dice.one_in(plot.calm))),
        also: None,
        next: None,
        not_before: Timestamp(from),
        not_after: Timestamp(from + LIFE),
    };
    w.seen.local.certificates = aged(dice, plot, Reading::Fresh(own, NOW));
    for peer in w.seen.peers.values_mut() {
        if let Reading::Fresh(answer, _) | Reading::Stale(answer, _) = peer {
            answer.certified = dice.one_in(3);
        }
    }
    rotation(w, dice);
}

/// A rotation begins or ends: an operator has ordered it, or the running etcd accepts other authorities than the files.
fn rotation(w: &mut World, dice: &mut Dice<'_>) {
    if !dice.one_in(4) {
        return;
    }
    let (order, also) = (dice.one_in(2), dice.one_in(2));
    let loaded = [Some(authority(1)), None][dice.below(2)];
    if let Reading::Fresh(own, _) | Reading::Stale(own, _) = &mut w.seen.local.certificates {
        own.next = (own.authority == authority(0)).then(|| authority(1));
        own.also = (also && !order).then(|| authority(1)).filter(|also| *also != own.authority);
        w.memory.kept.loaded = Some(Trust { authority: own.authority, also: loaded });
    }
    if order {
        w.memory.kept.order = Some(Order::RotateAuthority);
    }
}
