mod reference;

use std::collections::BTreeSet;
use std::error::Error as _;

use quorate_core::drain::Escalation;
use quorate_core::policy::{DrainPolicy, OnFailedLeave, OnRebalance, OnTotalLoss, Recovery, SnapshotPolicy};
use quorate_core::snapshot::retention::Retention;

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
    let header = if section == "render" { "[[render]]".to_owned() } else { format!("[{section}]") };
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
    assert_eq!(settings.peer_port, 2378);
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
        assert!(named || ["network_trusted", "drain", "snapshots"].contains(&field.as_str()), "no key sets Policy::{field}");
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
fn an_unknown_key_is_refused_and_named() {
    for (text, key) in [("cycle = 1", "cycle"), ("[timing]\ncylce_s = 2", "cylce_s"), ("[wherever]\na = 1", "wherever")] {
        assert!(refusal(text).contains(&format!("unknown field `{key}`")), "{}", refusal(text));
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_its_line() {
    let refused = refusal("[timing]\ncycle_s = \"2s\"\n");
    assert!(refused.contains("line 2") && refused.contains("cycle_s"), "{refused}");
}

#[test]
fn values_out_of_range_are_refused_with_their_key_and_a_remedy() {
    for (section, line, message) in [
        ("timing", "cycle_s = 0", "timing.cycle_s = 0: give a number of seconds from 0.05 to 60"),
        ("timing", "cycle_s = -1", "timing.cycle_s = -1: give"),
        ("timing", "cycle_s = nan", "timing.cycle_s = NaN: give"),
        ("timing", "cycle_s = inf", "timing.cycle_s = inf: give"),
        ("timing", "retry_ms = 0", "timing.retry_ms = 0: give a number of milliseconds from 10"),
        ("timing", "prune_grace_s = 1e18", "timing.prune_grace_s = 1000000000000000000: give"),
        ("limits", "max_voters = 0", "limits.max_voters = 0: give a whole number from 1 to 7"),
        ("limits", "max_voters = 8", "limits.max_voters = 8: give"),
        ("limits", "caught_up_lag = -5", "limits.caught_up_lag = -5: give"),
        ("peer", "port = 70000", "peer.port = 70000: give"),
        ("peer", "port = 2379", "peer.port = 2379: use another port"),
        ("policy", "recovery = \"never\"", "policy.recovery = \"never\": use safe, any or halt"),
        ("policy", "on_failed_leave = \"\"", "policy.on_failed_leave = \"\": use"),
        ("policy", "on_rebalance = \"go\"", "policy.on_rebalance = \"go\": use report or leave"),
        ("cluster", "name = \"a/b\"", "cluster.name = \"a/b\": use 1 to 64"),
        ("cluster", "role = \"server\"", "cluster.role = \"server\": use etcd"),
        ("store", "url = \"bucket\"", "store.url = \"bucket\": use s3://"),
        ("snapshot", "drill_interval_s = -1", "snapshot.drill_interval_s = -1"),
        ("snapshot", "interval_s = 0", "snapshot.interval_s = 0"),
        ("snapshot", "keep_at_least = 0", "snapshot.keep_at_least = 0"),
        ("snapshot", "recent_s = 7200", "snapshot.recent_s"),
        ("etcd", "binary = \"bin/etcd\"", "etcd.binary = \"bin/etcd\": give a name"),
        ("etcd", "founding_address = \"10.0.0.1\"", "etcd.founding_address = \"10.0.0.1\": give an address of the loopback"),
        ("etcd", "quota_backend_mib = 0", "etcd.quota_backend_mib = 0: give"),
        ("paths", "trash_keep_hours = -1", "paths.trash_keep_hours = -1: give a whole number from 0"),
        ("paths", "data_dir = \"etcd\"", "paths.data_dir = \"etcd\": give an absolute path"),
        ("paths", "data_dir = \"/\"", "paths.data_dir = \"/\": give"),
        ("paths", "data_dir = \"/a/../b\"", "paths.data_dir = \"/a/../b\": give"),
        ("aws", "hook_pattern = \"*\"", "aws.hook_pattern = \"*\": name at least"),
        ("aws", "call_timeout_s = 0", "aws.call_timeout_s = 0: give"),
        ("aws", "target_groups = [\"api\"]", "aws.target_groups = \"api\": give the ARN of a target group, arn:aws:"),
        ("kubernetes", "distribution = \"rke2\"", "kubernetes.distribution = \"rke2\": use k3s"),
        ("kubernetes", "binary = \"k3s\"", "kubernetes.binary = \"k3s\": give an absolute path"),
        ("kubernetes", "config_dir = \"etc\"", "kubernetes.config_dir = \"etc\": give an absolute path"),
        ("kubernetes", "data_dir = \"../x\"", "kubernetes.data_dir = \"../x\": give an absolute path"),
        ("kubernetes", "token_file = \"token\"", "kubernetes.token_file = \"token\": give an absolute path"),
        ("kubernetes", "agent_token_file = \"token\"", "kubernetes.agent_token_file = \"token\": give an absolute path"),
        ("kubernetes", "alias = \"api..internal\"", "kubernetes.alias = \"api..internal\": give a host name"),
        ("kubernetes", "alias = \"10.0.0.1\"", "kubernetes.alias = \"10.0.0.1\": its last label"),
        ("kubernetes", "alias = \"API\"", "kubernetes.alias = \"API\": give a host name"),
        ("kubernetes", "endpoint = \"http://api:6443\"", "kubernetes.endpoint = \"http://api:6443\": give https://NAME:PORT"),
        ("kubernetes", "endpoint = \"https://api:6443/x\"", "kubernetes.endpoint = \"https://api:6443/x\": give"),
        ("kubernetes", "endpoint = \"https://u@api\"", "kubernetes.endpoint = \"https://u@api\": give"),
        ("kubernetes", "endpoint = \"api:6443\"", "kubernetes.endpoint = \"api:6443\": give"),
        ("kubernetes", "tls_sans = [\"a b\"]", "kubernetes.tls_sans = \"a b\": give a host name"),
        ("kubernetes", "labels = { \"-a\" = \"b\" }", "kubernetes.labels = \"-a=b\": give a name"),
        ("kubernetes", "labels = { a = \"b c\" }", "kubernetes.labels = \"a=b c\": give a value"),
        (
            "kubernetes",
            "labels = { \"node-role.kubernetes.io/x\" = \"\" }",
            "kubernetes.labels = \"node-role.kubernetes.io/x=\": use a prefix",
        ),
        ("kubernetes", "taints = [\"dedicated=db\"]", "kubernetes.taints = \"dedicated=db\": write key=value:Effect"),
        ("kubernetes", "taints = [\"dedicated=db:Never\"]", "kubernetes.taints = \"dedicated=db:Never\": write"),
        ("kubernetes", "taints = [\"=db:NoSchedule\"]", "kubernetes.taints = \"=db:NoSchedule\": write"),
        ("kubernetes", "drain_budget_s = 0", "kubernetes.drain_budget_s = 0: give"),
        ("kubernetes", "drain_escalation = \"wait\"", "kubernetes.drain_escalation = \"wait\": use delete or give-up"),
        ("kubernetes", "drain_retry_s = 0", "kubernetes.drain_retry_s = 0: give"),
        ("kubernetes", "drain_batch = 0", "kubernetes.drain_batch = 0: give a whole number"),
        ("kubernetes", "api_patience_s = 0", "kubernetes.api_patience_s = 0: give"),
        ("[render]", "path = \"/a\"", "render.template = nothing: give every [[render]] both"),
        ("[render]", "template = \"/a\"", "render.path = nothing: give"),
        ("[render]", "template = \"a\"\npath = \"/a\"", "render.template = \"a\": give an absolute path"),
        ("[render]", "template = \"/a\"\npath = \"/a\"", "render.path = /a: give another path"),
        ("[render]", "template = \"/a\"\npath = \"/b\"\nreload_unit = \"x\"", "render.reload_unit = \"x\": give the full name"),
        ("[render]", "template = \"/a\"\npath = \"/b\"\n[[render]]\ntemplate = \"/c\"\npath = \"/b\"", "render.path = /b: write each"),
    ] {
        let refused = refusal(&format!("[{section}]\n{line}\n"));
        assert!(refused.starts_with(message), "[{section}] {line} gave: {refused}");
    }
}

#[test]
fn values_that_defeat_each_other_are_refused() {
    for (section, lines, key) in [
        ("timing", "cycle_s = 10", "timing.stale_after_s = 6s"),
        ("timing", "lock_ttl_s = 10", "timing.lock_ttl_s = 10s"),
        ("timing", "call_timeout_s = 10", "timing.lock_ttl_s = 20s"),
        ("timing", "lock_ttl_s = 20.5", "timing.lock_ttl_s = 20.5s: give whole seconds"),
        ("timing", "prune_grace_s = 5", "timing.prune_grace_s = 5s"),
        ("timing", "join_deadline_s = 60", "timing.learner_patience_s = 300s"),
        ("timing", "aws_cadence_s = 2", "timing.aws_hurry_s = 5s"),
        ("timing", "cloud_fresh_s = 2", "timing.cloud_fresh_s = 2s"),
        ("aws", "call_timeout_s = 20", "timing.leave_margin_s = 10s"),
        ("etcd", "heartbeat_interval_ms = 500", "etcd.election_timeout_ms = 1s"),
        ("paths", "data_dir = \"/var/lib/quorate\"", "paths.data_dir = /var/lib/quorate"),
        ("metrics", "listen = \"2376\"", "metrics.listen = \"2376\": give an address and a port"),
        ("health", "listen = \"localhost:2377\"", "health.listen = \"localhost:2377\": give an address and a port"),
        ("paths", "data_mount = \"mnt\"", "paths.data_mount = \"mnt\": give an absolute path"),
        ("paths", "data_mount = \"/srv\"", "paths.data_mount = /srv: give the mount point"),
        ("kubernetes", "data_dir = \"/var/lib\"", "kubernetes.data_dir = /var/lib: give a directory that holds neither"),
    ] {
        let refused = refusal(&format!("[{section}]\n{lines}\n"));
        assert!(refused.starts_with(key), "[{section}] {lines} gave: {refused}");
    }
}

#[test]
fn a_target_group_is_named_by_its_arn_and_once() {
    let of = |groups: &[&str]| format!("[aws]\ntarget_groups = {groups:?}\n");
    let good = "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/my-api/73e2d6bc24d8a067";
    assert_eq!(Settings::parse(&of(&[good])).unwrap().policy.target_groups, [good.into()]);
    assert!(refusal(&of(&[good, good])).ends_with("name each target group once"));
    for wrong in [
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/api/73e2d6bc24d8a067",
        "arn:aws:elasticloadbalancing:eu-central-1:12345:targetgroup/api/73e2d6bc24d8a067",
        "arn:aws:elasticloadbalancing::123456789012:targetgroup/api/73e2d6bc24d8a067",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/api",
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/api/73e2d6bc24d8a067:8443",
        "arn:aws:autoscaling:eu-central-1:123456789012:targetgroup/api/73e2d6bc24d8a067",
        "",
    ] {
        assert!(refusal(&of(&[wrong])).starts_with(&format!("aws.target_groups = {wrong:?}: give the ARN")), "{wrong}");
    }
}

#[test]
fn flags_that_the_agent_sets_are_refused_as_arguments_and_in_the_environment() {
    for (line, message) in [
        ("extra_args = [\"--force-new-cluster\"]", "leave --force-new-cluster out"),
        ("extra_args = [\"--data-dir=/x\"]", "leave --data-dir out"),
        ("extra_args = [\"--strict-reconfig-check=false\"]", "leave --strict-reconfig-check out"),
        ("extra_args = [\"--unsafe-no-fsync\"]", "leave --unsafe-no-fsync out"),
        ("extra_args = [\"--heartbeat-interval=50\"]", "use etcd.heartbeat_interval_ms"),
        ("extra_args = [\"--log-level\", \"debug\"]", "write each as one text"),
        ("extra_args = [\"-data-dir=/x\"]", "write each as one text"),
        ("env = { ETCD_INITIAL_CLUSTER_STATE = \"new\" }", "leave --initial-cluster-state out"),
        ("env = { ETCD_QUOTA_BACKEND_BYTES = \"1\" }", "use etcd.quota_backend_mib"),
    ] {
        let refused = refusal(&format!("[etcd]\n{line}\n"));
        assert!(refused.contains(message), "{line} gave: {refused}");
    }
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
