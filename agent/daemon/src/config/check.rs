//! Makes the settings from the file: fills in defaults and checks every value.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_core::policy::{OnFailedLeave, OnRebalance, OnTotalLoss, Policy, Recovery, Strangers};
use quorate_core::role::Role;
use quorate_core::transport::Transport;

use super::file::{Aws, Choices, Cluster, File, Limits, Listener, Paths as RawPaths, Peer, Store, Tls};
use super::{
    AwsSettings, ClusterSettings, KubernetesSettings, Paths, Refusal, Settings, etcd, grants, kubernetes, render, service, snapshot,
    target_groups, timing, values,
};
use crate::adapters::aws::{HookPattern, IpFamily};
use crate::telemetry::LogLevel;

/// Checks the whole file.
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn settings(file: File) -> Result<Settings, Refusal> {
    let target_groups = target_groups::parse(&file.aws.target_groups)?;
    let aws = aws(file.aws)?;
    let drain = kubernetes::drain(&file.kubernetes)?;
    let kubernetes = kubernetes::settings(file.kubernetes)?;
    let network_trusted = file.peer.i_trust_this_network_without_tls;
    let snapshots = snapshot::policy(&file.snapshot)?;
    let mut policy = Policy { network_trusted, drain, target_groups, snapshots, ..Policy::default() };
    timing::apply(&file.timing, &mut policy)?;
    timing::check(&policy, aws.call_timeout)?;
    limits(&file.limits, &mut policy)?;
    choices(&file.policy, &mut policy)?;
    policy.transport = transport(&file.tls)?;
    Ok(Settings {
        cluster: cluster(file.cluster, file.store)?,
        policy,
        peer_port: peer_port(&file.peer)?,
        leaf_life: leaf_life(&file.tls)?,
        grants: grants::settings(file.grant)?,
        service: service::settings(file.service)?,
        etcd: etcd::settings(file.etcd)?,
        paths: paths(file.paths, &kubernetes)?,
        kubernetes,
        render: render::settings(file.render)?,
        aws,
        metrics_listen: listener("metrics.listen", &file.metrics)?,
        health_listen: listener("health.listen", &file.health)?,
        log_level: text("log.level", file.log.level, LogLevel::parse)?.unwrap_or_default(),
    })
}

fn listener(key: &str, raw: &Listener) -> Result<Option<SocketAddr>, Refusal> {
    let Some(text) = &raw.listen else { return Ok(None) };
    let remedy = "give an address and a port, such as \"0.0.0.0:2377\" or \"[::1]:2377\"";
    text.parse().map(Some).map_err(|_| Refusal::value(key, format!("{text:?}"), remedy))
}

fn cluster(raw: Cluster, store: Store) -> Result<ClusterSettings, Refusal> {
    let Cluster { name, role } = raw;
    Ok(ClusterSettings {
        name: text("cluster.name", name, values::cluster_name)?,
        role: text("cluster.role", role, Role::parse)?,
        store_url: text("store.url", store.url, values::store_url)?,
        store_options: store.options,
    })
}

/// A text that `parse` must accept; its error says what to write instead.
fn text<T>(key: &str, value: Option<String>, parse: impl Fn(&str) -> Result<T, &'static str>) -> Result<Option<T>, Refusal> {
    value.map(|value| parse(&value).map_err(|remedy| Refusal::value(key, format!("{value:?}"), remedy))).transpose()
}

/// A whole number within its limits.
///
/// # Errors
/// It is outside them.
pub(super) fn whole(key: &str, value: Option<i64>, limits: RangeInclusive<u64>) -> Result<Option<u64>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let (least, most) = (limits.start(), limits.end());
    let inside = u64::try_from(value).ok().filter(|value| limits.contains(value));
    inside.map(Some).ok_or_else(|| Refusal::value(key, value, format!("give a whole number from {least} to {most}")))
}

/// Checks `[limits]`. etcd recommends at most seven voters: each further one slows every write down.
fn limits(raw: &Limits, policy: &mut Policy) -> Result<(), Refusal> {
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    if let Some(voters) = whole("limits.max_voters", raw.max_voters, 1..=7)? {
        policy.max_voters = narrow(voters) as usize;
    }
    if let Some(lag) = whole("limits.caught_up_lag", raw.caught_up_lag, 1..=100_000)? {
        policy.caught_up_lag = lag;
    }
    if let Some(readings) = whole("limits.caught_up_readings", raw.caught_up_readings, 1..=100)? {
        policy.caught_up_readings = narrow(readings);
    }
    if let Some(restarts) = whole("limits.broken_restarts", raw.broken_restarts, 1..=100)? {
        policy.broken_restarts = narrow(restarts);
    }
    Ok(())
}

