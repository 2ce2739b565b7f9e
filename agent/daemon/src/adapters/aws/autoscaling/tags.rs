//! The tags that say which cluster a group belongs to.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{AutoScalingGroup, TagDescription};

/// The tag with the cluster's name.
pub const CLUSTER_TAG: &str = "quorate:cluster";
/// The tag with the role of the group's instances.
pub const ROLE_TAG: &str = "quorate:role";
/// The tag with the URL of the charter's store.
pub const STORE_TAG: &str = "quorate:store";

/// Quorate's tags of one group, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTags {
    /// `quorate:cluster`.
    pub cluster: Option<String>,
    /// `quorate:role`.
    pub role: Option<String>,
    /// `quorate:store`.
    pub store: Option<String>,
}

/// One tag of a group, ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagEntry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether instances that are launched get it too.
    pub propagates: bool,
}

/// Every tag, for `quorate check`.
pub(super) fn all(group: &AutoScalingGroup) -> Vec<TagEntry> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let entry = |tag: &TagDescription| TagEntry {
        key: text(tag.key()),
        value: text(tag.value()),
        propagates: tag.propagate_at_launch().unwrap_or_default(),
    };
    group.tags().iter().map(entry).collect()
}

/// Reads a group's tags.
///
/// # Errors
/// Two of ours contradict each other; the end of a sentence that begins with "an answer".
pub(super) fn of(group: &AutoScalingGroup) -> Result<GroupTags, String> {
    parse(group.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default()))))
}

fn parse<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Result<GroupTags, String> {
    let mut ours = BTreeMap::new();
    for (key, value) in tags.filter(|(key, _)| [CLUSTER_TAG, ROLE_TAG, STORE_TAG].contains(key)) {
        let before = ours.insert(key, value.to_owned());
        if let Some(before) = before.filter(|before| before != value) {
            return Err(format!("in which the tag {key} is both {before:?} and {value:?}"));
        }
    }
    Ok(GroupTags { cluster: ours.remove(CLUSTER_TAG), role: ours.remove(ROLE_TAG), store: ours.remove(STORE_TAG) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn our_tags_are_read_and_others_are_not() {
        let tags = [("Name", "x"), ("quorate:cluster", "prod"), ("Quorate:store", "no"), ("quorate:role", "etcd")];
        assert_eq!(parse(tags.into_iter()), Ok(GroupTags { cluster: text("prod"), role: text("etcd"), store: None }));
    }

    #[test]
    fn an_empty_value_is_kept_so_that_it_can_be_refused_by_name() {
        assert_eq!(parse([("quorate:store", "")].into_iter()), Ok(GroupTags { store: text(""), ..GroupTags::default() }));
    }

    #[test]
    fn a_tag_given_twice_must_say_the_same() {
        let same = [("quorate:role", "etcd"), ("quorate:role", "etcd")];
        assert_eq!(parse(same.into_iter()).unwrap().role, text("etcd"));
        let other = [("quorate:role", "etcd"), ("quorate:role", "worker")];
        assert!(parse(other.into_iter()).unwrap_err().contains("both \"etcd\" and \"worker\""));
    }
}
