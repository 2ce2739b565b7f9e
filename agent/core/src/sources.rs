//! The sources of information: which of them stay unreadable, since when, and why.
//!
//! A reading that fails once does not matter: it is asked again. A source that stays unreadable keeps the node from seeing something, and an operator has
//! to know.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::time::Duration;

use crate::text::Foreign;
use crate::time::Timestamp;

/// A failure that has lasted this long is reported.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A question that has not been asked again for this long is no longer asked, such as the own state of an instance in service: nothing is missing.
const FORGOTTEN: Duration = Duration::from_secs(2 * 3600);

/// This many failures in a row are more than a lost packet. AWS is asked seldom, so time alone would not show it.
const IN_A_ROW: u32 = 2;

/// A source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The instance's metadata service.
    Imds,
    /// EC2's API.
    Ec2,
    /// Auto Scaling's API.
    AutoScaling,
    /// The object store.
    Store,
    /// The etcd that runs here.
    Etcd,
}

impl Source {
    /// All sources.
    pub const ALL: [Self; 5] = [Self::Imds, Self::Ec2, Self::AutoScaling, Self::Store, Self::Etcd];

    /// Its name in a metric's label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Imds => "imds",
            Self::Ec2 => "ec2",
            Self::AutoScaling => "autoscaling",
            Self::Store => "store",
            Self::Etcd => "etcd",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Imds => "IMDS",
            Self::Ec2 => "EC2",
            Self::AutoScaling => "Auto Scaling",
            Self::Store => "the store",
            Self::Etcd => "the etcd that runs here",
        })
    }
}

/// Why a source could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In its own words.
    pub message: Foreign,
    /// It will not pass on its own, such as a missing permission: one such failure is enough.
    pub is_certain: bool,
}

impl Failure {
    /// A failure that may pass.
    #[must_use]
    pub fn of(message: &str) -> Self {
        Self { message: Foreign::from(message), is_certain: false }
    }
}

/// Failures of one question in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failing {
    first: Timestamp,
    last: Timestamp,
    count: u32,
    failure: Failure,
}

impl Failing {
    fn lasts(&self, now: Timestamp) -> bool {
        now.since(self.first) >= PATIENCE && (self.failure.is_certain || self.count >= IN_A_ROW)
    }
}

/// A source that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which.
    pub source: Source,
    /// Since when.
    pub since: Timestamp,
    /// Why, at the last try.
    pub why: Foreign,
}

impl Unreadable {
    /// The sentence for it.
    #[must_use]
    pub fn message(&self, now: Timestamp) -> String {
        format!("{} has not been readable for {} s: {}", self.source, now.since(self.since).as_secs(), self.why)
    }
}

/// What has changed since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has become unreadable.
    Unreadable(Unreadable),
    /// It can be read again, after this time.
    Readable(Source, Duration),
}

/// All sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// By question: one source is asked for several things, and only one of them may be denied.
    failing: BTreeMap<(Source, &'static str), Failing>,
    /// The sources that were ever asked, and when they last were.
    asked: BTreeMap<Source, Timestamp>,
    /// The sources that were reported as unreadable, and since when they are.
    told: BTreeMap<Source, Timestamp>,
}

impl Sources {
    /// Takes in the result of a question.
    pub fn note(&mut self, source: Source, question: &'static str, result: Result<(), Failure>, now: Timestamp) {
        self.asked.insert(source, now);
        let key = (source, question);
        match result {
            Ok(()) => drop(self.failing.remove(&key)),
            Err(failure) => {
                let failing =
                    self.failing.entry(key).or_insert_with(|| Failing { first: now, last: now, count: 0, failure: failure.clone() });
                (failing.last, failing.failure) = (now, failure);
                failing.count = failing.count.saturating_add(1);
            }
        }
    }

    /// The sources that cannot be read, each with the failure that has lasted longest.
    #[must_use]
    pub fn unreadable(&self, now: Timestamp) -> Vec<Unreadable> {
        let longest = |source: Source| {
            let failing = self.failing.iter().filter(|((of, _), failing)| *of == source && failing.lasts(now));
            failing.map(|(_, failing)| failing).min_by_key(|failing| failing.first)
        };
        let told = |source| longest(source).map(|f| Unreadable { source, since: f.first, why: f.failure.message.clone() });
        Source::ALL.into_iter().filter_map(told).collect()
    }

    /// Whether a source can be read; none if it was never asked.
    #[must_use]
    pub fn is_readable(&self, source: Source, now: Timestamp) -> Option<bool> {
        self.asked.get(&source)?;
        Some(!self.unreadable(now).iter().any(|unreadable| unreadable.source == source))
    }

    /// What has changed since the last call.
    pub fn changes(&mut self, now: Timestamp) -> Vec<Change> {
        self.failing.retain(|_, failing| now.since(failing.last) < FORGOTTEN);
        let unreadable = self.unreadable(now);
        let again = |source: &Source| !unreadable.iter().any(|unreadable| unreadable.source == *source);
        let readable: Vec<(Source, Timestamp)> = self.told.iter().filter(|(s, _)| again(s)).map(|(s, at)| (*s, *at)).collect();
        let mut changes: Vec<Change> = readable.iter().map(|(source, since)| Change::Readable(*source, now.since(*since))).collect();
        self.told.retain(|source, _| !readable.iter().any(|(of, _)| of == source));
        for one in unreadable {
            if let Entry::Vacant(untold) = self.told.entry(one.source) {
                untold.insert(one.since);
                changes.push(Change::Unreadable(one));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    #[test]
    fn what_stays_unreadable_for_a_minute_is_told_once_and_once_when_it_is_over() {
        let mut sources = Sources::default();
        assert_eq!(sources.is_readable(Source::Imds, at(0)), None, "it was never asked");
        let mut told = Vec::new();
        for second in 0..200 {
            let answered = !(10..100).contains(&second);
            let result = if answered { Ok(()) } else { Err(Failure::of("no route\u{1b}[0m")) };
            sources.note(Source::Imds, "spot", result, at(second));
            told.extend(sources.changes(at(second)).into_iter().map(|change| (second, change)));
            assert_eq!(sources.is_readable(Source::Imds, at(second)), Some(!(70..100).contains(&second)), "after {second} s");
        }
        let why = Foreign::from(r"no route\u{1b}[0m");
        let unreadable = Change::Unreadable(Unreadable { source: Source::Imds, since: at(10), why });
        assert_eq!(told, [(70, unreadable), (100, Change::Readable(Source::Imds, Duration::from_secs(90)))]);
    }

    #[test]
    fn a_source_that_is_asked_seldom_fails_twice_or_for_good() {
        let mut sources = Sources::default();
        sources.note(Source::AutoScaling, "groups", Err(Failure::of("lost")), at(0));
        assert_eq!(sources.changes(at(300)), [], "one answer may get lost");
        sources.note(Source::AutoScaling, "groups", Err(Failure::of("lost")), at(600));
        assert_eq!(sources.changes(at(600)).len(), 1);
        let denied = Failure { message: "denied".into(), is_certain: true };
        sources.note(Source::Ec2, "instances", Err(denied), at(600));
        assert_eq!((sources.changes(at(630)).len(), sources.changes(at(660)).len()), (0, 1));
        sources.note(Source::Ec2, "others", Ok(()), at(700));
        assert_eq!(sources.is_readable(Source::Ec2, at(700)), Some(false), "one of its questions is still denied");
        assert_eq!(sources.changes(at(3 * 3600)).len(), 2, "it is no longer asked");
    }
}
