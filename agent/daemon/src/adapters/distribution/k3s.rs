//! k3s: <https://docs.k3s.io/cli/server>.

mod others;
mod yaml;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use quorate_core::authority::AuthorityHash;
use quorate_core::plan::Start;
use quorate_core::role::Role;
use quorate_core::transport::Transport;
use serde_json::{Value, json};

use super::{Configured, DataPlace, Distribution, NodeSpec, Probe};
use crate::adapters::etcd::CredentialFiles;
use crate::adapters::host::hosts::HostName;
use crate::adapters::service_manager::{ServiceError, read};
use crate::config::KubernetesSettings;

/// The API and the supervisor, through which servers and workers join, are one port.
const PORT: u16 = 6443;

/// k3s reads it after the operator's own files, in the order of their names. If a key is given twice the last value counts, and `key+` adds to the others.
const FILE: &str = "config.yaml.d/90-quorate.yaml";

/// How a token that names the authority begins: `K10<hash>::<user>:<password>`.
const FULL: &str = "K10";

/// The authority that a token names.
pub(crate) fn named_by(token: &str) -> Option<AuthorityHash> {
    token.trim().strip_prefix(FULL)?.split_once("::")?.0.parse().ok()
}

const DATA_DIR: &str = "/var/lib/rancher/k3s";

/// k3s on this node.
#[derive(Clone, Debug)]
pub struct K3s {
    settings: KubernetesSettings,
    node: NodeSpec,
}

impl K3s {
    /// k3s as this node runs it.
    #[must_use]
    pub fn new(settings: KubernetesSettings, node: NodeSpec) -> Self {
        Self { settings, node }
    }

    fn main_file(&self) -> PathBuf {
        self.settings.config_dir.join("config.yaml")
    }

    fn below(&self, path: &str) -> PathBuf {
        self.settings.data_dir.join(path)
    }

