//! The time between two acknowledgements, which is what an outage is to a client.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// What was happening to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Nothing, or something that was announced.
    Graceful,
    /// An instance was killed without notice.
    Kill,
}

/// A time without an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the last write before it was acknowledged.
    pub from: Instant,
    /// How long it took until the next was.
    pub length: Duration,
}

/// The longest gap under each label.
#[derive(Debug)]
pub(super) struct Gaps {
    last: Instant,
    now: Label,
    /// The label of the gap that is open: an unannounced kill at any time in it makes it a kill's.
    open: Label,
    longest: BTreeMap<Label, Gap>,
}

impl Gaps {
    pub(super) fn from(start: Instant) -> Self {
        Self { last: start, now: Label::Graceful, open: Label::Graceful, longest: BTreeMap::new() }
    }

    pub(super) fn label(&mut self, label: Label) {
        self.now = label;
        self.open = self.open.max(label);
    }

    pub(super) fn forget(&mut self) {
        self.longest.clear();
    }

    pub(super) fn acknowledged(&mut self, at: Instant) {
        let gap = Gap { from: self.last, length: at - self.last };
        let longest = self.longest.entry(self.open).or_insert(gap);
        if gap.length > longest.length {
            *longest = gap;
        }
        (self.last, self.open) = (at, self.now);
    }

    pub(super) fn longest_closed(&self, label: Label) -> Option<Gap> {
        self.longest.get(&label).copied()
    }

    /// The same, with the gap that is open now.
    pub(super) fn longest(&self, label: Label, now: Instant) -> Option<Gap> {
        let open = (self.open == label).then(|| Gap { from: self.last, length: now - self.last });
        self.longest_closed(label).into_iter().chain(open).max_by_key(|gap| gap.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kill_within_a_gap_makes_it_a_kills() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut gaps = Gaps::from(start);
        gaps.acknowledged(at(10));
        gaps.label(Label::Kill);
        gaps.acknowledged(at(500));
        gaps.acknowledged(at(700));
        gaps.label(Label::Graceful);
        gaps.acknowledged(at(1000));
        gaps.acknowledged(at(1050));
        let longest = |label| gaps.longest_closed(label).map(|gap| gap.length.as_millis());
        assert_eq!(longest(Label::Kill), Some(490));
        assert_eq!(longest(Label::Graceful), Some(50));
        assert_eq!(gaps.longest(Label::Graceful, at(2000)).map(|gap| gap.length.as_millis()), Some(950));
    }
}
