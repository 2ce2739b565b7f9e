//! Everything that one cycle saw of the world. These are only facts: [`crate::situation`] and the planner decide what they mean.

mod cloud;
mod etcd;
mod installed;
mod kubernetes;
mod local;
mod me;
mod notice;
mod peer;
mod snapshots;

use std::collections::{BTreeMap, BTreeSet};

pub use cloud::{Cloud, Ec2Answer, Ec2State, Group, Hook, HookRef, LifecycleState, ListedInstance, ScalingProcess, Transition, Warmed};
pub use etcd::{Alarm, EtcdView, Lock, Member, MemberStatus, Membership, PeerUrl};
pub use installed::{Installed, Listens, TakenPort};
pub use kubernetes::{Draining, KubernetesView, ListedNode, NodeView, ServerSeen};
pub use local::{DataIdentity, Effort, Local, LocalData, Process, ReattachedVolume, Shutdown, ShutdownKind};
pub use me::Me;
pub use notice::{EventCode, EventState, Notices, ScheduledEvent, SpotAction, SpotNotice};
pub use peer::{ControlPlane, DataClaim, PeerAnswer, Server};
pub use snapshots::{Drilled, Drills, FetchFailure, Fetching, Saved, SnapshotsView, Taken, Taking};

use crate::charter::StoreView;
use crate::ids::InstanceId;
use crate::reading::Reading;

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
