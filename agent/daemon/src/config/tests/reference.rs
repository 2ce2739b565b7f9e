//! Tests the settings reference in the package, `packaging/config.d/README`: it has every key, with its default.

use super::*;

const REFERENCE: &str = include_str!("../../../../../packaging/config.d/README");
/// The fragment that the package installs with it.
const SHIPPED: &str = include_str!("../../../../../packaging/config.d/10-systemd.toml");
/// How the reference marks a value that is an example and not a default.
const EXAMPLE: &str = "# an example";

/// The keys without a default.
const WITHOUT_DEFAULT: [&str; 19] = [
    "cluster.name",
    "cluster.role",
    "etcd.restore_tool",
    "grant.gives",
    "grant.role_arn",
    "health.listen",
    "kubernetes.agent_token_file",
    "kubernetes.alias",
    "kubernetes.endpoint",
    "kubernetes.kubeconfig",
    "kubernetes.token_file",
    "metrics.listen",
    "paths.data_mount",
    "render.path",
    "render.reload_unit",
    "render.template",
    "service.unit",
    "store.options",
    "store.url",
];

/// The reference with every key uncommented. A comment's text follows a space, a key does not.
fn uncommented(also: impl Fn(&str) -> bool) -> String {
    let is_setting = |line: &&str| line.starts_with(|first: char| first == '[' || first.is_ascii_lowercase());
    let settings = REFERENCE.lines().filter_map(|line| line.strip_prefix('#')).filter(is_setting);
    settings.filter(|line| also(line)).map(|line| format!("{line}\n")).collect()
}

/// Everything that is not an example.
fn defaults() -> String {
    uncommented(|line| !line.ends_with(EXAMPLE))
}

/// The settings with etcd's own defaults for what is left to etcd: `TickMs` and `ElectionMs` of `NewConfig` in its `embed/config.go`, and `DefaultQuotaBytes`
/// in its `quota.go`.
fn with_etcds_own(mut settings: Settings) -> Settings {
    settings.etcd.heartbeat_interval.get_or_insert(Duration::from_millis(100));
    settings.etcd.election_timeout.get_or_insert(Duration::from_millis(1000));
    settings.etcd.quota_backend_bytes.get_or_insert(2 << 30);
    settings
}

fn keys(text: &str) -> BTreeSet<String> {
    let table: toml::Table = text.parse().unwrap();
    let of = |(section, keys): (&String, &toml::Value)| {
        let keys = keys.as_table().or(keys.get(0).and_then(toml::Value::as_table)).unwrap().keys().map(|key| format!("{section}.{key}"));
        keys.collect::<Vec<_>>()
    };
    table.iter().flat_map(of).collect()
}

#[test]
fn every_key_of_the_parser_is_in_the_reference() {
    let known: BTreeSet<_> = known_sections().iter().flat_map(|s| known_keys(s).into_iter().map(move |key| format!("{s}.{key}"))).collect();
    assert_eq!(keys(&uncommented(|_| true)), known);
}

#[test]
fn every_value_of_the_reference_is_the_default() {
    let told = Settings::parse(&defaults()).unwrap();
    assert_eq!(with_etcds_own(told), with_etcds_own(Settings::parse(SHIPPED).unwrap()));
}

#[test]
fn the_examples_are_good_and_only_keys_without_a_default_have_one() {
    Settings::parse(&uncommented(|_| true)).unwrap();
    let told = keys(&defaults());
    let examples: Vec<_> = keys(&uncommented(|_| true)).into_iter().filter(|key| !told.contains(key)).collect();
    assert_eq!(examples, WITHOUT_DEFAULT);
}
