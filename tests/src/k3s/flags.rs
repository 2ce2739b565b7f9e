//! The flags that a configuration file may set, each with what it takes: <https://docs.k3s.io/cli/server> and <https://docs.k3s.io/cli/agent>, and k3s' own
//! `pkg/cli/cmds` for the type.
//!
//! The stand-in has nothing to do for most of them; it accepts them because users' files set them. It does not know those that would
//! change what it is, such as `datastore-endpoint`.
//!
//! A real k3s server ignores an unknown flag with a warning (k3s-io/k3s#4464), and only an agent refuses it. Here both refuse it, so a mistyped key
//! in a test or in a shipped file is noticed.

use anyhow::{bail, ensure};
use serde_json::Value;

use super::config::Kind;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Switch,
    Number,
    /// One or several.
    List,
}

use Form::{List, Number, Switch, Text};

/// Servers run a kubelet too, and so have all of an agent's.
const OF_AGENTS: &[(&str, Form)] = &[
    ("airgap-extra-registry", List),
    ("bind-address", Text),
    ("container-runtime-endpoint", Text),
    ("data-dir", Text),
    ("debug", Switch),
    ("default-runtime", Text),
    ("disable-default-registry-endpoint", Switch),
    ("flannel-cni-conf", Text),
    ("flannel-conf", Text),
    ("flannel-iface", Text),
    ("image-credential-provider-bin-dir", Text),
    ("image-credential-provider-config", Text),
    ("image-service-endpoint", Text),
    ("kube-proxy-arg", List),
    ("kubelet-arg", List),
    ("node-external-dns", List),
    ("node-external-ip", List),
    ("node-internal-dns", List),
    // k3s: one of each family; the lab has only one family.
    ("node-ip", Text),
    ("node-label", List),
    ("node-name", Text),
    ("node-taint", List),
    ("nonroot-devices", Switch),
    ("pause-image", Text),
    ("prefer-bundled-bin", Switch),
    ("private-registry", Text),
    ("protect-kernel-defaults", Switch),
    ("resolv-conf", Text),
    ("selinux", Switch),
    ("server", Text),
    ("snapshotter", Text),
    ("token", Text),
    ("token-file", Text),
    ("v", Number),
    ("vmodule", Text),
];

const OF_SERVERS: &[(&str, Form)] = &[
    ("advertise-address", Text),
    ("agent-token", Text),
    ("agent-token-file", Text),
    ("cluster-cidr", List),
    ("cluster-dns", List),
    ("cluster-domain", Text),
    ("cluster-init", Switch),
    ("default-local-storage-path", Text),
    ("disable", List),
    ("disable-agent", Switch),
    ("disable-apiserver", Switch),
    ("disable-cloud-controller", Switch),
    ("disable-controller-manager", Switch),
    ("disable-helm-controller", Switch),
    ("disable-kube-proxy", Switch),
    ("disable-network-policy", Switch),
    ("disable-scheduler", Switch),
    ("egress-selector-mode", Text),
    ("embedded-registry", Switch),
    ("enable-pprof", Switch),
    ("etcd-arg", List),
    ("etcd-disable-snapshots", Switch),
    ("etcd-expose-metrics", Switch),
    ("etcd-s3", Switch),
    ("etcd-s3-access-key", Text),
    ("etcd-s3-bucket", Text),
    ("etcd-s3-config-secret", Text),
    ("etcd-s3-endpoint", Text),
    ("etcd-s3-endpoint-ca", Text),
    ("etcd-s3-folder", Text),
    ("etcd-s3-insecure", Switch),
    ("etcd-s3-proxy", Text),
    ("etcd-s3-region", Text),
    ("etcd-s3-secret-key", Text),
    ("etcd-s3-session-token", Text),
    ("etcd-s3-skip-ssl-verify", Switch),
    ("etcd-s3-timeout", Text),
    ("etcd-snapshot-compress", Switch),
    ("etcd-snapshot-dir", Text),
    ("etcd-snapshot-name", Text),
    ("etcd-snapshot-retention", Number),
    ("etcd-snapshot-schedule-cron", Text),
    ("flannel-backend", Text),
    ("flannel-external-ip", Switch),
    ("flannel-ipv6-masq", Switch),
    ("helm-job-image", Text),
    ("kube-apiserver-arg", List),
    ("kube-cloud-controller-manager-arg", List),
    ("kube-controller-manager-arg", List),
    ("kube-scheduler-arg", List),
    ("secrets-encryption", Switch),
    ("secrets-encryption-provider", Text),
    ("service-cidr", List),
    ("service-node-port-range", Text),
    ("servicelb-namespace", Text),
    ("supervisor-metrics", Switch),
    ("system-default-registry", Text),
    ("tls-san", List),
    ("tls-san-security", Switch),
    ("write-kubeconfig", Text),
    ("write-kubeconfig-group", Text),
    ("write-kubeconfig-mode", Text),
];

