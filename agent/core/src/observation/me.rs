//! This instance's identity.

use std::net::IpAddr;

use crate::ids::{AccountId, ClusterName, GroupName, InstanceId, RegionName};
use crate::role::Role;
use crate::time::Timestamp;

/// This instance's identity, read once at start from IMDS and the group's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// This instance's id, which is also its member's name.
    pub instance: InstanceId,
    /// Its private address; peers and clients reach its member there.
    pub address: IpAddr,
    /// Its Auto Scaling group.
    pub group: GroupName,
    /// The AWS account.
    pub account: AccountId,
    /// The AWS region.
    pub region: RegionName,
    /// The cluster it belongs to, from the tag `quorate:cluster`.
    pub cluster: ClusterName,
    /// What its group is for, from the tag `quorate:role`.
    pub role: Role,
    /// When EC2 launched it; candidates for a bootstrap are ordered by it.
    pub launched: Timestamp,
}
