mod reference;
mod refused;

use std::collections::BTreeSet;
use std::error::Error as _;

use quorate_core::drain::Escalation;
use quorate_core::handout::{Gift, Grant};
use quorate_core::policy::{DrainPolicy, OnFailedLeave, OnRebalance, OnTotalLoss, Recovery, SnapshotPolicy, Strangers};
use quorate_core::snapshot::retention::Retention;
use quorate_core::transport::Transport;

use super::*;
use crate::adapters::host::hosts::HostName;

/// Every key, with a value that is not its default and is valid with all other keys at their defaults.
const EVERY_KEY: &str = r#"
[cluster]
name = "prod"
role = "etcd"

[store]
url = "s3://bucket/prefix"
options = { endpoint = "http://127.0.0.1:9000", allow_http = "true" }

[snapshot]
enabled = false
interval_s = 601
recent_s = 61
change_patience_s = 62
retry_s = 63
keep_all_hours = 7
keep_hourly_days = 8
keep_daily_weeks = 6
keep_at_least = 11
drill_interval_s = 604800

[timing]
cycle_s = 1.5
stale_after_s = 7
join_deadline_s = 601
learner_patience_s = 301
prune_grace_s = 61
replacement_patience_s = 302
stand_in_after_s = 62
wait_patience_s = 903
broken_window_s = 303
quorum_loss_grace_s = 602
rank_delay_s = 0.25
unknown_is_gone_after_s = 3601
aws_cadence_s = 603
aws_hurry_s = 4
cloud_fresh_s = 31
frozen_after_s = 32
unhooked_leave_s = 62
lock_ttl_s = 21
call_timeout_s = 4.5
retry_ms = 250
leave_margin_s = 11
shutdown_budget_s = 301
scheduled_lead_s = 901

[service]
manager = "systemd"
unit = "etcd.service"

[limits]
max_voters = 5
caught_up_lag = 501
caught_up_readings = 4
broken_restarts = 2

[policy]
recovery = "halt"
on_total_loss = "halt"
on_failed_leave = "abandon"
on_rebalance = "leave"
strangers = "remove"

[tls]
mode = "managed"
leaf_life_s = 86401

[peer]
port = 12378
i_trust_this_network_without_tls = true

[etcd]
binary = "/opt/etcd/etcd"
restore_tool = "etcdctl"
founding_address = "127.0.0.2"
heartbeat_interval_ms = 50
election_timeout_ms = 2000
quota_backend_mib = 16
extra_args = ["--log-level=debug"]
env = { GOGC = "50" }

[paths]
state_dir = "/srv/quorate"
run_dir = "/run/other"
data_dir = "/var/lib/quorate/data"
data_mount = "/var/lib/quorate"
trash_keep_hours = 48

[metrics]
listen = "127.0.0.1:2376"

[health]
listen = "[::]:2377"

[log]
level = "debug"

[aws]
hook_pattern = "mine-*"
ip_family = "ipv6"
call_timeout_s = 3
imds_timeout_s = 1.5
target_groups = ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/api/0123456789abcdef"]

[kubernetes]
distribution = "k3s"
binary = "/opt/k3s/k3s"
config_dir = "/srv/k3s/etc"
data_dir = "/srv/k3s/data"
token_file = "/etc/quorate/token"
agent_token_file = "/etc/quorate/agent-token"
alias = "api.internal"
hosts_file = "/etc/hosts.quorate"
endpoint = "https://api.example.com:6443"
tls_sans = ["api.example.org", "203.0.113.7"]
labels = { "example.com/pool" = "db" }
taints = ["dedicated=db:NoSchedule"]
drain_budget_s = 301
drain_escalation = "give-up"
drain_retry_s = 6
drain_batch = 21
api_patience_s = 61
drain_at_reboot = true
env = { GOGC = "60" }
kubeconfig = "/etc/quorate/kubeconfig"

[[render]]
template = "/etc/quorate/templates/x.j2"
path = "/etc/x.conf"
reload_unit = "x.service"

