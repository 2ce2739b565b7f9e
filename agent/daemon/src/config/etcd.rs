//! `[etcd]`: how etcd is run, without the flags that the agent must set itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::Etcd;
use super::{Refusal, check::whole};

/// How etcd is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdSettings {
    /// The server: a path, or a name to look up in `PATH`.
    pub binary: PathBuf,
    /// `etcdutl`, or `etcdctl` before etcd 3.5; searched for beside the server by default.
    pub restore_tool: Option<PathBuf>,
    /// The loopback address on which a founder serves clients until its charter record says `established`.
    pub founding_address: IpAddr,
    /// `--heartbeat-interval`; etcd's own by default.
    pub heartbeat_interval: Option<Duration>,
    /// `--election-timeout`; etcd's own by default.
    pub election_timeout: Option<Duration>,
    /// `--quota-backend-bytes`; etcd's own by default.
    pub quota_backend_bytes: Option<u64>,
    /// Further flags, each as `--flag=value`.
    pub extra_args: Vec<String>,
    /// Further environment.
    pub env: BTreeMap<String, String>,
}

impl EtcdSettings {
    /// The operator's choices as etcd's flags.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let millis = |flag: &str, value: Option<Duration>| value.map(|v| format!("--{flag}={}", v.as_millis()));
        let heartbeat = millis("heartbeat-interval", self.heartbeat_interval);
        let election = millis("election-timeout", self.election_timeout);
        let quota = self.quota_backend_bytes.map(|bytes| format!("--quota-backend-bytes={bytes}"));
        heartbeat.into_iter().chain(election).chain(quota).chain(self.extra_args.iter().cloned()).collect()
    }
}

/// Flags that decide who the member is, where it listens and what data it may lose: the agent sets them from its observation and the charter.
const RESERVED: &[&str] = &[
    "advertise-client-urls",
    "config-file",
    "data-dir",
    "discovery",
    "discovery-endpoints",
    "discovery-srv",
    "discovery-token",
    "experimental-max-learners",
    "force-new-cluster",
    "initial-advertise-peer-urls",
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "listen-client-http-urls",
    "listen-client-urls",
    "listen-peer-urls",
    "max-learners",
    "name",
    "strict-reconfig-check",
    "unsafe-no-fsync",
    "wal-dir",
];

/// Flags with a key of their own.
const KEYED: &[(&str, &str)] = &[
    ("election-timeout", "etcd.election_timeout_ms"),
    ("heartbeat-interval", "etcd.heartbeat_interval_ms"),
    ("quota-backend-bytes", "etcd.quota_backend_mib"),
];

/// etcd's own defaults, which apply if only one of the two is given.
const HEARTBEAT: Duration = Duration::from_millis(100);
const ELECTION: Duration = Duration::from_millis(1000);

/// Checks the section.
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn settings(raw: Etcd) -> Result<EtcdSettings, Refusal> {
    let millis = |key, value, most| whole(key, value, 1..=most).map(|ms| ms.map(Duration::from_millis));
    let settings = EtcdSettings {
        binary: program("etcd.binary", raw.binary)?.unwrap_or_else(|| PathBuf::from("etcd")),
        restore_tool: program("etcd.restore_tool", raw.restore_tool)?,
        founding_address: loopback(raw.founding_address)?,
        heartbeat_interval: millis("etcd.heartbeat_interval_ms", raw.heartbeat_interval_ms, 10_000)?,
        election_timeout: millis("etcd.election_timeout_ms", raw.election_timeout_ms, 50_000)?,
        quota_backend_bytes: whole("etcd.quota_backend_mib", raw.quota_backend_mib, 1..=102_400)?.map(|mib| mib << 20),
        extra_args: raw.extra_args,
        env: raw.env,
    };
    settings.extra_args.iter().try_for_each(|arg| extra_arg(arg))?;
    settings.env.keys().try_for_each(|name| variable(name))?;
    beats(&settings)?;
    Ok(settings)
}

/// A program's path, or a bare name, which systemd and `exec` look up in `PATH`; anything relative would depend on where the agent was started.
fn program(key: &str, value: Option<String>) -> Result<Option<PathBuf>, Refusal> {
    let usable = |text: &str| !text.is_empty() && (!text.contains('/') || Path::new(text).is_absolute());
    match value {
        Some(text) if !usable(&text) => Err(Refusal::value(key, format!("{text:?}"), "give a name without slashes, or an absolute path")),
        value => Ok(value.map(PathBuf::from)),
    }
}

fn loopback(value: Option<String>) -> Result<IpAddr, Refusal> {
    let Some(text) = value else { return Ok(Ipv4Addr::LOCALHOST.into()) };
    let remedy = "give an address of the loopback interface, such as 127.0.0.1: nobody else may reach a founder before its record counts";
    let parsed = text.parse().ok().filter(IpAddr::is_loopback);
    parsed.ok_or_else(|| Refusal::value("etcd.founding_address", format!("{text:?}"), remedy))
}

fn extra_arg(arg: &str) -> Result<(), Refusal> {
    let Some(flag) = arg.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
        return Err(Refusal::value("etcd.extra_args", format!("{arg:?}"), "write each as one text, --flag=value"));
    };
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    free("etcd.extra_args", arg, name)
}

/// Checks a variable. etcd reads every flag from the environment too: `ETCD_DATA_DIR` is `--data-dir`.
fn variable(name: &str) -> Result<(), Refusal> {
    match name.strip_prefix("ETCD_") {
        Some(flag) => free("etcd.env", name, &flag.to_ascii_lowercase().replace('_', "-")),
        None => Ok(()),
    }
}

fn free(key: &str, given: &str, flag: &str) -> Result<(), Refusal> {
    if RESERVED.contains(&flag) {
        return Err(Refusal::value(key, format!("{given:?}"), format!("leave --{flag} out: quorate sets it, and the data depend on it")));
    }
    match KEYED.iter().find(|(name, _)| *name == flag) {
        Some((_, own)) => Err(Refusal::value(key, format!("{given:?}"), format!("use {own} in its place"))),
        None => Ok(()),
    }
}

/// Checks heartbeat and election timeout as etcd does. It would otherwise refuse to start (`embed.Config.Validate`), on every node at once.
fn beats(settings: &EtcdSettings) -> Result<(), Refusal> {
    let heartbeat = settings.heartbeat_interval.unwrap_or(HEARTBEAT);
    let election = settings.election_timeout.unwrap_or(ELECTION);
    if election >= heartbeat * 5 {
        return Ok(());
    }
    let remedy = format!("give at least five times etcd.heartbeat_interval_ms ({heartbeat:?}), or etcd refuses to start");
    Err(Refusal::value("etcd.election_timeout_ms", format!("{election:?}"), remedy))
}
