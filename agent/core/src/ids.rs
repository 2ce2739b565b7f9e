//! The names of things: plain newtypes, so no instance id is ever mistaken for a group's name or a member's id.
//!
//! Names come from outside: AWS, etcd, peers, the store, files. Each is parsed where it comes in, so none of them can control a terminal, escape from a
//! path, end a line of a file or be mistaken for an option, wherever it is written later.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::printable;

/// A text that cannot be a name of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}, which has {rule}")]
pub struct BadName {
    /// What it should have been.
    what: &'static str,
    /// The text, shortened.
    text: String,
    /// What such a name looks like.
    rule: &'static str,
}

/// At most this many characters of a text that is no name are shown.
const SHOWN: usize = 80;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $fits:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name that is written in the source of a program: a text that others send has no such lifetime.
            #[cfg(not(feature = "invented"))]
            #[must_use]
            pub fn new(text: &'static str) -> Self {
                Self::made(text)
            }

            /// Takes a name that a test or a simulator has invented.
            #[cfg(feature = "invented")]
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self::made(text)
            }

            /// Takes a text from outside, if it can be such a name. The result is cheap to clone.
            ///
            /// # Errors
            /// The text cannot be such a name.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                if $fits(text) { Ok(Self::made(text)) } else { Err(BadName { what: $what, text: printable(text, SHOWN), rule: $rule }) }
            }

            /// From parts that were parsed, or written in the source.
            pub(crate) fn made(text: &str) -> Self {
                Self(Arc::from(text))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        #[cfg(not(feature = "invented"))]
        impl From<&'static str> for $name {
            fn from(text: &'static str) -> Self {
                Self::new(text)
            }
        }

        #[cfg(feature = "invented")]
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }
    };
}

text_id! {
    /// An EC2 instance id (`i-0123456789abcdef0`). Also the etcd member name and the Kubernetes node name.
    InstanceId, "instance id", "i- and then 1 to 61 lower-case letters, digits and hyphens", is_instance_id
}
text_id! {
    /// The name of an Auto Scaling group.
    GroupName, "name of an Auto Scaling group", "1 to 255 printable ASCII characters without a colon", is_group_name
}
text_id! {
    /// The value of the group tag `quorate:cluster`.
    ClusterName,
    "name of a cluster",
    "1 to 64 letters, digits, dots, underscores and hyphens, the first one a letter or a digit",
    is_cluster_name
}
text_id! {
    /// The name of a lifecycle hook.
    HookName, "name of a lifecycle hook", "1 to 255 letters, digits, hyphens, underscores and slashes", is_hook_name
}
text_id! {
    /// An AWS account number.
    AccountId, "AWS account number", "at most 12 digits", is_account_id
}
text_id! {
    /// An AWS region such as `eu-central-1`.
    RegionName, "AWS region", "at most 32 lower-case letters, digits and hyphens", is_region_name
}
text_id! {
    /// The ARN of a load balancer's target group, `arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID`.
    TargetGroupArn, "ARN of a target group", "arn: and then letters, digits, colons, slashes and hyphens", is_arn
}

text_id! {
    /// The key of a snapshot, below the cluster's prefix in the store and without the extensions of its two objects.
    SnapshotKey,
    "key of a snapshot",
    "at most 512 letters, digits, dots, underscores, hyphens and slashes, and no part that is empty or dots alone",
    is_snapshot_key
}

/// EC2's have 8 or 17 hexadecimal digits (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>); a lab's may be shorter. With at
/// most 63 characters it is also a DNS label, as the name of a Node must be.
fn is_instance_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.strip_prefix("i-").is_some_and(|rest| consists_of(rest, 61, plain))
}

/// ASCII from 33 to 126 without the colon (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html>). Groups from
/// before that rule may have spaces, which do no harm.
fn is_group_name(text: &str) -> bool {
    consists_of(text, 255, |byte| matches!(byte, b' '..=b'~') && byte != b':') && text.trim() == text
}

fn is_cluster_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && consists_of(text, 64, |byte| is_word(byte) || byte == b'.')
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
fn is_hook_name(text: &str) -> bool {
    consists_of(text, 255, |byte| is_word(byte) || byte == b'/')
}

fn is_account_id(text: &str) -> bool {
    consists_of(text, 12, |byte| byte.is_ascii_digit())
}

