//! The member that a call to etcd is sent to.

use std::sync::Arc;

use crate::ids::MemberId;
use crate::member_url::MemberUrl;

/// The member whose client endpoint a call is sent to. Membership calls are per member: etcd judges health from the member that receives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The member.
    pub member: MemberId,
    /// Its client URL.
    pub url: Arc<str>,
}

impl Via {
    /// Through this member, at its client URL.
    #[must_use]
    pub fn new(member: MemberId, url: MemberUrl) -> Self {
        Self { member, url: url.to_string().into() }
    }
}
