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

/// Servers run a kubelet too, and so have all of an agent's. `node-ip` is one of each family in k3s; the lab has only one family.
const OF_AGENTS: &[(Form, &str)] = &[
    (
        Text,
        "bind-address container-runtime-endpoint data-dir default-runtime flannel-cni-conf flannel-conf flannel-iface \
         image-credential-provider-bin-dir image-credential-provider-config image-service-endpoint node-ip node-name pause-image private-registry \
         resolv-conf server snapshotter token token-file vmodule",
    ),
    (Switch, "debug disable-default-registry-endpoint nonroot-devices prefer-bundled-bin protect-kernel-defaults selinux"),
    (Number, "v"),
    (List, "airgap-extra-registry kube-proxy-arg kubelet-arg node-external-dns node-external-ip node-internal-dns node-label node-taint"),
];

const OF_SERVERS: &[(Form, &str)] = &[
    (
        Text,
        "advertise-address agent-token agent-token-file cluster-domain default-local-storage-path egress-selector-mode etcd-s3-access-key \
         etcd-s3-bucket etcd-s3-config-secret etcd-s3-endpoint etcd-s3-endpoint-ca etcd-s3-folder etcd-s3-proxy etcd-s3-region etcd-s3-secret-key \
         etcd-s3-session-token etcd-s3-timeout etcd-snapshot-dir etcd-snapshot-name etcd-snapshot-schedule-cron flannel-backend helm-job-image \
         secrets-encryption-provider service-node-port-range servicelb-namespace system-default-registry write-kubeconfig write-kubeconfig-group \
         write-kubeconfig-mode",
    ),
    (
        Switch,
        "cluster-init disable-agent disable-apiserver disable-cloud-controller disable-controller-manager disable-helm-controller \
         disable-kube-proxy disable-network-policy disable-scheduler embedded-registry enable-pprof etcd-disable-snapshots etcd-expose-metrics \
         etcd-s3 etcd-s3-insecure etcd-s3-skip-ssl-verify etcd-snapshot-compress flannel-external-ip flannel-ipv6-masq secrets-encryption \
         supervisor-metrics tls-san-security",
    ),
    (Number, "etcd-snapshot-retention"),
    (
        List,
        "cluster-cidr cluster-dns disable etcd-arg kube-apiserver-arg kube-cloud-controller-manager-arg kube-controller-manager-arg \
         kube-scheduler-arg service-cidr tls-san",
    ),
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
    OF_AGENTS.iter().chain(servers).find(|(_, names)| names.split(' ').any(|name| name == key)).map(|(form, _)| *form)
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
