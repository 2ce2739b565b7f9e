//! This instance's identity, and the cluster that it belongs to: from IMDS, its group's tags, and what the configuration overrides.
//!
//! It is read once at start, and the caller repeats it until it succeeds: a group's tags and its list of instances lag behind a launch.

use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::observation::Me;
use quorate_core::role::Role;

use crate::adapters::aws::autoscaling::{CLUSTER_TAG, ROLE_TAG, STORE_TAG};
use crate::adapters::aws::{AutoScaling, AwsError, GroupTags, Imds, ImdsError};
use crate::config::{ClusterSettings, Settings, cluster_name, store_url};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// This instance.
    pub me: Me,
    /// The charter's store, if there is one. A worker needs none.
    pub store_url: Option<String>,
    /// Its availability zone.
    pub zone: String,
}

/// Why this instance's identity is not known.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// IMDS did not say.
    #[error("it is not known which instance this is")]
    Imds(#[from] ImdsError),
    /// Auto Scaling did not say.
    #[error("it is not known which cluster this instance belongs to")]
    Aws(#[from] AwsError),
    /// No group has it.
    #[error("{instance} is in no Auto Scaling group, or not yet: launch it by a group that has the tag {CLUSTER_TAG}")]
    NoGroup {
        /// This instance.
        instance: InstanceId,
    },
    /// The group lacks a tag.
    #[error("the group {group} has no tag {key}: give it one, or set {setting} in the configuration file")]
    NoTag {
        /// The group.
        group: GroupName,
        /// The tag.
        key: &'static str,
        /// The setting that takes its place.
        setting: &'static str,
    },
    /// The group has an unusable tag.
    #[error("the group {group} has the tag {key} = {value:?}: {remedy}")]
    BadTag {
        /// The group.
        group: GroupName,
        /// The tag.
        key: &'static str,
        /// Its value.
        value: String,
        /// What to write instead.
        remedy: &'static str,
    },
    /// The role needs a secret to join with.
    #[error("the role {} needs kubernetes.token_file: name the file that holds the secret with which every node of the cluster joins", role.as_str())]
    NoToken {
        /// The role.
        role: Role,
    },
}

/// Finds out who this instance is.
///
/// # Errors
/// See [`IdentityError`]. Most of them are temporary: ask again a little later.
pub async fn resolve(imds: &Imds, autoscaling: &AutoScaling, settings: &Settings) -> Result<Resolved, IdentityError> {
    let identity = imds.identity().await?;
    let group = group_of(&identity.instance, imds, autoscaling).await?;
    let tags = if overrides_all(&settings.cluster) { GroupTags::default() } else { autoscaling.tags_of(&group).await? };
    let Chosen { cluster, role, store_url } = choose(&group, tags, settings)?;
    let me = Me {
        instance: identity.instance,
        address: identity.address,
        group,
        account: identity.account,
        region: identity.region,
        cluster,
        role,
        launched: identity.launched,
    };
    Ok(Resolved { me, store_url, zone: identity.zone })
}

/// The instance's group. The tag in IMDS costs no call to AWS, but the launch template has to enable it.
async fn group_of(instance: &InstanceId, imds: &Imds, autoscaling: &AutoScaling) -> Result<GroupName, IdentityError> {
    if let Some(group) = imds.group_name_tag().await? {
        return Ok(group);
    }
    let own = autoscaling.own(instance).await?;
    own.map(|(group, _)| group).ok_or_else(|| IdentityError::NoGroup { instance: instance.clone() })
}

fn overrides_all(settings: &ClusterSettings) -> bool {
    settings.name.is_some() && settings.role.is_some() && settings.store_url.is_some()
}

#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    cluster: ClusterName,
    role: Role,
    store_url: Option<String>,
}

