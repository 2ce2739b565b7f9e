//! What is refused, and with which key and remedy.

use super::*;

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
        ("policy", "strangers = \"kill\"", "policy.strangers = \"kill\": use report or remove"),
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
        ("aws", "ip_family = \"dual\"", "aws.ip_family = \"dual\": use ipv4"),
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