[[grant]]
role_arn = "arn:aws:iam::123456789012:role/apps/web"
gives = ["etcd-client"]
"#;

/// The one key that has only one valid value.
const ONLY_ITS_DEFAULT: &str = "kubernetes.distribution";

fn refusal(text: &str) -> String {
    let refusal = Settings::parse(text).expect_err(text);
    match refusal.source() {
        Some(source) => format!("{refusal}: {source}"),
        None => refusal.to_string(),
    }
}

/// The keys of `EVERY_KEY` as `(section, key, the file with this key alone)`.
fn single_keys() -> Vec<(String, String, String)> {
    let table: toml::Table = EVERY_KEY.parse().unwrap();
    let mut found = Vec::new();
    for (section, keys) in &table {
        if let Some(several) = keys.as_array() {
            // Neither of these keys means anything without the others.
            let file = toml::Table::from_iter([(section.clone(), keys.clone())]).to_string();
            found.extend(several[0].as_table().unwrap().keys().map(|key| (section.clone(), key.clone(), file.clone())));
            continue;
        }
        for (key, value) in keys.as_table().unwrap() {
            let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
            let file = toml::Table::from_iter([(section.clone(), alone.into())]);
            found.push((section.clone(), key.clone(), file.to_string()));
        }
    }
    found
}

/// The keys of a section that the parser knows, from its own error about an unknown one.
fn known_keys(section: &str) -> BTreeSet<String> {
    let header = if ["grant", "render"].contains(&section) { format!("[[{section}]]") } else { format!("[{section}]") };
    expected_in(&format!("{header}\nzzz = 1\n"))
}

/// The sections that the parser knows.
fn known_sections() -> BTreeSet<String> {
    expected_in("[zzz]\n")
}

