//! What a drain remembers from look to look.

use std::collections::BTreeMap;

use super::{Ending, View};
use crate::ids::PodId;
use crate::plan::Outcome;
use crate::time::Timestamp;

/// The last try to end one pod, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// When it was.
    pub at: Timestamp,
    /// What the API server said to it, if it did not accept.
    pub refused: Option<String>,
}

/// Everything that a drain remembers. None of it has to survive a restart: a new agent looks again and continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When it began.
    pub began: Timestamp,
    /// This agent made the node unschedulable; only then does it make it schedulable again.
    pub cordoned: bool,
    /// The number of lists in a row, each newer than the one before, without a pod to end.
    pub clean: u32,
    /// The pods' list that was counted last.
    pub counted: Option<Timestamp>,
    /// When the API server last answered.
    pub answered: Timestamp,
    /// What was tried, by pod.
    pub tried: BTreeMap<PodId, Tried>,
    /// The highest number of pods that were to be ended at any time, for the report.
    pub most: usize,
}

impl Progress {
    /// A drain that begins now.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { began: now, cordoned: false, clean: 0, counted: None, answered: now, tried: BTreeMap::new(), most: 0 }
    }

    /// Takes in a look. Call it once for each, before [`super::plan`].
    pub fn absorb(&mut self, view: &View) {
        let Some((pods, at)) = view.pods.fresh().zip(view.pods.at()) else { return };
        self.answered = self.answered.max(at);
        if self.counted == Some(at) {
            return;
        }
        self.counted = Some(at);
        let left = pods.iter().filter(|pod| pod.is_to_end()).count();
        self.most = self.most.max(left);
        self.clean = if left == 0 { self.clean + 1 } else { 0 };
        self.tried.retain(|id, _| pods.iter().any(|pod| pod.id == *id));
    }

    /// Takes in the result of one pod's eviction or deletion.
    pub fn note(&mut self, ending: &Ending, outcome: &Outcome, now: Timestamp) {
        let refused = match outcome {
            Outcome::Done => None,
            Outcome::Refused(why) | Outcome::NotOpen(why) | Outcome::Unclear(why) => Some(why.clone()),
        };
        self.tried.insert(ending.pod.clone(), Tried { at: now, refused });
    }
}
