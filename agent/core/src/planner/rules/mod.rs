//! The rules. No rule knows another.

pub(super) mod admission;
pub(super) mod charter;
pub(super) mod found;
pub(super) mod hooks;
pub(super) mod join;
pub(super) mod join_server;
pub(super) mod learner;
pub(super) mod leave;
pub(super) mod node;
pub(super) mod ordered;
pub(super) mod pause;
pub(super) mod prune;
pub(super) mod reattached_volume;
pub(super) mod reboot;
pub(super) mod recover;
pub(super) mod rotation;
pub(super) mod serve;
pub(super) mod snapshots;
pub(super) mod stand_in;
pub(super) mod targets;
pub(super) mod worker;
