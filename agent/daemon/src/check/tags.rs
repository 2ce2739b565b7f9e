//! The tags by which the cluster is found.

use std::collections::BTreeSet;

use quorate_core::ids::{GroupName, InstanceId};

use crate::adapters::aws::autoscaling::{CLUSTER_TAG, ROLE_TAG, STORE_TAG, TagEntry};
use crate::config::ClusterSettings;
use crate::config::{cluster_name, store_url};
use quorate_core::role::Role;

use super::finding::Finding;

/// What the group's tags and the settings say together. Store and propagation matter to a role that may found a cluster, which has a `charter`.
pub(super) fn judge(charter: bool, group: &GroupName, tags: &[TagEntry], settings: &ClusterSettings) -> Vec<Finding> {
    let mut findings = vec![cluster(group, tags, settings), role(group, tags, settings)];
    if charter {
        findings.extend([store(group, tags, settings), propagation(group, tags)]);
    }
    findings
}

/// Judges the cluster's tag. The agent searches for groups by their tags even if the settings name cluster and role: the settings only say what to search for.
fn cluster(group: &GroupName, tags: &[TagEntry], settings: &ClusterSettings) -> Finding {
    let set = settings.name.as_ref().map(|name| name.as_str().to_owned());
    searched(group, tags, CLUSTER_TAG, "the cluster's name, such as prod", set.as_deref(), |text| cluster_name(text).map(drop))
}

fn role(group: &GroupName, tags: &[TagEntry], settings: &ClusterSettings) -> Finding {
    let set = settings.role.map(Role::as_str);
    searched(group, tags, ROLE_TAG, "etcd, control-plane or worker", set, |text| Role::parse(text).map(drop))
}

fn searched(
    group: &GroupName,
    tags: &[TagEntry],
    key: &str,
    example: &str,
    set: Option<&str>,
    parse: impl Fn(&str) -> Result<(), &'static str>,
) -> Finding {
    let name = format!("tag {key}");
    let Some(value) = value(tags, key) else {
        return Finding::problem(name, format!("the group {group} has none"), format!("give the group the tag {key}: {example}"));
    };
    match (parse(value), set) {
        (Err(remedy), _) => Finding::problem(name, format!("{value:?}"), remedy),
        (Ok(()), Some(set)) if set != value => {
            let remedy = "make both the same: the groups of a cluster are found by their tags";
            Finding::problem(name, format!("{value:?}, but the configuration says {set:?}"), remedy)
        }
        (Ok(()), _) => Finding::ok(name, value),
    }
}

fn store(group: &GroupName, tags: &[TagEntry], settings: &ClusterSettings) -> Finding {
    let name = format!("tag {STORE_TAG}");
    let tag = value(tags, STORE_TAG);
    match (tag.map(|tag| (tag, store_url(tag))), &settings.store_url) {
        (_, Some(set)) => Finding::ok(name, format!("{set}, from the configuration")),
        (Some((_, Ok(url))), None) => Finding::ok(name, url),
        (Some((tag, Err(remedy))), None) => Finding::problem(name, format!("{tag:?}"), remedy),
        (None, None) => {
            let remedy =
                "give it s3://BUCKET/PREFIX; without a store nothing is founded automatically, and `quorate bootstrap` on one node does it";
            Finding::warning(name, format!("the group {group} has none"), remedy)
        }
    }
}

fn propagation(group: &GroupName, tags: &[TagEntry]) -> Finding {
    let name = "tag propagation";
    match tags.iter().find(|tag| tag.key == CLUSTER_TAG) {
        None => Finding::skipped(name, format!("there is no tag {CLUSTER_TAG}")),
        Some(tag) if tag.propagates => Finding::ok(name, format!("instances get {CLUSTER_TAG} at launch")),
        Some(_) => {
            let remedy = "set PropagateAtLaunch for it: before a first cluster is founded, EC2 is asked by this tag which instances may hold data already";
            Finding::problem(name, format!("the group {group} does not propagate {CLUSTER_TAG} to its instances"), remedy)
        }
    }
}