/// Whether a command takes this key with this value.
///
/// # Errors
/// It has no such flag, or the flag takes something else.
pub(super) fn check(kind: Kind, key: &str, value: &Value) -> anyhow::Result<()> {
    let Some(form) = form_of(kind, key) else { bail!("flag provided but not defined: -{key}") };
    let fits = match (form, value) {
        // k3s treats a key without a value as the flag with an empty one.
        (Text | List, Value::Null) => true,
        (List, Value::Array(items)) => items.iter().all(is_scalar),
        (Text | List, one) => is_scalar(one),
        (Switch, one) => one.is_boolean() || one.as_str().is_some_and(|text| text.parse::<bool>().is_ok()),
        (Number, one) => one.is_i64() || one.as_str().is_some_and(|text| text.parse::<i64>().is_ok()),
    };
    ensure!(fits, "invalid value {value} for flag -{key}: it takes {}", form.takes());
    Ok(())
}

fn form_of(kind: Kind, key: &str) -> Option<Form> {
    let servers = OF_SERVERS.iter().filter(|_| kind == Kind::Server);
    OF_AGENTS.iter().chain(servers).find(|(name, _)| *name == key).map(|(_, form)| *form)
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

impl Form {
    fn takes(self) -> &'static str {
        match self {
            Text => "one text",
            Switch => "true or false",
            Number => "a whole number",
            List => "a text, or a list of them",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn takes(kind: Kind, key: &str, value: Value) -> bool {
        check(kind, key, &value).is_ok()
    }

    #[test]
    fn each_flag_takes_what_k3s_lets_it_take() {
        let server = |key, value| takes(Kind::Server, key, value);
        for list in ["cluster-cidr", "service-cidr", "cluster-dns", "kubelet-arg", "disable", "tls-san"] {
            assert!(server(list, json!("10.42.0.0/16")) && server(list, json!(["a", "b"])) && server(list, json!([])), "{list}");
            assert!(!server(list, json!({ "a": "b" })) && !server(list, json!([["a"]])), "{list}");
        }
        for text in ["flannel-backend", "etcd-snapshot-schedule-cron", "cluster-domain", "etcd-snapshot-dir"] {
            assert!(server(text, json!("vxlan")) && !server(text, json!(["vxlan"])) && !server(text, json!({})), "{text}");
        }
        for switch in ["secrets-encryption", "etcd-disable-snapshots", "cluster-init", "etcd-snapshot-compress"] {
            assert!(server(switch, json!(true)) && server(switch, json!("false")), "{switch}");
            assert!(!server(switch, json!("yes")) && !server(switch, json!([true])) && !server(switch, json!(1)), "{switch}");
        }
        assert!(server("etcd-snapshot-retention", json!(8)) && server("etcd-snapshot-retention", json!("8")));
        assert!(!server("etcd-snapshot-retention", json!("eight")) && !server("etcd-snapshot-retention", json!(8.5)));
    }

    #[test]
    fn an_agent_has_no_flags_of_a_server_and_nobody_has_an_unknown_one() {
        let agent = |key| takes(Kind::Agent, key, json!("a"));
        assert!(agent("kubelet-arg") && agent("server") && !agent("cluster-cidr") && !agent("tls-san") && !agent("flannel-backend"));
        let refused = check(Kind::Server, "cluster-cdr", &json!("10.42.0.0/16")).unwrap_err().to_string();
        assert_eq!(refused, "flag provided but not defined: -cluster-cdr");
        let wrong = check(Kind::Server, "secrets-encryption", &json!("yes")).unwrap_err().to_string();
        assert_eq!(wrong, "invalid value \"yes\" for flag -secrets-encryption: it takes true or false");
    }

    #[test]
    fn no_flag_is_in_the_tables_twice() {
        let mut keys: Vec<_> = OF_AGENTS.iter().chain(OF_SERVERS).map(|(key, _)| *key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