fn is_region_name(text: &str) -> bool {
    consists_of(text, 32, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What an operator writes is checked more closely, part by part.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && consists_of(text, 2048, |byte| is_word(byte) || matches!(byte, b':' | b'/'))
}

/// It becomes part of a path.
fn is_snapshot_key(text: &str) -> bool {
    let plain = |part: &str| !part.bytes().all(|byte| byte == b'.');
    consists_of(text, 512, |byte| is_word(byte) || matches!(byte, b'.' | b'/')) && text.split('/').all(plain)
}

fn consists_of(text: &str, longest: usize, of: impl Fn(u8) -> bool) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(of)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }
    };
}

hex_id! {
    /// An etcd member id; printed in hex, as etcd prints it.
    MemberId
}
hex_id! {
    /// An etcd cluster id; printed in hex, as etcd prints it.
    EtcdClusterId
}

/// The number of times that this cluster was founded: 1 for the first, one more for each recovery or restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation founded after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A pod: namespace and name, and the uid that distinguishes it from a successor of the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
}

impl fmt::Display for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a neighbour may try in place of any name.
    const ODD: [&str; 14] = [
        "",
        " ",
        "i-\u{1b}[2J",
        "i-a\nb",
        "i-a b ",
        "i-a\0",
        "i-\u{202e}a",
        "i-é",
        "\ti-a",
        "i-a\r",
        "i-a\u{7f}",
        "i-a\u{9b}1m",
        "i-a:\n",
        "\u{feff}i-a",
    ];

    /// What else a shell or a path would trip over.
    const SHARP: [&str; 12] =
        ["i-$(id)", "i-`id`", "i-a;id", "i-a'b", "i-a\"b", "i-a\\b", "i-a|b", "i-a&b", "i-a>b", "../i-a", "i-a/../b", "~i-a"];

    #[test]
    fn an_instance_id_is_taken_and_what_only_looks_like_one_is_not() {
        for text in ["i-0123456789abcdef0", "i-1234abcd", "i-a", "i-a-b", &format!("i-{}", "x".repeat(61))] {
            assert_eq!(InstanceId::parse(text).unwrap().as_str(), text);
        }
        let long = format!("i-{}", "x".repeat(62));
        for text in ODD.iter().chain(&SHARP).copied().chain(["i-", "i", "a", "I-a", "i-A", "mi-0123", "i-a.b", "i-a_b", "--i-a", &long]) {
            let error = InstanceId::parse(text).unwrap_err().to_string();
            assert!(error.contains("is no instance id, which has i- and then") && !error.chars().any(char::is_control), "{error}");
        }
    }

    #[test]
    fn names_of_aws_have_its_alphabet_and_length() {
        assert!(GroupName::parse("etcd (blue)/v1_2.'x'").is_ok() && GroupName::parse("eks-a b").is_ok());
        assert!(GroupName::parse(&"x".repeat(256)).is_err() && GroupName::parse("a:b").is_err());
        assert!(HookName::parse("quorate-launch/v1_2").is_ok() && HookName::parse("quorate launch").is_err());
        assert!(AccountId::parse("123456789012").is_ok() && AccountId::parse("1234567890123").is_err());
        assert!(RegionName::parse("us-gov-west-1").is_ok() && RegionName::parse("eu_central").is_err());
        assert!(TargetGroupArn::parse("arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/a/0f").is_ok());
        assert!(SnapshotKey::parse("snapshots/0000000001/1-1-i-0a").is_ok());
        assert!(["a//b", "/a", "a/", "a/../b", ".", "a/./b"].iter().all(|key| SnapshotKey::parse(key).is_err()));
        for text in ODD {
            assert!(GroupName::parse(text).is_err() && HookName::parse(text).is_err() && ClusterName::parse(text).is_err(), "{text:?}");
            assert!(AccountId::parse(text).is_err() && RegionName::parse(text).is_err(), "{text:?}");
            assert!(TargetGroupArn::parse(&format!("arn:{text}")).is_err() || text.is_empty(), "{text:?}");
            assert!(SnapshotKey::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_or_a_peer_cannot_bring_in_what_is_no_name() {
        let read = serde_json::from_str::<std::collections::BTreeMap<InstanceId, GroupName>>;
        assert_eq!(read(r#"{"i-a":"g"}"#).unwrap()[&InstanceId::new("i-a")], GroupName::new("g"));
        let error = read(r#"{"i-a\n":"g"}"#).unwrap_err().to_string();
        assert!(error.contains("\"i-a \" is no instance id"), "{error}");
        assert!(read(r#"{"i-a":"g\u001b[0m"}"#).unwrap_err().to_string().contains("is no name of an Auto Scaling group"));
    }
}
