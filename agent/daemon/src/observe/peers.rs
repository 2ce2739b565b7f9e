//! The other agents, asked at the addresses that EC2 gives for their ids.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures::future::join_all;
use quorate_core::ids::InstanceId;
use quorate_core::memory::Memory;
use quorate_core::observation::PeerAnswer;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use super::last::Last;
use crate::adapters::peer::Callers;
use crate::clients::Clients;
use crate::config::Settings;
use crate::telemetry::chain;

/// The shortest pause between two rounds, while steps follow each other quickly.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

pub(super) struct PeersObserver {
    clients: Clients,
    port: u16,
    answers: BTreeMap<InstanceId, Last<PeerAnswer>>,
    asked: Option<Timestamp>,
    callers: Callers,
}

impl PeersObserver {
    pub(super) fn new(settings: &Settings, clients: &Clients, callers: Callers) -> Self {
        Self { clients: clients.clone(), port: settings.peer_port, answers: BTreeMap::new(), asked: None, callers }
    }

    pub(super) async fn look(&mut self, memory: &Memory, now: Timestamp) {
        self.answers.retain(|id, _| memory.kept.seen.contains_key(id));
        if self.asked.is_some_and(|at| now.since(at) < PAUSE) {
            return;
        }
        self.asked = Some(now);
        let known: Vec<(InstanceId, IpAddr)> = others(memory);
        let asks = known.iter().map(|(id, address)| self.clients.peers.ask(*address, self.port, id));
        for ((id, _), answer) in known.iter().zip(join_all(asks).await) {
            self.answers.entry(id.clone()).or_default().take(answer.map_err(|error| chain(&error)), now);
        }
    }

    /// The instances whose agents have asked this one since the last look.
    pub(super) fn callers(&self) -> BTreeSet<InstanceId> {
        self.callers.take()
    }

    pub(super) fn readings(&self, now: Timestamp, limit: std::time::Duration) -> BTreeMap<InstanceId, Reading<PeerAnswer>> {
        let reading = |last: &Last<PeerAnswer>| last.reading(now, limit, "it was not asked yet");
        self.answers.iter().map(|(id, last)| (id.clone(), reading(last))).collect()
    }
}

/// Every other instance that was seen and is not known to have ended, with its address.
fn others(memory: &Memory) -> Vec<(InstanceId, IpAddr)> {
    let known = memory.kept.seen.iter().filter(|(id, _)| **id != memory.kept.instance);
    known.filter_map(|(id, seen)| seen.address.map(|address| (id.clone(), address))).collect()
}