    fn command(&self) -> &'static str {
        if self.node.worker { "agent" } else { "server" }
    }

    /// The token as the operator's file has it, or, where the store names the cluster's authority, in the form that includes it. k3s treats a worker's plain
    /// token as user `node`'s (`pkg/clientaccess/token.go`).
    fn token(&self, how: &Start) -> Result<Option<(&'static str, Value)>, ServiceError> {
        let Some(file) = &self.settings.token_file else { return Ok(None) };
        let Start::Worker { authority: Some(authority), .. } = how else { return Ok(Some(("token-file", json!(file)))) };
        let plain = read(file)?.unwrap_or_default();
        Ok(Some(("token", json!(format!("{FULL}{authority}::node:{}", plain.trim())))))
    }

    /// What it gets at every start.
    fn standing(&self, token: Option<(&'static str, Value)>) -> Vec<(&'static str, Value)> {
        let (settings, node) = (&self.settings, &self.node);
        let mut all = vec![("node-name", json!(node.name)), ("node-ip", json!(node.address))];
        if !node.worker {
            all.push(("advertise-address", json!(node.address)));
        }
        all.extend(token);
        if !node.worker {
            all.extend(settings.agent_token_file.as_ref().map(|file| ("agent-token-file", json!(file))));
            all.push(("tls-san+", json!(self.names())));
        }
        all.push(("node-label+", json!(self.labels())));
        if !settings.taints.is_empty() {
            all.push(("node-taint+", json!(settings.taints)));
        }
        if settings.data_dir != Path::new(DATA_DIR) {
            all.push(("data-dir", json!(settings.data_dir)));
        }
        all
    }

    /// Every name and address at which the API may be reached: one that is not in the certificate is of no use to any client.
    fn names(&self) -> Vec<String> {
        let (settings, own) = (&self.settings, self.node.address.to_string());
        let named = settings.alias.iter().map(HostName::as_str).chain(settings.endpoint.as_ref().map(|e| e.host.as_str()));
        let all = named.chain([own.as_str()]).chain(settings.tls_sans.iter().map(String::as_str));
        let mut names: Vec<String> = Vec::new();
        for name in all {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The node's labels. The operator's zone takes precedence over that of IMDS.
    fn labels(&self) -> Vec<String> {
        let mut labels = self.settings.labels.clone();
        labels.entry("topology.kubernetes.io/zone".to_owned()).or_insert_with(|| self.node.zone.clone());
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// Runs only etcd, reachable only from this machine (<https://docs.k3s.io/installation/server-roles>; k3s leaves out the same parts for its own reset,
    /// `pkg/cli/server/server.go`). If an argument is given twice etcd uses the last, which is this one: this file is read after the operator's.
    fn alone(&self) -> Vec<(&'static str, Value)> {
        let off = ["disable-apiserver", "disable-controller-manager", "disable-scheduler", "disable-agent"];
        let listen = format!("listen-client-urls={}", Role::ControlPlane.client_url(self.node.founding_address, Transport::Tls));
        off.into_iter().map(|part| (part, json!(true))).chain([("etcd-arg+", json!([listen]))]).collect()
    }

    /// Which cluster it starts in. A server without `server` that finds no data founds a cluster of its own (k3s-io/k3s#13623), so it is omitted only by a
    /// start that means to found, or that has no server to name.
    fn membership(&self, how: &Start) -> Result<Vec<(&'static str, Value)>, ServiceError> {
        let loopback = || ("bind-address", json!(self.node.founding_address));
        let joins = |server: &IpAddr| ("server", json!(format!("https://{}", SocketAddr::new(*server, PORT))));
        let alone = || ("cluster-init", json!(true));
        match (self.node.worker, how) {
            (false, Start::Found { .. } | Start::Resume { loopback_only: true, server: None }) => Ok(vec![alone(), loopback()]),
            (false, Start::Alone) => Ok([alone(), loopback()].into_iter().chain(self.alone()).collect()),
            (false, Start::Resume { loopback_only: true, server: Some(server) }) => Ok(vec![joins(server), loopback()]),
            (false, Start::JoinServer { server, .. } | Start::Resume { server: Some(server), .. })
            | (true, Start::Worker { server, .. }) => Ok(vec![joins(server)]),
            (false, Start::Resume { server: None, .. }) => Ok(vec![alone()]),
            (false, Start::Join { .. } | Start::Worker { .. }) | (true, _) => {
                Err(ServiceError::Unfit { program: if self.node.worker { "k3s agent" } else { "k3s server" }, how: format!("{how:?}") })
            }
        }
    }
}

impl Distribution for K3s {
    fn name(&self) -> &'static str {
        "k3s"
    }

    fn is_worker(&self) -> bool {
        self.node.worker
    }

    fn unit(&self) -> &'static str {
        if self.node.worker { "k3s-agent.service" } else { "k3s.service" }
    }

    fn binary(&self) -> &Path {
        &self.settings.binary
    }

    fn arguments(&self) -> Vec<OsString> {
        vec![self.command().into(), "--config".into(), self.main_file().into()]
    }

    /// <https://docs.k3s.io/cli/etcd-snapshot>: k3s moves existing data away, restores with etcd's own library, starts that etcd alone, extracts the cluster's
    /// certificates from it (for which it needs the token that they are encrypted with) and exits with 0. It looks for a file given by path on S3 if the
    /// operator has k3s keep its own snapshots there.
    fn restore_arguments(&self, snapshot: &Path) -> Vec<OsString> {
        let mut path = OsString::from("--cluster-reset-restore-path=");
        path.push(snapshot);
        let reset = ["--cluster-reset".into(), path, "--etcd-s3=false".into()];
        self.arguments().into_iter().chain(reset).collect()
    }

    /// k3s hides its arguments once it runs: its title is then its program's name and `server` or `agent`, as one word (`pkg/proctitle` in k3s). Where they are
    /// still visible, the configuration must be ours.
    fn is_command_line(&self, words: &[Vec<u8>]) -> bool {
        let words: Vec<&[u8]> = words.iter().flat_map(|word| word.split(|b| *b == b' ')).filter(|word| !word.is_empty()).collect();
        let [program, command, rest @ ..] = words.as_slice() else { return false };
        let name = program.rsplit(|b| *b == b'/').next();
        let is_it = name == self.settings.binary.file_name().map(OsStrExt::as_bytes) && *command == self.command().as_bytes();
        let file = self.main_file();
        is_it && (rest.is_empty() || rest.windows(2).any(|pair| pair[0] == b"--config" && pair[1] == file.as_os_str().as_bytes()))
    }

    fn configuration_file(&self) -> PathBuf {
        self.settings.config_dir.join(FILE)
    }

    fn configuration(&self, how: &Start) -> Result<String, ServiceError> {
        let head = "# Written by quorate before each start of k3s. What is yours belongs into config.yaml.\n".to_owned();
        let entries = self.membership(how)?.into_iter().chain(self.standing(self.token(how)?));
        Ok(entries.fold(head, |text, (key, value)| text + &yaml::line(key, &value)))
    }

    /// The token is written into the file itself: here k3s does not accept `token-file` as a token, and a new disk has no other: "please pass --token to
    /// complete the restoration" (`pkg/cli/server/server.go`). Only root can read this file, and the next start writes it again without the token.
    fn restore_configuration(&self) -> Result<String, ServiceError> {
        let founds = self.configuration(&Start::Resume { loopback_only: true, server: None })?;
        let Some(path) = &self.settings.token_file else { return Ok(founds) };
        let token = read(path)?.unwrap_or_default();
        let rest: String = founds.split_inclusive('\n').filter(|line| !line.starts_with("token-file:")).collect();
        Ok(rest + &yaml::line("token", &json!(token.trim())))
    }

    fn check_others(&self) -> Result<(), ServiceError> {
        others::check(&self.main_file(), &self.configuration_file())
    }

    fn check_arguments(&self, unit: &str, arguments: &[String]) -> Result<(), ServiceError> {
        others::check_arguments(unit, arguments, &self.main_file())
    }

    fn read(&self, text: &str) -> Configured {
        let server = yaml::text(text, "server").and_then(|url| url.strip_prefix("https://")?.parse::<SocketAddr>().ok());
        let bound = yaml::text(text, "bind-address").and_then(|address| address.parse::<IpAddr>().ok());
        Configured { server: server.map(|at| at.ip()), loopback_only: bound.is_some_and(|address| address.is_loopback()) }
    }

    /// Beside etcd's data lie the certificates and passwords that k3s makes for the cluster: with another cluster's it does not join. A flag file marks a reset
    /// after which it has not started yet, and forbids another.
    fn data(&self) -> DataPlace {
        DataPlace {
            etcd: self.below("server/db/etcd"),
            beside: vec![self.below("server/tls"), self.below("server/cred"), self.below("server/db/reset-flag")],
            trash: self.below("quorate-trash"),
        }
    }

    fn marked_dir(&self) -> PathBuf {
        if self.node.worker { self.settings.data_dir.clone() } else { self.data().etcd }
    }

    fn etcd_credentials(&self) -> CredentialFiles {
        let file = |name| self.below("server/tls/etcd").join(name);
        CredentialFiles { ca: file("server-ca.crt"), certificate: file("client.crt"), key: file("client.key") }
    }

    /// A server's is the administrator's. A worker has only its kubelet's, which can access only its own Node and pods.
    fn kubeconfig(&self) -> PathBuf {
        let own = || if self.node.worker { self.below("agent/kubelet.kubeconfig") } else { self.settings.config_dir.join("k3s.yaml") };
        self.settings.kubeconfig.clone().unwrap_or_else(own)
    }

    fn api_port(&self) -> u16 {
        PORT
    }

    /// From the file in which k3s writes the full form of its token, on every server (<https://docs.k3s.io/cli/token>).
    fn authority(&self) -> Result<Option<AuthorityHash>, ServiceError> {
        Ok(read(&self.below("server/token"))?.and_then(|token| named_by(&token)))
    }

    fn pinned(&self) -> Option<AuthorityHash> {
        named_by(&read(self.settings.token_file.as_ref()?).ok()??)
    }

    fn probe(&self) -> Probe {
        Probe { port: PORT, path: "/ping", answer: "pong" }
    }
}