fn choices(raw: &Choices, policy: &mut Policy) -> Result<(), Refusal> {
    policy.recovery = match raw.recovery.as_deref() {
        None => policy.recovery,
        Some("safe") => Recovery::Safe,
        Some("any") => Recovery::Any,
        Some("halt") => Recovery::Halt,
        Some(other) => return Err(Refusal::value("policy.recovery", format!("{other:?}"), "use safe, any or halt")),
    };
    policy.on_total_loss = match raw.on_total_loss.as_deref() {
        None => policy.on_total_loss,
        Some("restore") => OnTotalLoss::Restore,
        Some("halt") => OnTotalLoss::Halt,
        Some(other) => return Err(Refusal::value("policy.on_total_loss", format!("{other:?}"), "use restore or halt")),
    };
    policy.on_failed_leave = match raw.on_failed_leave.as_deref() {
        None => policy.on_failed_leave,
        Some("continue") => OnFailedLeave::Continue,
        Some("abandon") => OnFailedLeave::Abandon,
        Some(other) => return Err(Refusal::value("policy.on_failed_leave", format!("{other:?}"), "use continue or abandon")),
    };
    policy.on_rebalance = match raw.on_rebalance.as_deref() {
        None => policy.on_rebalance,
        Some("report") => OnRebalance::Report,
        Some("leave") => OnRebalance::Leave,
        Some(other) => return Err(Refusal::value("policy.on_rebalance", format!("{other:?}"), "use report or leave")),
    };
    policy.strangers = match raw.strangers.as_deref() {
        None => policy.strangers,
        Some("report") => Strangers::Report,
        Some("remove") => Strangers::Remove,
        Some(other) => return Err(Refusal::value("policy.strangers", format!("{other:?}"), "use report or remove")),
    };
    Ok(())
}

/// Whether a new cluster has TLS.
fn transport(raw: &Tls) -> Result<Transport, Refusal> {
    match raw.mode.as_deref() {
        None | Some("off") => Ok(Transport::Plain),
        Some("managed") => Ok(Transport::Tls),
        Some(other) => Err(Refusal::value("tls.mode", format!("{other:?}"), "use managed or off")),
    }
}

/// How long a certificate is valid: a week by default.
fn leaf_life(raw: &Tls) -> Result<Duration, Refusal> {
    raw.leaf_life_s.map_or(Ok(Duration::from_secs(7 * 24 * 3600)), |life| timing::duration("tls.leaf_life_s", life, 10.0..=31_536_000.0))
}

fn peer_port(raw: &Peer) -> Result<u16, Refusal> {
    let port = whole("peer.port", raw.port, 1..=65_535)?.and_then(|port| u16::try_from(port).ok()).unwrap_or(2378);
    match port {
        2379 | 2380 => Err(Refusal::value("peer.port", port, "use another port: etcd itself has this one")),
        port => Ok(port),
    }
}

fn paths(raw: RawPaths, kubernetes: &KubernetesSettings) -> Result<Paths, Refusal> {
    let paths = Paths {
        state_dir: absolute("paths.state_dir", raw.state_dir, "/var/lib/quorate")?,
        run_dir: absolute("paths.run_dir", raw.run_dir, "/run/quorate")?,
        data_dir: absolute("paths.data_dir", raw.data_dir, "/var/lib/quorate/etcd")?,
        data_mount: raw.data_mount.map(|mount| absolute("paths.data_mount", Some(mount), "/")).transpose()?,
        trash_keep: trash_keep(raw.trash_keep_hours)?,
    };
    let (own, theirs) = (("paths.data_dir", &paths.data_dir), ("kubernetes.data_dir", &kubernetes.data_dir));
    // etcd's directory is renamed as a whole; a distribution's data is put aside within its directory, which may therefore be the mount point itself.
    let below = |mount: &Path| (own.1.starts_with(mount) && own.1 != mount) || theirs.1.starts_with(mount);
    if let Some(mount) = paths.data_mount.as_ref().filter(|mount| !below(mount)) {
        let remedy = "give the mount point that paths.data_dir lies below, and make that a folder in it; or the one that kubernetes.data_dir is or lies below";
        return Err(Refusal::value("paths.data_mount", mount.display(), remedy));
    }
    for (key, data) in [own, theirs] {
        if paths.state_dir.starts_with(data) || paths.run_dir.starts_with(data) {
            let remedy = "give a directory that holds neither paths.state_dir nor paths.run_dir: data is put aside by renaming it";
            return Err(Refusal::value(key, data.display(), remedy));
        }
    }
    Ok(paths)
}

/// How long put-aside data is kept: a week by default; 0 is for ever.
fn trash_keep(hours: Option<i64>) -> Result<Option<Duration>, Refusal> {
    let hours = whole("paths.trash_keep_hours", hours, 0..=24 * 3650)?.unwrap_or(24 * 7);
    Ok((hours > 0).then(|| Duration::from_secs(hours * 3600)))
}

/// An absolute path.
///
/// # Errors
/// It is relative, the root, or contains `..`.
pub(super) fn absolute(key: &str, value: Option<String>, default: &str) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(value.as_deref().unwrap_or(default));
    let plain = path.is_absolute() && path.parent().is_some() && !path.components().any(|part| part.as_os_str() == "..");
    if plain { Ok(path) } else { Err(Refusal::value(key, format!("{path:?}"), "give an absolute path without `..`")) }
}

fn aws(raw: Aws) -> Result<AwsSettings, Refusal> {
    let seconds = |key, value: Option<f64>, default: u64| match value {
        Some(value) => timing::duration(key, value, 0.1..=60.0),
        None => Ok(Duration::from_secs(default)),
    };
    Ok(AwsSettings {
        hook_pattern: text("aws.hook_pattern", raw.hook_pattern, HookPattern::parse)?.unwrap_or_default(),
        ip_family: text("aws.ip_family", raw.ip_family, IpFamily::parse)?.unwrap_or_default(),
        call_timeout: seconds("aws.call_timeout_s", raw.call_timeout_s, 5)?,
        imds_timeout: seconds("aws.imds_timeout_s", raw.imds_timeout_s, 2)?,
    })
}
