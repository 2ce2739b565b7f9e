//! Why etcd may not be started here: its version, its flags, its ports.

use std::fmt;

use crate::etcd_version::{EtcdVersion, FIRST_TO_GO_BACK, StartRefusal, VersionGap, Whose};
use crate::observation::TakenPort;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn is_not_known(why: &str) -> Message {
    format!("does not know yet which etcd is installed here: {why}").into()
}

pub(crate) fn cluster_has_not_said() -> Message {
    "waits for the cluster to say which version it runs".into()
}

pub(crate) fn cluster_has_not_followed(cluster: EtcdVersion, voters: EtcdVersion) -> Message {
    format!("waits until the cluster's version, {cluster}, reaches its voters', {voters}").into()
}

pub(crate) fn voters_have_not_said() -> Message {
    "waits for every voter to report its version of etcd".into()
}

pub(crate) fn may_not_start_yet(why: Message) -> Wait {
    wait(WaitReason::VersionFacts, why)
}

pub(crate) fn may_not_start(refusal: StartRefusal, why: Message) -> Wait {
    let reason = match refusal {
        StartRefusal::Flag => WaitReason::EtcdFlags,
        StartRefusal::Port => WaitReason::EtcdPort,
        StartRefusal::Version | StartRefusal::Other => WaitReason::EtcdVersion,
    };
    wait(reason, why)
}

pub(crate) fn flags_are_refused(own: EtcdVersion, message: &str) -> Message {
    let remedy = "remove the flag from etcd.extra_args or etcd.env, or install an etcd that knows it; `quorate check` tries the flags";
    format!("does not start etcd {own}, which refuses its flags ({message}): {remedy}").into()
}

pub(crate) fn does_not_start(gap: &VersionGap) -> Message {
    let verb = if gap.whose == Whose::Snapshot { "does not restore a snapshot" } else { "does not start etcd" };
    format!("{verb}: {gap}").into()
}

pub(crate) fn does_not_join(gap: &VersionGap) -> Message {
    format!("does not join: {gap}").into()
}

pub(crate) fn port_is_taken(taken: &TakenPort) -> Message {
    let by = taken.by.as_deref().unwrap_or("somebody else");
    let remedy = "stop it, and keep it from starting again; some packages of etcd start a server of their own";
    format!("does not start etcd: {} is taken by {by}: {remedy}", taken.at).into()
}

pub(crate) fn would_end_again(exit: Option<&str>) -> Message {
    let how = exit.map(|exit| format!(" ({exit})")).unwrap_or_default();
    let remedy = "mend its unit, a drop-in of it, or the binary, and restart the agent";
    format!("does not join: etcd ended here, and would for the same cause at another start{how}: {remedy}").into()
}

impl fmt::Display for VersionGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { own, other, whose } = self;
        match whose {
            Whose::Cluster => write!(f, "etcd here is {own}, the cluster runs {other}: ")?,
            Whose::Data => write!(f, "etcd here is {own}, its data is of {other}: ")?,
            Whose::Snapshot => write!(f, "etcd here is {own}, the snapshot was taken from {other}: ")?,
        }
        let upward = own > other && own.major == other.major;
        match whose {
            _ if upward => write!(f, "etcd supports one minor at a time; bake an image with {} first", other.next()),
            Whose::Cluster if own.next() == *other && *other >= FIRST_TO_GO_BACK => write!(
                f,
                "etcd does not downgrade by itself; bake an image with {other} or {}, or downgrade the cluster first \
                 (`etcdctl downgrade enable {own}`)",
                other.next()
            ),
            _ => write!(f, "an older etcd cannot read what a newer one wrote; bake an image with {other} or {}", other.next()),
        }
    }
}
