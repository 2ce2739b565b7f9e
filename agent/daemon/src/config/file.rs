//! The file as it is written: every key optional, an unknown one refused. Numbers are as wide as in TOML, so a wrong one is refused with its name and remedy
//! and not as a number that does not fit.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) cluster: Cluster,
    pub(super) store: Store,
    pub(super) snapshot: Snapshot,
    pub(super) timing: Timing,
    pub(super) limits: Limits,
    pub(super) policy: Choices,
    pub(super) peer: Peer,
    pub(super) tls: Tls,
    pub(super) service: Service,
    pub(super) etcd: Etcd,
    pub(super) paths: Paths,
    pub(super) aws: Aws,
    pub(super) metrics: Listener,
    pub(super) health: Listener,
    pub(super) log: Log,
    pub(super) kubernetes: Kubernetes,
    pub(super) render: Vec<Render>,
    pub(super) grant: Vec<Grant>,
}

/// `[metrics]` and `[health]`: a small HTTP server, off by default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Listener {
    pub(super) listen: Option<String>,
}

/// `[log]`: which lines are written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) level: Option<String>,
}

/// `[cluster]`: in place of the group's tags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cluster {
    pub(super) name: Option<String>,
    pub(super) role: Option<String>,
}

/// `[store]`: where charter and snapshots are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    pub(super) url: Option<String>,
    pub(super) options: BTreeMap<String, String>,
}

/// `[snapshot]`: when snapshots are taken, and which are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Snapshot {
    pub(super) enabled: Option<bool>,
    pub(super) interval_s: Option<f64>,
    pub(super) recent_s: Option<f64>,
    pub(super) change_patience_s: Option<f64>,
    pub(super) retry_s: Option<f64>,
    pub(super) keep_all_hours: Option<i64>,
    pub(super) keep_hourly_days: Option<i64>,
    pub(super) keep_daily_weeks: Option<i64>,
    pub(super) keep_at_least: Option<i64>,
    pub(super) drill_interval_s: Option<f64>,
}

/// `[timing]`: the durations of the core's policy, under the same names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Timing {
    pub(super) cycle_s: Option<f64>,
    pub(super) stale_after_s: Option<f64>,
    pub(super) join_deadline_s: Option<f64>,
    pub(super) learner_patience_s: Option<f64>,
    pub(super) prune_grace_s: Option<f64>,
    pub(super) replacement_patience_s: Option<f64>,
    pub(super) stand_in_after_s: Option<f64>,
    pub(super) wait_patience_s: Option<f64>,
    pub(super) broken_window_s: Option<f64>,
    pub(super) quorum_loss_grace_s: Option<f64>,
    pub(super) rank_delay_s: Option<f64>,
    pub(super) unknown_is_gone_after_s: Option<f64>,
    pub(super) aws_cadence_s: Option<f64>,
    pub(super) aws_hurry_s: Option<f64>,
    pub(super) cloud_fresh_s: Option<f64>,
    pub(super) frozen_after_s: Option<f64>,
    pub(super) unhooked_leave_s: Option<f64>,
    pub(super) lock_ttl_s: Option<f64>,
    pub(super) call_timeout_s: Option<f64>,
    pub(super) retry_ms: Option<f64>,
    pub(super) leave_margin_s: Option<f64>,
    pub(super) shutdown_budget_s: Option<f64>,
    pub(super) scheduled_lead_s: Option<f64>,
}

/// `[limits]`: the numbers of the core's policy, under the same names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) max_voters: Option<i64>,
    pub(super) caught_up_lag: Option<i64>,
    pub(super) caught_up_readings: Option<i64>,
    pub(super) broken_restarts: Option<i64>,
}

/// `[policy]`: what the agent may do on its own.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Choices {
    pub(super) recovery: Option<String>,
    pub(super) on_total_loss: Option<String>,
    pub(super) on_failed_leave: Option<String>,
    pub(super) on_rebalance: Option<String>,
    pub(super) strangers: Option<String>,
}

/// `[peer]`: how agents talk to each other.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Peer {
    pub(super) port: Option<i64>,
    pub(super) i_trust_this_network_without_tls: bool,
}

/// `[tls]`: certificates.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) mode: Option<String>,
    pub(super) leaf_life_s: Option<f64>,
}

/// `[service]`: what runs etcd.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Service {
    pub(super) manager: Option<String>,
    pub(super) unit: Option<String>,
}

/// `[etcd]`: how etcd is run.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Etcd {
    pub(super) binary: Option<String>,
    pub(super) restore_tool: Option<String>,
    pub(super) founding_address: Option<String>,
    pub(super) heartbeat_interval_ms: Option<i64>,
    pub(super) election_timeout_ms: Option<i64>,
    pub(super) quota_backend_mib: Option<i64>,
    pub(super) extra_args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
}

/// `[paths]`: the agent's directories.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Paths {
    pub(super) state_dir: Option<String>,
    pub(super) run_dir: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) data_mount: Option<String>,
    pub(super) trash_keep_hours: Option<i64>,
}

/// `[aws]`: how AWS is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Aws {
    pub(super) hook_pattern: Option<String>,
    pub(super) ip_family: Option<String>,
    pub(super) call_timeout_s: Option<f64>,
    pub(super) imds_timeout_s: Option<f64>,
    pub(super) target_groups: Vec<String>,
}

/// `[kubernetes]`: the distribution that control planes and workers run.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Kubernetes {
    pub(super) distribution: Option<String>,
    pub(super) binary: Option<String>,
    pub(super) config_dir: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) token_file: Option<String>,
    pub(super) agent_token_file: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) hosts_file: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) tls_sans: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) taints: Vec<String>,
    pub(super) drain_budget_s: Option<f64>,
    pub(super) drain_escalation: Option<String>,
    pub(super) drain_retry_s: Option<f64>,
    pub(super) drain_batch: Option<i64>,
    pub(super) api_patience_s: Option<f64>,
    pub(super) drain_at_reboot: bool,
    pub(super) env: BTreeMap<String, String>,
    pub(super) kubeconfig: Option<String>,
}

/// `[[render]]`: a file that is written from a template.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Render {
    pub(super) template: Option<String>,
    pub(super) path: Option<String>,
    pub(super) reload_unit: Option<String>,
}

/// `[[grant]]`: what the instances with a role are given.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Grant {
    pub(super) role_arn: Option<String>,
    pub(super) gives: Vec<String>,
}