fn expected_in(file: &str) -> BTreeSet<String> {
    let complaint = refusal(file);
    let (_, expected) = complaint.split_once("expected").expect(&complaint);
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn an_empty_file_is_the_defaults() {
    let settings = Settings::parse("").unwrap();
    assert_eq!(settings.policy, Policy::default());
    assert_eq!((settings.peer_port, settings.leaf_life), (2378, Duration::from_secs(7 * 24 * 3600)));
    assert_eq!(settings.etcd.binary, Path::new("etcd"));
    assert_eq!(settings.etcd.founding_address.to_string(), "127.0.0.1");
    assert_eq!(settings.paths.data_dir, Path::new("/var/lib/quorate/etcd"));
    assert_eq!(settings.paths.trash_keep, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(settings.aws.hook_pattern, HookPattern::parse("quorate-*").unwrap());
    assert_eq!(settings.cluster.name, None);
}

#[test]
fn every_key_of_the_parser_is_in_the_example() {
    let examples = single_keys();
    for section in known_sections() {
        let shown = examples.iter().filter(|(s, ..)| *s == section).map(|(_, key, _)| key.clone()).collect::<BTreeSet<_>>();
        assert_eq!(known_keys(&section), shown, "[{section}]");
    }
}

#[test]
fn every_key_takes_effect_by_itself() {
    let defaults = Settings::parse("").unwrap();
    for (section, key, file) in single_keys().into_iter().filter(|(section, key, _)| format!("{section}.{key}") != ONLY_ITS_DEFAULT) {
        assert_ne!(Settings::parse(&file).unwrap(), defaults, "{section}.{key} changes nothing");
    }
}

#[test]
fn every_choice_of_the_policy_has_a_key() {
    let keys = single_keys().into_iter().map(|(_, key, _)| key).collect::<BTreeSet<_>>();
    for field in policy_fields() {
        let named = [format!("{field}_s"), format!("{field}_ms"), field.clone()].iter().any(|key| keys.contains(key));
        // Those of a drain are keys of [kubernetes], and compared in a test of their own; those of snapshots have a section.
        assert!(named || ["network_trusted", "drain", "snapshots", "transport"].contains(&field.as_str()), "no key sets Policy::{field}");
    }
}

/// The field names, from the derived `Debug`, which cannot forget one.
fn policy_fields() -> Vec<String> {
    let shown = format!("{:#?}", Policy::default());
    let own = |line: &&str| !line.starts_with(' ');
    let field = |line: &str| line.strip_prefix("    ").filter(own).and_then(|line| line.split_once(':')).map(|(name, _)| name.to_owned());
    shown.lines().filter_map(field).collect()
}

#[test]
fn trash_is_kept_for_so_many_hours_or_for_ever() {
    let keep = |hours: u32| Settings::parse(&format!("[paths]\ntrash_keep_hours = {hours}\n")).unwrap().paths.trash_keep;
    assert_eq!((keep(48), keep(0)), (Some(Duration::from_secs(48 * 3600)), None));
}

#[test]
fn every_value_arrives_where_it_belongs() {
    let settings = Settings::parse(EVERY_KEY).unwrap();
    let (secs, ms) = (Duration::from_secs, Duration::from_millis);
    let policy = Policy {
        // Compared below.
        drain: settings.policy.drain,
        cycle: ms(1500),
        stale_after: secs(7),
        join_deadline: secs(601),
        learner_patience: secs(301),
        prune_grace: secs(61),
        replacement_patience: secs(302),
        stand_in_after: secs(62),
        wait_patience: secs(903),
        broken_window: secs(303),
        quorum_loss_grace: secs(602),
        rank_delay: ms(250),
        unknown_is_gone_after: secs(3601),
        aws_cadence: secs(603),
        aws_hurry: secs(4),
        cloud_fresh: secs(31),
        frozen_after: secs(32),
        unhooked_leave: secs(62),
        lock_ttl: secs(21),
        call_timeout: ms(4500),
        retry: ms(250),
        leave_margin: secs(11),
        shutdown_budget: secs(301),
        scheduled_lead: secs(901),
        max_voters: 5,
        caught_up_lag: 501,
        caught_up_readings: 4,
        broken_restarts: 2,
        recovery: Recovery::Halt,
        on_total_loss: OnTotalLoss::Halt,
        on_failed_leave: OnFailedLeave::Abandon,
        on_rebalance: OnRebalance::Leave,
        strangers: Strangers::Remove,
        transport: Transport::Tls,
        network_trusted: true,
        target_groups: vec!["arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/api/0123456789abcdef".into()],
        snapshots: SnapshotPolicy {
            enabled: false,
            interval: secs(601),
            recent: secs(61),
            change_patience: secs(62),
            retry: secs(63),
            retention: Retention { all: secs(7 * 3600), hourly: secs(8 * 86_400), daily: secs(6 * 7 * 86_400), at_least: 11 },
            drill_interval: Some(secs(604_800)),
        },
    };
    assert_eq!(settings.policy, policy);
    assert_eq!(settings.cluster.name, Some(ClusterName::new("prod")));
    assert_eq!(settings.cluster.store_options["endpoint"], "http://127.0.0.1:9000");
    assert_eq!(settings.etcd.quota_backend_bytes, Some(16 * 1024 * 1024));
    assert_eq!((settings.aws.call_timeout, settings.aws.imds_timeout), (secs(3), ms(1500)));
    assert_eq!(settings.aws.ip_family, crate::adapters::aws::IpFamily::Ipv6);
}

#[test]
fn what_kubernetes_is_given_arrives_where_it_belongs() {
    let Settings { policy, kubernetes, render, .. } = Settings::parse(EVERY_KEY).unwrap();
    let secs = Duration::from_secs;
    assert_eq!(kubernetes.endpoint, Some(Endpoint { url: "https://api.example.com:6443".into(), host: "api.example.com".into() }));
    assert_eq!(
        (kubernetes.alias.as_ref().map(HostName::as_str), kubernetes.labels["example.com/pool"].as_str()),
        (Some("api.internal"), "db")
    );
    let drain = DrainPolicy {
        budget: secs(301),
        escalation: Escalation::GiveUp,
        retry: secs(6),
        batch: 21,
        patience_without_api: secs(61),
        at_reboot: true,
    };
    assert_eq!(policy.drain, drain);
    assert_eq!(kubernetes.kubeconfig, Some("/etc/quorate/kubeconfig".into()));
    let reload_unit = Some("x.service".to_owned());
    assert_eq!(render, [RenderSettings { template: "/etc/quorate/templates/x.j2".into(), path: "/etc/x.conf".into(), reload_unit }]);
}

#[test]
fn a_role_is_granted_what_can_be_given_and_nothing_else() {
    let grants = Settings::parse(EVERY_KEY).unwrap().grants;
    let role = "arn:aws:iam::123456789012:role/web".parse().unwrap();
    assert_eq!(grants, [Grant { role, gives: [Gift::EtcdClient].into() }]);
    let refused = |role: &str, gives: &str| refusal(&format!("[[grant]]\nrole_arn = {role:?}\ngives = {gives}\n"));
    let role = "arn:aws:iam::123456789012:role/web";
    for (gives, message) in [
        ("[\"k3s-agent-token\"]", "grant.gives = \"k3s-agent-token\": use etcd-client: only servers of a control plane have tokens"),
        ("[\"bootstrap-token\"]", "grant.gives = \"bootstrap-token\": use etcd-client: only servers"),
        ("[\"everything\"]", "grant.gives = \"everything\": use etcd-client"),
        ("[]", "grant.gives = []: give"),
    ] {
        assert!(refused(role, gives).starts_with(message), "{}", refused(role, gives));
    }
    for other in ["", "web", "arn:aws:iam::123456789012:user/web", "arn:aws:sts::123456789012:assumed-role/web/i-1"] {
        assert!(refused(other, "[\"etcd-client\"]").starts_with("grant.role_arn = "), "{other}");
    }
    let one = format!("[[grant]]\nrole_arn = {role:?}\ngives = [\"etcd-client\"]\n");
    assert!(refusal(&format!("{one}{one}")).contains("name each role once"));
}

#[test]
fn what_is_optional_may_be_empty() {
    let empty = "[kubernetes]\ntoken_file = \"\"\nagent_token_file = \"\"\nalias = \"\"\nendpoint = \"\"\n";
    assert_eq!(Settings::parse(empty).unwrap(), Settings::parse("").unwrap());
}

#[test]
fn the_datas_mount_may_be_a_distributions() {
    for mount in ["/var/lib/rancher", "/var/lib/rancher/k3s"] {
        assert!(Settings::parse(&format!("[paths]\ndata_mount = {mount:?}\n")).is_ok(), "{mount}");
    }
    assert!(refusal("[paths]\ndata_mount = \"/var/lib/rancher/k3s/server\"\n").starts_with("paths.data_mount"));
    assert!(refusal("[paths]\ndata_mount = \"/var/lib/quorate/etcd\"\n").starts_with("paths.data_mount"), "it is renamed as a whole");
}

#[test]
fn a_named_file_must_exist_and_say_so_with_its_path() {
    let missing = Path::new("/nonexistent/quorate.toml");
    let error = Settings::load(Some(missing)).unwrap_err();
    assert!(matches!(&error, ConfigError::Absent { path } if path == missing), "{error}");
    assert!(error.to_string().contains("/nonexistent/quorate.toml"));
}

#[test]
fn a_refused_file_is_named_and_the_reason_is_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, "[timing]\ncycle_s = 0\n").unwrap();
    let error = Settings::load(Some(&path)).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(error.source().unwrap().to_string().contains("timing.cycle_s"));
    assert!(!error.to_string().contains("timing.cycle_s"), "the message repeats its source");
}

#[test]
fn a_directory_in_place_of_the_file_is_unreadable_not_absent() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(Settings::load(Some(directory.path())), Err(ConfigError::Unreadable { .. })));
}
