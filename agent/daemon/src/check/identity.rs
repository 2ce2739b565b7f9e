//! This instance's identity: its configuration, its metadata service, its group.

use std::path::{Path, PathBuf};

use quorate_core::ids::{GroupName, InstanceId};

use crate::adapters::aws::autoscaling::{CLUSTER_TAG, OwnEntry};
use crate::adapters::aws::{AwsError, ImdsError, InstanceIdentity};
use crate::config::fragments;
use crate::telemetry::chain;

use super::finding::Finding;

/// Which files the settings come from. They were read already: a refused one ends the program before any check.
pub(super) fn configuration(file: Option<&Path>) -> Finding {
    let found =
        file.map_or_else(|| fragments::find(&fragments::DIRECTORIES.map(Path::new)).unwrap_or_default(), |file| vec![file.to_owned()]);
    let names = |files: &[PathBuf]| files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let found = if found.is_empty() { "none: the defaults and the group's tags".to_owned() } else { names(&found) };
    Finding::ok("configuration", found)
}

/// The metadata service.
pub(super) fn metadata(identity: &Result<InstanceIdentity, ImdsError>) -> Finding {
    let name = "instance metadata";
    match identity {
        Ok(found) => Finding::ok(name, format!("{} in {}, account {}, {}", found.instance, found.zone, found.account, found.address)),
        Err(error) => {
            let remedy = "enable the instance's metadata service (HttpEndpoint=enabled); a container needs a hop limit of 2, and no proxy may be in between";
            Finding::problem(name, chain(error), remedy)
        }
    }
}

/// The agent itself never asks without a token.
pub(super) fn without_token(status: Option<u16>) -> Option<Finding> {
    let remedy =
        "set HttpTokens=required in the launch template: IMDSv1 gives the role's credentials to anyone who makes this instance fetch a URL";
    match status? {
        401 => Some(Finding::ok("IMDSv2", "required")),
        200 => Some(Finding::warning("IMDSv2", "not required", remedy)),
        _ => None,
    }
}

/// The group, according to Auto Scaling and to the instance's own tag where IMDS shows it.
pub(super) fn group(me: &InstanceId, entry: &Result<Option<OwnEntry>, AwsError>, tag: Option<&GroupName>) -> Finding {
    let name = "group";
    match (entry, tag) {
        (Ok(Some(entry)), _) => {
            Finding::ok(name, format!("{}, {}, {}", entry.group, entry.state, if entry.healthy { "healthy" } else { "unhealthy" }))
        }
        (Ok(None), Some(group)) => {
            let remedy = "wait a moment after a launch; an instance that was detached is no longer in a group";
            Finding::warning(name, format!("the instance's tag says {group}, but Auto Scaling has {me} in no group"), remedy)
        }
        (Ok(None), None) => {
            let remedy = format!("launch it by a group with the tag {CLUSTER_TAG}");
            Finding::problem(name, format!("{me} is in no Auto Scaling group"), remedy)
        }
        (Err(_), Some(group)) => Finding::ok(name, format!("{group}, by the instance's tag")),
        (Err(_), None) => Finding::skipped(name, "not known: Auto Scaling did not say, and IMDS shows no tags"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};

    #[test]
    fn the_group_is_auto_scalings_word_before_the_tags() {
        let entry = || OwnEntry { group: "g".into(), state: "InService".into(), healthy: true };
        let lost = || Err(AwsError::NoAnswer { call: "autoscaling:DescribeAutoScalingInstances", source: "x".into() });
        let tag = GroupName::new("g");
        let verdict = |entry, tag| -> Verdict { group(&"i-1".into(), &entry, tag).verdict };
        assert_eq!((verdict(Ok(Some(entry())), None), verdict(Ok(None), None)), (Fine, Problem));
        assert_eq!((verdict(Ok(None), Some(&tag)), verdict(lost(), Some(&tag)), verdict(lost(), None)), (Warning, Fine, Skipped));
    }

    #[test]
    fn a_metadata_service_that_answers_without_a_token_is_told() {
        let verdict = |status| without_token(status).map(|finding| finding.verdict);
        assert_eq!((verdict(Some(401)), verdict(Some(200)), verdict(Some(503)), verdict(None)), (Some(Fine), Some(Warning), None, None));
    }
}