/// Whether EC2 lists this instance under the cluster's tag: a list without the instance that asks is not trusted, and nothing is founded on it.
pub(super) fn listed(me: &InstanceId, cluster: &str, found: &BTreeSet<InstanceId>) -> Finding {
    let name = "tag on this instance";
    if found.contains(me) {
        let others = found.len() - 1;
        return Finding::ok(name, format!("EC2 lists this instance and {others} others with {CLUSTER_TAG} = {cluster}"));
    }
    let remedy = format!(
        "launch instances after the tag propagates, or: aws ec2 create-tags --resources {me} --tags Key={CLUSTER_TAG},Value={cluster}"
    );
    Finding::problem(name, format!("EC2 lists {} instances with {CLUSTER_TAG} = {cluster}, and not this one", found.len()), remedy)
}

/// The value of a tag of ours, as it is written.
pub(super) fn value<'a>(tags: &'a [TagEntry], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};
    use crate::config::Settings;

    fn tag(key: &str, value: &str) -> TagEntry {
        TagEntry { key: key.into(), value: value.into(), propagates: true }
    }

    fn good() -> Vec<TagEntry> {
        vec![tag("quorate:cluster", "prod"), tag("quorate:role", "etcd"), tag("quorate:store", "s3://bucket/quorate")]
    }

    fn verdicts(tags: &[TagEntry], file: &str) -> Vec<Verdict> {
        let findings = judge(true, &"g".into(), tags, &Settings::parse(file).unwrap().cluster);
        findings.iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn three_good_tags_that_propagate_are_enough() {
        assert_eq!(verdicts(&good(), ""), [Fine, Fine, Fine, Fine]);
    }

    #[test]
    fn a_worker_needs_neither_store_nor_propagation() {
        let mut tags = vec![tag("quorate:cluster", "prod"), tag("quorate:role", "worker")];
        tags[0].propagates = false;
        let findings = judge(false, &"g".into(), &tags, &Settings::parse("").unwrap().cluster);
        assert_eq!(findings.iter().map(|finding| finding.verdict).collect::<Vec<_>>(), [Fine, Fine]);
    }

    #[test]
    fn each_missing_tag_is_missed() {
        for (missing, expected) in [(0, [Problem, Fine, Fine, Skipped]), (1, [Fine, Problem, Fine, Fine]), (2, [Fine, Fine, Warning, Fine])]
        {
            let mut tags = good();
            tags.remove(missing);
            assert_eq!(verdicts(&tags, ""), expected, "without {missing}");
        }
    }

    #[test]
    fn a_malformed_value_is_a_problem() {
        for (key, value, at) in [("quorate:cluster", "a/b", 0), ("quorate:role", "server", 1), ("quorate:store", "bucket", 2)] {
            let tags: Vec<_> = good().into_iter().map(|old| if old.key == key { tag(key, value) } else { old }).collect();
            assert_eq!(verdicts(&tags, "")[at], Problem, "{key} = {value}");
        }
    }

    #[test]
    fn every_role_is_taken() {
        for role in ["etcd", "control-plane", "worker"] {
            let tags: Vec<_> =
                good().into_iter().map(|old| if old.key == "quorate:role" { tag("quorate:role", role) } else { old }).collect();
            assert_eq!(verdicts(&tags, "")[1], Fine, "{role}");
        }
    }

    #[test]
    fn the_configuration_cannot_stand_in_for_a_tag_that_is_searched_for() {
        let file = "[cluster]\nname = \"other\"\nrole = \"etcd\"\n[store]\nurl = \"file:///srv/store\"\n";
        assert_eq!(verdicts(&good(), file), [Problem, Fine, Fine, Fine]);
        assert_eq!(verdicts(&[], file), [Problem, Problem, Fine, Skipped]);
    }

    #[test]
    fn a_cluster_tag_that_stays_with_the_group_is_a_problem() {
        let mut tags = good();
        tags[0].propagates = false;
        assert_eq!(verdicts(&tags, ""), [Fine, Fine, Fine, Problem]);
    }

    #[test]
    fn a_list_without_the_asker_is_no_list() {
        let list = |ids: &[&'static str]| ids.iter().map(|id| InstanceId::new(id)).collect();
        assert_eq!(listed(&"i-1".into(), "prod", &list(&["i-1", "i-2"])).verdict, Fine);
        let finding = listed(&"i-1".into(), "prod", &list(&["i-2"]));
        assert!(finding.verdict == Problem && finding.remedy.unwrap().contains("--resources i-1 --tags Key=quorate:cluster,Value=prod"));
    }
}