/// Combines tags and configuration. The configuration takes precedence; a tag that it overrides may be missing or wrong.
fn choose(group: &GroupName, tags: GroupTags, settings: &Settings) -> Result<Chosen, IdentityError> {
    let (token, settings) = (&settings.kubernetes.token_file, &settings.cluster);
    let missing = |key, setting| IdentityError::NoTag { group: group.clone(), key, setting };
    let cluster = either(group, &settings.name, CLUSTER_TAG, tags.cluster, cluster_name)?;
    let role = either(group, &settings.role, ROLE_TAG, tags.role, Role::parse)?.ok_or_else(|| missing(ROLE_TAG, "cluster.role"))?;
    let store_url = either(group, &settings.store_url, STORE_TAG, tags.store, store_url)?;
    let cluster = cluster.ok_or_else(|| missing(CLUSTER_TAG, "cluster.name"))?;
    if role.has_node() && token.is_none() {
        return Err(IdentityError::NoToken { role });
    }
    Ok(Chosen { cluster, role, store_url })
}

fn either<T: Clone>(
    group: &GroupName,
    set: &Option<T>,
    key: &'static str,
    tag: Option<String>,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Option<T>, IdentityError> {
    match (set, tag) {
        (Some(set), _) => Ok(Some(set.clone())),
        (None, None) => Ok(None),
        (None, Some(value)) => parse(&value).map(Some).map_err(|remedy| IdentityError::BadTag { group: group.clone(), key, value, remedy }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(cluster: &str, role: &str, store: &str) -> GroupTags {
        GroupTags { cluster: Some(cluster.into()), role: Some(role.into()), store: Some(store.into()) }
    }

    fn from_tags(tags: GroupTags) -> Result<Chosen, IdentityError> {
        with_settings(tags, "")
    }

    fn with_settings(tags: GroupTags, file: &str) -> Result<Chosen, IdentityError> {
        choose(&GroupName::new("g"), tags, &Settings::parse(file).unwrap())
    }

    fn error(result: Result<Chosen, IdentityError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn the_tags_alone_are_enough() {
        let chosen = from_tags(tags("prod", "etcd", "s3://bucket/prod/")).unwrap();
        assert_eq!(chosen, Chosen { cluster: ClusterName::new("prod"), role: Role::Etcd, store_url: Some("s3://bucket/prod".into()) });
    }

    #[test]
    fn the_store_is_optional_and_the_others_are_not() {
        assert_eq!(from_tags(GroupTags { store: None, ..tags("prod", "etcd", "") }).unwrap().store_url, None);
        let no_cluster = error(from_tags(GroupTags { cluster: None, ..tags("", "etcd", "s3://bucket") }));
        assert_eq!(no_cluster, "the group g has no tag quorate:cluster: give it one, or set cluster.name in the configuration file");
        assert!(error(from_tags(GroupTags { role: None, ..tags("prod", "", "s3://bucket") })).contains("no tag quorate:role"));
    }

    #[test]
    fn a_tag_that_is_empty_or_malformed_is_named_with_its_value() {
        assert!(
            error(from_tags(tags("", "etcd", "s3://bucket"))).starts_with("the group g has the tag quorate:cluster = \"\": use 1 to 64")
        );
        assert!(error(from_tags(tags("prod", "server", "s3://bucket"))).contains("quorate:role = \"server\": use etcd"));
        assert!(error(from_tags(tags("prod", "etcd", ""))).contains("quorate:store = \"\": use s3://"));
    }

    #[test]
    fn a_kubernetes_role_needs_its_token_and_a_worker_no_store() {
        let refused = error(from_tags(tags("prod", "control-plane", "s3://bucket")));
        assert!(refused.starts_with("the role control-plane needs kubernetes.token_file: name the file"), "{refused}");
        let with_token = "[kubernetes]\ntoken_file = \"/etc/quorate/token\"\n";
        for role in [Role::ControlPlane, Role::Worker] {
            let without_store = GroupTags { store: None, ..tags("prod", role.as_str(), "") };
            assert!(error(with_settings(without_store.clone(), "")).contains("kubernetes.token_file"));
            let chosen = with_settings(without_store, with_token).unwrap();
            assert_eq!((chosen.role, chosen.store_url), (role, None));
        }
    }

    #[test]
    fn the_configuration_goes_before_the_tags_even_where_they_are_wrong() {
        let file = "[cluster]\nname = \"other\"\nrole = \"etcd\"\n[store]\nurl = \"file:///srv/store\"\n";
        let chosen = with_settings(tags("//", "nonsense", "x"), file).unwrap();
        assert_eq!((chosen.cluster.as_str(), chosen.store_url.as_deref()), ("other", Some("file:///srv/store")));
    }
}
