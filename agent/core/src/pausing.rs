//! Pausing: an operator's order that no step is taken for a while, on one node or in the whole cluster.
//!
//! A pause of this node is kept in its memory. A pause of the cluster is a key in etcd beside the lock's. Each node remembers what it last
//! read there, so it stays paused while etcd cannot be read.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::InstanceId;
use crate::text::Foreign;
use crate::time::Timestamp;

/// One pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Since when, by the clock of the node where it was ordered.
    pub since: Timestamp,
    /// The operator, as the command line named them.
    pub by: Foreign,
    /// On which instance.
    pub on: InstanceId,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since {} by {} on {}", self.since.utc(), self.by, self.on)
    }
}

/// What an operator wants of the cluster's key, until etcd has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// To write this pause.
    Pause(Pause),
    /// To delete any pause that there is.
    Resume,
}

/// Everything that a node remembers of pauses. It survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pausing {
    /// This node's own.
    pub own: Option<Pause>,
    /// The cluster's, as it was read last.
    pub cluster: Option<Pause>,
    /// The cluster's pause that an operator has ended for this node only: by ordering it to leave, or while etcd could not be written.
    pub overridden: Option<Pause>,
    /// An operator's order that etcd does not have yet.
    pub wish: Option<Wish>,
}

impl Pausing {
    /// Nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The pause in force on this node; its own takes precedence over the cluster's.
    #[must_use]
    pub fn in_force(&self) -> Option<&Pause> {
        let ordered = match &self.wish {
            Some(Wish::Pause(pause)) => Some(pause),
            Some(Wish::Resume) => return self.own.as_ref(),
            None => None,
        };
        let cluster = self.cluster.as_ref().filter(|pause| Some(*pause) != self.overridden.as_ref());
        self.own.as_ref().or(ordered).or(cluster)
    }

    /// The pause in force is the whole cluster's.
    #[must_use]
    pub fn is_of_the_cluster(&self) -> bool {
        self.own.is_none() && self.in_force().is_some()
    }

    /// `quorate pause [--cluster]`. A pause that exists already keeps its time.
    pub fn pause(&mut self, pause: Pause, cluster: bool) {
        self.overridden = None;
        match cluster {
            true if self.cluster.is_some() => self.wish = None,
            true => self.wish = Some(Wish::Pause(pause)),
            false => drop(self.own.get_or_insert(pause)),
        }
    }

    /// `quorate resume [--cluster]`. Without `--cluster` it ends this node's own pause; with it, also the cluster's: for this node at once, for the
    /// others as soon as a quorum of etcd can be written.
    pub fn resume(&mut self, cluster: bool) {
        self.own = None;
        if cluster {
            self.overridden = self.cluster.clone();
            self.wish = Some(Wish::Resume);
        }
    }

    /// `quorate leave`: it ends every pause for this node. The cluster stays paused.
    pub fn leave(&mut self) {
        self.own = None;
        self.overridden = self.cluster.clone();
        if matches!(self.wish, Some(Wish::Pause(_))) {
            self.wish = None;
        }
    }

    /// Takes in what etcd says, by a quorum's word.
    pub fn read(&mut self, found: Option<&Pause>) {
        let is_granted = match &self.wish {
            Some(Wish::Pause(_)) => found.is_some(),
            // A pause that was ordered elsewhere since then is a different one.
            Some(Wish::Resume) => found.is_none() || (self.overridden.is_some() && self.overridden.as_ref() != found),
            None => false,
        };
        if is_granted {
            self.wish = None;
        }
        if self.cluster.as_ref() != found {
            self.cluster = found.cloned();
        }
        if self.overridden.is_some() && self.overridden.as_ref() != found {
            self.overridden = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(since: u64) -> Pause {
        Pause { since: Timestamp(since), by: "alice".into(), on: "i-a".into() }
    }

    #[test]
    fn a_pause_of_this_node_ends_with_resume_or_leave() {
        for end in [|p: &mut Pausing| p.resume(false), Pausing::leave] {
            let mut pausing = Pausing::default();
            pausing.pause(pause(1), false);
            pausing.pause(pause(2), false);
            assert_eq!(pausing.in_force(), Some(&pause(1)), "it has been paused since the first");
            end(&mut pausing);
            assert_eq!(pausing.in_force(), None);
        }
    }

    #[test]
    fn the_clusters_pause_holds_until_etcd_says_that_it_is_over() {
        let mut pausing = Pausing::default();
        pausing.pause(pause(1), true);
        assert!(pausing.is_of_the_cluster(), "it holds here before etcd has it");
        pausing.read(Some(&pause(1)));
        assert_eq!((pausing.in_force(), &pausing.wish), (Some(&pause(1)), &None));
        pausing.resume(false);
        assert!(pausing.in_force().is_some(), "a local resume ends only this node's own");
        pausing.read(None);
        assert!(pausing.is_empty());
    }

    #[test]
    fn a_resume_of_the_cluster_holds_here_at_once_and_a_new_pause_holds_again() {
        let mut pausing = Pausing { cluster: Some(pause(1)), ..Pausing::default() };
        pausing.resume(true);
        assert_eq!(pausing.in_force(), None, "etcd may have no quorum, and recovery must go on");
        pausing.read(Some(&pause(1)));
        assert_eq!((pausing.in_force(), &pausing.wish), (None, &Some(Wish::Resume)));
        pausing.read(None);
        assert!(pausing.is_empty());
        pausing.read(Some(&pause(2)));
        pausing.resume(true);
        pausing.read(Some(&pause(3)));
        assert_eq!((pausing.in_force(), &pausing.wish), (Some(&pause(3)), &None), "that one was ordered since");
    }

    #[test]
    fn a_leave_overrides_the_clusters_pause_here_until_another_is_ordered() {
        let mut pausing = Pausing { cluster: Some(pause(1)), ..Pausing::default() };
        pausing.leave();
        pausing.read(Some(&pause(1)));
        assert_eq!(pausing.in_force(), None);
        pausing.pause(pause(3), false);
        assert_eq!(pausing.in_force(), Some(&pause(3)));
    }
}
