//! Describes that do not show the truth: late, short, or empty, for every caller or for one.

use std::time::Duration;

use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;

use super::{Caller, Region};

/// Which API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// EC2.
    Ec2,
    /// Auto Scaling.
    AutoScaling,
    /// Elastic Load Balancing, version 2; it describes nothing here.
    LoadBalancing,
    /// The Security Token Service; likewise.
    Sts,
}

/// How the answers differ from the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// They are this old.
    Lag(Duration),
    /// Lists lack these instances; asked for by id they are there.
    Short(Vec<InstanceId>),
    /// These instances are nowhere, not even by id.
    Missing(Vec<InstanceId>),
    /// Lists are empty; asked for by id an instance is there.
    Empty,
}

/// A view and the callers that get it.
#[derive(Clone, Debug)]
pub struct ViewRule {
    /// Which API.
    pub service: Service,
    /// Only this instance's agent, or every caller.
    pub caller: Option<InstanceId>,
    /// What it shows.
    pub view: View,
}

/// Names a rule, for removing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewId(u64);

/// All the rules that one call meets, taken together.
#[derive(Debug)]
pub(super) struct Lens {
    pub(super) at: Timestamp,
    pub(super) empty: bool,
    short: Vec<InstanceId>,
    missing: Vec<InstanceId>,
}

impl Lens {
    pub(super) fn lists(&self, id: &InstanceId) -> bool {
        !self.empty && !self.short.contains(id) && self.knows(id)
    }

    pub(super) fn knows(&self, id: &InstanceId) -> bool {
        !self.missing.contains(id)
    }
}

impl Region {
    /// From now on answers look like this, besides what other rules do to them.
    pub fn add_view(&mut self, rule: ViewRule) -> ViewId {
        let id = ViewId(self.views.last().map_or(0, |(ViewId(last), _)| last + 1));
        self.views.push((id, rule));
        id
    }

    /// Takes one rule back.
    pub fn remove_view(&mut self, id: ViewId) {
        self.views.retain(|(known, _)| *known != id);
    }

    pub(super) fn lens(&self, service: Service, caller: &Caller) -> Lens {
        let mut lens = Lens { at: self.now, empty: false, short: Vec::new(), missing: Vec::new() };
        for (_, rule) in &self.views {
            let meant = match (&rule.caller, caller) {
                (None, _) => true,
                (Some(id), Caller::Instance(caller)) => id == caller,
                (Some(_), Caller::Operator) => false,
            };
            if meant && rule.service == service {
                lens.add(&rule.view, self.now);
            }
        }
        lens
    }
}

impl Lens {
    fn add(&mut self, view: &View, now: Timestamp) {
        match view {
            View::Lag(lag) => self.at = self.at.min(now - *lag),
            View::Short(ids) => self.short.extend_from_slice(ids),
            View::Missing(ids) => self.missing.extend_from_slice(ids),
            View::Empty => self.empty = true,
        }
    }
}
