//! A Kubernetes distribution on this node: its program, its token, the operator's own configuration of it, and its unit.

mod binary;
pub(super) mod place;
mod releases;
mod token;
mod unit;

pub(super) use unit::Conditions;

use crate::adapters::distribution::Distribution;
use crate::adapters::service_manager::ServiceError;
use crate::config::Settings;
use crate::systemd::Bus;
use crate::telemetry::chain;

use super::finding::Finding;
use super::node::Parts;

/// Everything about the distribution except its directories. There is a `bus` if systemd runs.
pub(super) async fn check(distribution: &dyn Distribution, parts: &Parts, settings: &Settings, bus: Option<&Bus>) -> Vec<Finding> {
    let mut findings = binary::check(distribution, parts).await;
    findings.extend(token::check(&settings.kubernetes, parts));
    findings.push(configuration(distribution));
    if let Some(unit) = settings.service.unit(distribution.unit()) {
        findings.extend(unit::check(unit, distribution, settings, bus).await);
    }
    findings
}

/// The reason why the distribution's adapter would refuse to start it, if any.
fn configuration(distribution: &dyn Distribution) -> Finding {
    let name = format!("{} configuration", distribution.name());
    match distribution.check_others() {
        Ok(()) => Finding::ok(name, "sets nothing that decides which cluster this node is in"),
        Err(error) => refused(name, &error),
    }
}

fn refused(name: String, error: &ServiceError) -> Finding {
    match error {
        ServiceError::Conflict { path, key } => {
            let remedy = "remove it: quorate sets it itself, because it decides between one cluster and two, and starts nothing until then";
            Finding::problem(name, format!("{} sets {key}", path.display()), remedy)
        }
        error => Finding::problem(name, chain(error), "make it readable to the user that runs quorate"),
    }
}
