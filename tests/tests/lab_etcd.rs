//! The real binary and real etcd, through the wire: each test is a region of its own, with machines on loopback addresses.
//!
//! `QUORATE_LAB_LOGS=DIR` keeps the logs of agents and etcd.

#[path = "lab_etcd/asked.rs"]
mod asked;
#[path = "lab_etcd/crash.rs"]
mod crash;
#[path = "lab_etcd/crowd.rs"]
mod crowd;
#[path = "lab_etcd/drill.rs"]
mod drill;
#[path = "lab_etcd/form.rs"]
mod form;
#[path = "lab_etcd/group.rs"]
mod group;
#[path = "lab_etcd/kill.rs"]
mod kill;
#[path = "lab_etcd/life.rs"]
mod life;
#[path = "lab_etcd/nobodys.rs"]
mod nobodys;
#[path = "lab_etcd/notices.rs"]
mod notices;
#[path = "lab_etcd/permissions.rs"]
mod permissions;
#[path = "lab_etcd/recover.rs"]
mod recover;
#[path = "lab_etcd/refusals.rs"]
mod refusals;
#[path = "lab_etcd/retired.rs"]
mod retired;
#[path = "lab_etcd/slow_start.rs"]
mod slow_start;
#[path = "lab_etcd/smoke.rs"]
mod smoke;
#[path = "lab_etcd/snapshots.rs"]
mod snapshots;
#[path = "lab_etcd/stand_in.rs"]
mod stand_in;
#[path = "lab_etcd/state_dir.rs"]
mod state_dir;
#[path = "lab_etcd/store.rs"]
mod store;
#[path = "lab_etcd/strangers.rs"]
mod strangers;
#[path = "lab_etcd/targets.rs"]
mod targets;
#[path = "lab_etcd/total_loss.rs"]
mod total_loss;
#[path = "lab_etcd/traces.rs"]
mod traces;
#[path = "lab_etcd/trash.rs"]
mod trash;
#[path = "lab_etcd/typed.rs"]
mod typed;
#[path = "lab_etcd/versions.rs"]
mod versions;
#[path = "lab_etcd/warm.rs"]
mod warm;
#[path = "lab_etcd/writer.rs"]
mod writer;
#[path = "lab_etcd/zones.rs"]
mod zones;
