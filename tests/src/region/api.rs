//! A call of the API: its caller and its time; counted.

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;

use super::{ApiError, Call, Caller, Region};

/// The API as one caller uses it at one moment.
#[derive(Debug)]
pub struct Api<'a> {
    pub(super) region: &'a mut Region,
    pub(super) caller: &'a Caller,
}

impl Region {
    /// The API as this caller uses it now. Fires everything due first.
    pub fn api<'a>(&'a mut self, caller: &'a Caller, now: Timestamp) -> Api<'a> {
        self.settle(now);
        Api { region: self, caller }
    }

    pub(super) fn group_index(&self, name: &GroupName) -> Result<usize, ApiError> {
        self.groups.iter().position(|group| group.name == *name).ok_or_else(|| ApiError::no_group(name))
    }

    /// The slot of an instance that is on some group's list.
    pub(super) fn managed(&self, id: &InstanceId) -> Result<usize, ApiError> {
        let slot = self.by_id.get(id).copied().filter(|slot| self.instances[*slot].member);
        slot.ok_or_else(|| ApiError::not_managed(id))
    }
}

impl Api<'_> {
    pub(super) fn count(&mut self, call: Call) {
        self.region.calls.add(self.caller, call);
    }
}
