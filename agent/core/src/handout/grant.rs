//! Roles, what they are granted, and who STS says a caller is.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, InstanceId};

/// What can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gift {
    /// A client's certificate for etcd.
    EtcdClient,
}

impl fmt::Display for Gift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EtcdClient => f.write_str("etcd-client"),
        }
    }
}

/// An IAM role, as it can be recognised in a session: without its path, which STS does not tell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleArn {
    partition: String,
    account: AccountId,
    name: String,
}

/// A text that is no role's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ARN of a role is arn:PARTITION:iam::ACCOUNT:role/NAME")]
pub struct NotARole;

impl RoleArn {
    /// Its account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    fn new(partition: &str, account: &str, name: &str) -> Result<Self, NotARole> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_partition = partition.starts_with("aws") && partition.bytes().all(plain);
        // <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>
        let is_name = (1..=64).contains(&name.len()) && name.bytes().all(|byte| plain(byte) || b"_+=,.@".contains(&byte));
        let account = AccountId::parse(account).ok().filter(|account| account.as_str().len() == 12).ok_or(NotARole)?;
        if is_partition && is_name { Ok(Self { partition: partition.to_owned(), account, name: name.to_owned() }) } else { Err(NotARole) }
    }
}

impl FromStr for RoleArn {
    type Err = NotARole;

    /// Reads `arn:aws:iam::123456789012:role/path/name`.
    fn from_str(text: &str) -> Result<Self, NotARole> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else { return Err(NotARole) };
        let path = resource.strip_prefix("role/").ok_or(NotARole)?;
        Self::new(partition, account, path.rsplit('/').next().unwrap_or_default())
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:role/{}", self.partition, self.account, self.name)
    }
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the instances with a role get when they ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: RoleArn,
    /// What it gets.
    pub gives: BTreeSet<Gift>,
}

/// An instance with its role, as STS knows it by `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/INSTANCE`: EC2 names the session of an instance's role by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The role.
    pub role: RoleArn,
    /// The name of the session.
    pub instance: InstanceId,
}

impl Caller {
    /// Reads the ARN that STS answers; none if it is not of an instance's session.
    #[must_use]
    pub fn of_arn(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "sts", "", account, resource] = parts[..] else { return None };
        let parts: Vec<&str> = resource.split('/').collect();
        let ["assumed-role", role, session] = parts[..] else { return None };
        Some(Self { role: RoleArn::new(partition, account, role).ok()?, instance: InstanceId::parse(session).ok()? })
    }
}
