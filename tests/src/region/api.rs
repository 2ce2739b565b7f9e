//! A call of the API: its caller and its time; counted.

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;

use super::{ApiError, Call, Caller, LifecycleAction, Region};

/// The API as one caller uses it at one moment.
#[derive(Debug)]
pub struct Api<'a> {
    pub(super) region: &'a mut Region,
    pub(super) caller: &'a Caller,
}

/// How a call names a lifecycle action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionReference {
    /// By the token of the notification.
    Token(String),
    /// By the instance, which together with the hook's name works as well.
    Instance(InstanceId),
}

impl ActionReference {
    pub(super) fn names(&self, action: &LifecycleAction) -> bool {
        match self {
            Self::Token(token) => action.token.to_string() == *token,
            Self::Instance(id) => action.instance == *id,
        }
    }
}

impl From<&InstanceId> for ActionReference {
    fn from(id: &InstanceId) -> Self {
        Self::Instance(id.clone())
    }
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
