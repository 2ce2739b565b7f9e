//! The charter's log as a story tells it.

use quorate_core::charter::{ListedVoter, Log, Origin, Record, State, StoreView};
use quorate_core::ids::{EtcdClusterId, Generation};
use quorate_core::observation::Me;
use quorate_core::reading::Reading;
use quorate_core::rotation::Rotation;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use super::words::{Words, authority, named};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Access {
    #[default]
    Readable,
    Unreadable,
    NotConfigured,
    Foreign(String),
}

/// The store, and every record that was ever written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    access: Access,
    log: Vec<Record>,
    archive: Vec<Record>,
}

impl Store {
    pub(crate) fn reading(&self, now: Timestamp) -> Reading<StoreView> {
        let view = match &self.access {
            Access::Unreadable => return Reading::unknown("the store did not answer"),
            Access::NotConfigured => StoreView::NotConfigured,
            Access::Foreign(example) => StoreView::Foreign { example: example.as_str().into() },
            Access::Readable if self.log.is_empty() => StoreView::Absent,
            Access::Readable => StoreView::Charter(Log { records: self.log.clone() }),
        };
        Reading::Fresh(view, now)
    }

    /// The highest record that was ever written: what a peer that is up to date remembers.
    pub(crate) fn newest(&self) -> Option<&Record> {
        self.archive.iter().max_by_key(|r| r.number)
    }

    /// The highest record of a generation that was established, which has snapshots.
    pub(crate) fn with_data(&self) -> Option<&Record> {
        self.archive.iter().filter(|r| r.etcd_cluster.is_some()).max_by_key(|r| r.number)
    }

    pub(crate) fn ever(&self, number: u64) -> Option<&Record> {
        self.archive.iter().rev().find(|r| r.number == number)
    }

    /// A node wrote a record: at the end, or where one vanished.
    pub(crate) fn write(&mut self, record: Record) {
        self.archive.push(record.clone());
        self.log.push(record);
        self.log.sort_by_key(|r| r.number);
    }

    pub(crate) fn set(&mut self, words: &Words<'_>, me: &Me) {
        match words.nth(0) {
            "absent" => (self.access, self.log) = (Access::Readable, Vec::new()),
            "readable" => self.access = Access::Readable,
            "unreadable" => self.access = Access::Unreadable,
            "not-configured" => self.access = Access::NotConfigured,
            "foreign" => self.access = Access::Foreign(words.nth(1).to_owned()),
            "forgets" => self.forget(words.number(words.nth(1))),
            "differs" => self.differ(words.number(words.nth(1))),
            "founding" => self.append(words, me, State::Founding { founder: named(required(words, "by")) }),
            "established" => self.append(words, me, State::Established),
            "retired" => {
                let key = words.after("to").unwrap_or("snapshots/final");
                self.append(words, me, State::Retired { key: named(key), revision: 100 });
            }
            _ => words.fail("no such word about the store"),
        }
    }

    fn forget(&mut self, number: u64) {
        self.log.retain(|r| r.number != number);
    }

    /// The record with this number differs from the one that was written.
    fn differ(&mut self, number: u64) {
        for record in self.log.iter_mut().filter(|r| r.number == number) {
            record.generation = Generation(record.generation.0 + 7);
        }
    }

    fn append(&mut self, words: &Words<'_>, me: &Me, state: State) {
        self.access = Access::Readable;
        let before = self.log.last();
        let established = state == State::Established;
        let generation = words.generation().unwrap_or_else(|| before.map_or(Generation(1), |r| r.generation));
        let ever = before.and_then(|r| r.ever_established);
        let origin = origin(words, before);
        // An operator's fresh start is numbered above every record that any node remembers.
        let above = if origin == Origin::Fresh { self.newest() } else { before };
        let number = above.map_or(1, |r| r.number + 1);
        let record = Record {
            number,
            previous: before.filter(|r| r.number + 1 == number).map(Record::digest),
            account: me.account.clone(),
            region: me.region.clone(),
            cluster: words.after("of").map_or_else(|| me.cluster.clone(), named),
            generation,
            origin,
            ever_established: if established { Some(generation) } else { ever },
            etcd_cluster: match &state {
                State::Established => Some(cluster(words, before, generation)),
                State::Retired { .. } => before.and_then(|r| r.etcd_cluster),
                State::Founding { .. } => None,
            },
            voters: voters(words).unwrap_or_else(|| before.map_or(Vec::new(), |r| r.voters.clone())),
            ancestors: match before {
                Some(r) if r.generation < generation => r.lineage(),
                _ => before.map_or(Vec::new(), |r| r.ancestors.clone()),
            },
            transport: before.map_or_else(|| if words.has("tls") { Transport::Tls } else { Transport::Plain }, |r| r.transport),
            authority: match words.after("authority") {
                Some(named) => Some(authority(named)),
                None => before.and_then(|r| r.authority).or_else(|| (words.has("tls") && established).then(|| authority("a"))),
            },
            rotation: rotation(words),
            state,
        };
        self.write(record);
    }
}

/// `rotates to b` or `rotates from a`; none otherwise.
fn rotation(words: &Words<'_>) -> Option<Rotation> {
    let to = words.after("rotates-to").map(|word| Rotation::To(authority(word)));
    to.or_else(|| words.after("rotates-from").map(|word| Rotation::From(authority(word))))
}

fn origin(words: &Words<'_>, before: Option<&Record>) -> Origin {
    match words.after("origin") {
        Some("fresh") => Origin::Fresh,
        Some("empty") => Origin::Empty,
        Some(key) if key.starts_with("snapshots/") => Origin::Snapshot { key: named(key) },
        Some(survivor) => Origin::Survivor { instance: named(survivor) },
        None => before.map_or(Origin::Empty, |r| r.origin.clone()),
    }
}

/// The etcd cluster that the line names, or the one that this generation has had all along.
fn cluster(words: &Words<'_>, before: Option<&Record>, generation: Generation) -> EtcdClusterId {
    let same = before.filter(|r| r.generation == generation).and_then(|r| r.etcd_cluster);
    words.after("cluster").map(|word| words.cluster_id(word)).or(same).unwrap_or(EtcdClusterId(0xe1))
}

fn voters(words: &Words<'_>) -> Option<Vec<ListedVoter>> {
    let (_, list) = words.rest().split_once("voters ")?;
    let voter = |item: &str| {
        let member = words.member(item, quorate_core::role::Role::Etcd);
        ListedVoter { instance: member.name.unwrap_or_else(|| words.fail("a voter has a name")), member: member.id }
    };
    let mut all: Vec<ListedVoter> = Words::items(list).map(voter).collect();
    all.sort();
    Some(all)
}

fn required<'a>(words: &Words<'a>, key: &str) -> &'a str {
    words.after(key).unwrap_or_else(|| words.fail(&format!("`{key}` is missing")))
}
