//! Everything that one cycle saw of the world. These are only facts: [`crate::situation`] and the planner decide what they mean.

mod cloud;
mod etcd;
mod installed;
mod kubernetes;
mod local;
mod notice;
mod peer;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use cloud::{Cloud, Ec2Answer, Ec2State, Group, Hook, HookRef, LifecycleState, ListedInstance, Transition, Warmed};
pub use etcd::{Alarm, EtcdView, Lock, Member, MemberStatus, Membership, PeerUrl};
pub use installed::{Installed, Listens, TakenPort};
pub use kubernetes::{Draining, KubernetesView, ListedNode, NodeView, ServerSeen};
pub use local::{DataIdentity, Local, LocalData, MovedVolume, Process, Shutdown, ShutdownKind};
pub use notice::{EventCode, EventState, Notices, ScheduledEvent, SpotAction, SpotNotice};
pub use peer::{ControlPlane, DataClaim, PeerAnswer, Server};
pub use snapshots::{Drilled, Drills, FetchFailure, Fetching, Saved, SnapshotsView, Taken, Taking};

use crate::charter::StoreView;
use crate::ids::{AccountId, ClusterName, GroupName, InstanceId, RegionName};
use crate::reading::Reading;
use crate::role::Role;
use crate::time::Timestamp;

/// Who this instance is; read once at start from IMDS and the group's tags.
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

/// One look at the world.
#[derive(Clone, Debug)]
pub struct Observation {
    /// This instance.
    pub me: Me,
    /// IMDS `autoscaling/target-lifecycle-state`; `None` inside is 404: no transition yet.
    pub target: Reading<Option<LifecycleState>>,
    /// What else IMDS says of this instance's future.
    pub notices: Notices,
    /// What the AWS control plane said, each part with its own age.
    pub cloud: Cloud,
    /// The charter's store.
    pub store: Reading<StoreView>,
    /// What each peer's agent answered.
    pub peers: BTreeMap<InstanceId, Reading<PeerAnswer>>,
    /// The servers of a control plane, joined or not, whose agents have asked this one since the last look, by the names that they gave.
    pub callers: BTreeSet<InstanceId>,
    /// This machine: data directory and member process.
    pub local: Local,
    /// The etcd cluster, as its own members report it.
    pub etcd: EtcdView,
    /// Kubernetes.
    pub kubernetes: KubernetesView,
    /// Snapshots.
    pub snapshots: SnapshotsView,
}

impl Observation {
    /// Nothing is known except who this instance is.
    #[must_use]
    pub fn unknown(me: Me, why: &'static str) -> Self {
        Self {
            me,
            target: Reading::unknown(why),
            notices: Notices::unknown(why),
            cloud: Cloud::unknown(why),
            store: Reading::unknown(why),
            peers: BTreeMap::new(),
            callers: BTreeSet::new(),
            local: Local::unknown(why),
            etcd: EtcdView::unknown(why),
            kubernetes: KubernetesView::none(),
            snapshots: SnapshotsView::none(why),
        }
    }
}
