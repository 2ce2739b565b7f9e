//! What the other agents answer in a story. Unless the story says otherwise a peer remembers the newest record, and an instance that
//! is not mentioned does not answer.

use std::collections::BTreeMap;

use quorate_core::agent_key::AgentKey;
use quorate_core::charter::Record;
use quorate_core::etcd_version::{EtcdVersion, StartRefusal};
use quorate_core::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use quorate_core::observation::{ControlPlane, DataClaim, PeerAnswer, Server};
use quorate_core::reading::Reading;
use quorate_core::report::Phase;
use quorate_core::rotation::{Told, Trust};
use quorate_core::time::Timestamp;

use super::World;
use super::etcd::INDEX;
use crate::story::words::{Words, address_of, authority, letter, named};

#[derive(Clone, Debug)]
enum Data {
    Unknown,
    None,
    Holds {
        member: MemberId,
        cluster: Option<EtcdClusterId>,
        generation: Option<Generation>,
        voter: Option<bool>,
        applied: Option<u64>,
        revision: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug)]
enum Remembers {
    Newest,
    Nothing,
    Number(u64),
}

#[derive(Clone, Debug)]
struct Peer {
    phase: Phase,
    data: Data,
    remembers: Remembers,
    leaving: bool,
    sees_quorum: bool,
    control_plane: ControlPlane,
    signed_by: Option<AgentKey>,
    certified: bool,
    etcd: Option<EtcdVersion>,
    refused: bool,
    received: Option<u64>,
    certificates: Option<Told>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Peers(BTreeMap<InstanceId, Option<Peer>>);

impl Peers {
    pub(crate) fn set(&mut self, words: &Words<'_>) {
        let peer = (words.nth(1) != "silent").then(|| Peer {
            phase: phase(words),
            data: data(words),
            remembers: remembers(words),
            leaving: words.has("leaving"),
            sees_quorum: words.has("sees-quorum"),
            signed_by: key(words),
            certified: words.has("certified"),
            etcd: words.after("etcd").and_then(EtcdVersion::parse),
            refused: words.has("refused"),
            received: words.after("received").map(|word| words.number(word)),
            certificates: words.after("shows").map(|files| certificates(files, words.after("loaded").unwrap_or(files))),
            control_plane: ControlPlane {
                seeks: words.has("seeks"),
                admits: words.after("admits").map(named),
                servers: words.after("servers").into_iter().flat_map(servers).collect(),
            },
        });
        self.0.insert(named(words.nth(0)), peer);
    }

    pub(crate) fn observe(&self, world: &World, now: Timestamp) -> BTreeMap<InstanceId, Reading<PeerAnswer>> {
        let told = |(id, peer): (&InstanceId, &Option<Peer>)| {
            let reading =
                peer.as_ref().map_or_else(|| Reading::unknown("it does not answer"), |peer| Reading::Fresh(answer(id, peer, world), now));
            (id.clone(), reading)
        };
        self.0.iter().map(told).collect()
    }
}

/// `a` or `a+b`: the authority that its certificates come from, and another that it accepts.
fn certificates(files: &str, loaded: &str) -> Told {
    let trust = |word: &str| {
        let (shown, also) = word.split_once('+').map_or((word, None), |(shown, also)| (shown, Some(authority(also))));
        Trust { authority: authority(shown), also }
    };
    Told { files: trust(files), loaded: trust(loaded) }
}

/// `i-a+i-b`.
fn servers(word: &str) -> impl Iterator<Item = Server> {
    word.split('+').map(named::<InstanceId>).map(|instance| Server { address: address_of(&instance), instance })
}

fn answer(id: &InstanceId, peer: &Peer, world: &World) -> PeerAnswer {
    let record: Option<Record> = match peer.remembers {
        Remembers::Newest => world.store.newest().cloned(),
        Remembers::Nothing => None,
        Remembers::Number(number) => world.store.ever(number).cloned(),
    };
    let data = match peer.data {
        Data::Unknown => DataClaim::Unknown,
        Data::None => DataClaim::None,
        Data::Holds { member, cluster, generation, voter, applied, revision } => DataClaim::Holds {
            cluster: cluster.unwrap_or_else(|| world.etcd.cluster()),
            member,
            generation: generation.or_else(|| record.as_ref().map(|r| r.generation)),
            voter,
            term: voter.map(|_| 2),
            applied,
            revision,
        },
    };
    let quorum = peer.sees_quorum.then(|| world.etcd.cluster());
    PeerAnswer {
        instance: id.clone(),
        phase: peer.phase,
        record,
        data,
        quorum,
        control_plane: peer.control_plane.clone(),
        etcd: peer.etcd,
        refused: peer.refused.then_some(StartRefusal::Version),
        received: peer.received,
        certificates: peer.certificates,
        leaving: peer.leaving,
        leave_within_ms: None,
        signed_by: peer.signed_by,
        certified: peer.certified,
    }
}

/// The key of this instance's agent; that of another process at its port (`another-key`), or none (`unsigned`).
fn key(words: &Words<'_>) -> Option<AgentKey> {
    let letter = letter(&named(words.nth(0)));
    (!words.has("unsigned")).then(|| AgentKey::new([if words.has("another-key") { 0xff } else { letter }; 32]))
}

fn phase(words: &Words<'_>) -> Phase {
    match words.nth(1) {
        "starting" => Phase::Starting,
        "warm" => Phase::Warm,
        "waiting" => Phase::Waiting,
        "founding" => Phase::Founding,
        "joining" => Phase::Joining,
        "learner" => Phase::Learner,
        "voter" => Phase::Voter,
        "spare" => Phase::Spare,
        "leaving" => Phase::Leaving,
        "left" => Phase::Left,
        "recovering" => Phase::Recovering,
        "halted" => Phase::Halted,
        _ => words.fail("no such phase"),
    }
}

/// `no-data` (the default), `data-unknown`, or `holds b2`, which may add `generation 1`, `cluster e2`, `applied 90`, `revision 90` (as applied, if nothing is
/// said; `no-revision` from an agent that does not know that field), `copy` for a learner's copy that never became a voter's, and `mute` when its etcd does
/// not answer.
fn data(words: &Words<'_>) -> Data {
    if words.has("data-unknown") {
        return Data::Unknown;
    }
    let Some(member) = words.after("holds").map(|word| words.member_id(word)) else { return Data::None };
    let mute = words.has("mute");
    let applied = (!mute).then(|| words.after("applied").map_or(INDEX, |word| words.number(word)));
    let revision = words.after("revision").map(|word| words.number(word)).or(applied).filter(|_| !mute && !words.has("no-revision"));
    Data::Holds {
        member,
        cluster: words.after("cluster").map(|word| words.cluster_id(word)),
        generation: words.generation(),
        voter: (!mute).then(|| !words.has("copy")),
        applied,
        revision,
    }
}

fn remembers(words: &Words<'_>) -> Remembers {
    if words.has("no-record") {
        return Remembers::Nothing;
    }
    words.after("record").map_or(Remembers::Newest, |word| Remembers::Number(words.number(word)))
}
