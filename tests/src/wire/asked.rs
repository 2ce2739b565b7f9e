//! The calls of the AWS API with their callers: which permissions a caller has used.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::region::{Caller, Service};

/// All calls so far, refused ones too; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<Mutex<BTreeSet<(Caller, String)>>>);

impl Asked {
    /// What the instances' agents asked, as IAM names it: `autoscaling:DescribeLifecycleHooks`.
    ///
    /// Each action of the Query protocol is the permission of the same name
    /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html>).
    #[must_use]
    pub fn by_agents(&self) -> BTreeSet<String> {
        let by_agent = |(caller, _): &&(Caller, String)| matches!(caller, Caller::Instance(_));
        self.lock().iter().filter(by_agent).map(|(_, action)| action.clone()).collect()
    }

    pub(super) fn note(&self, caller: &Caller, service: Service, action: &str) {
        let service = match service {
            Service::Ec2 => "ec2",
            Service::AutoScaling => "autoscaling",
            Service::LoadBalancing => "elasticloadbalancing",
            Service::Sts => "sts",
        };
        self.lock().insert((caller.clone(), format!("{service}:{action}")));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Caller, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
