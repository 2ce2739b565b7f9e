//! One call in progress: the region, the moment, the caller, and the parameters.

use quorate_core::ids::{GroupName, InstanceId};
use quorate_core::time::Timestamp;

use super::pages::{Page, page};
use super::query::Query;
use crate::region::{Api, ApiError, Caller, Region};

/// One call in progress.
pub(super) struct Session<'a> {
    pub(super) region: &'a mut Region,
    pub(super) now: Timestamp,
    pub(super) caller: &'a Caller,
    pub(super) query: &'a Query,
    pub(super) page_limit: usize,
    pub(super) empty_first: bool,
}

/// An answered call: its XML, or its refusal.
pub(super) type Answer = Result<String, ApiError>;

impl Session<'_> {
    pub(super) fn api(&mut self) -> Api<'_> {
        self.region.api(self.caller, self.now)
    }

    pub(super) fn page<T>(&self, items: Vec<T>, size: usize) -> Result<Page<T>, ApiError> {
        page(items, size.min(self.page_limit), self.query.text("NextToken"), self.empty_first)
    }

    pub(super) fn group(&self) -> Result<GroupName, ApiError> {
        self.query.required("AutoScalingGroupName").map(GroupName::new)
    }

    pub(super) fn instance(&self) -> Result<InstanceId, ApiError> {
        self.query.required("InstanceId").map(InstanceId::new)
    }

    pub(super) fn instances(&self, prefix: &str) -> Vec<InstanceId> {
        self.query.list(prefix).iter().map(|id| InstanceId::new(id)).collect()
    }
}
