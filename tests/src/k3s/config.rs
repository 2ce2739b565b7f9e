//! The configuration: FILE, and `FILE.d/*.yaml` in alphabetical order; the last wins, `key+` appends (docs.k3s.io "Configuration Options").

use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};

use super::flags;
use crate::kubernetes::may_be_kubelets;

const DATA_DIR: &str = "/var/lib/rancher/k3s";

/// Which command the configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Server,
    Agent,
}

/// What is configured, with k3s' defaults for the rest.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) cluster_init: bool,
    /// Without a slash at its end.
    pub(super) server: Option<String>,
    pub(super) token: Option<String>,
    /// By the key `token`, and not by `token-file`.
    pub(super) token_given: bool,
    pub(super) agent_token: Option<String>,
    pub(super) node_name: String,
    pub(super) node_ip: IpAddr,
    pub(super) advertise: IpAddr,
    /// Where 6443 listens.
    pub(super) bind: IpAddr,
    pub(super) data_dir: PathBuf,
    pub(super) tls_san: Vec<String>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) taints: Vec<Taint>,
    pub(super) kubeconfig: PathBuf,
    pub(super) kubeconfig_mode: u32,
    /// Nothing runs but etcd: all of `disable-*`.
    pub(super) etcd_alone: bool,
    /// `key=value`, which takes precedence over what k3s itself gives etcd.
    pub(super) etcd_args: Vec<(String, String)>,
}

/// `key=value:effect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taint {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) effect: String,
}

impl Config {
    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be read; a key that is not a flag of this command, or a value that it does not take.
    pub(super) fn read(file: &Path, kind: Kind) -> anyhow::Result<Self> {
        let keys = merged(file)?;
        keys.iter().try_for_each(|(key, value)| flags::check(kind, key, value))?;
        let keys = Keys(keys);
        let node_ip = keys.address("node-ip")?.or(keys.address("advertise-address")?).map_or_else(own_address, Ok)?;
        Ok(Self {
            cluster_init: keys.flag("cluster-init")?,
            server: keys.text("server").map(|url| url.trim_end_matches('/').to_owned()),
            token: keys.secret("token", "token-file")?,
            token_given: keys.text("token").is_some(),
            agent_token: keys.secret("agent-token", "agent-token-file")?,
            node_name: keys.text("node-name").map_or_else(host_name, Ok)?,
            node_ip,
            advertise: keys.address("advertise-address")?.unwrap_or(node_ip),
            bind: keys.address("bind-address")?.unwrap_or(node_ip),
            data_dir: keys.text("data-dir").unwrap_or_else(|| DATA_DIR.to_owned()).into(),
            tls_san: keys.list("tls-san"),
            labels: keys.list("node-label").iter().map(|label| parse_label(label)).collect::<anyhow::Result<_>>()?,
            taints: keys.list("node-taint").iter().map(|taint| parse_taint(taint)).collect::<anyhow::Result<_>>()?,
            kubeconfig: keys.text("write-kubeconfig").map_or_else(|| file.with_file_name("k3s.yaml"), PathBuf::from),
            kubeconfig_mode: keys.mode("write-kubeconfig-mode")?,
            etcd_alone: keys.etcd_alone()?,
            etcd_args: keys.list("etcd-arg").iter().map(|text| parse_argument(text)).collect::<anyhow::Result<_>>()?,
        })
    }
}

fn merged(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut merged = Map::new();
    for path in files(file)? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let content: Option<Map<String, Value>> = serde_saphyr::from_str(&text).with_context(|| format!("yaml: {}", path.display()))?;
        for (key, value) in content.unwrap_or_default() {
            match key.strip_suffix('+') {
                Some(key) => append(merged.entry(key).or_insert(Value::Null), value),
                None => drop(merged.insert(key, value)),
            }
        }
    }
    Ok(merged)
}

fn files(file: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut directory = file.as_os_str().to_owned();
    directory.push(".d");
    let entries =
        std::fs::read_dir(directory).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_else(|_| Vec::new());
    let mut files: Vec<PathBuf> =
        entries.into_iter().filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml")).collect();
    files.sort();
    if file.try_exists()? {
        files.insert(0, file.to_owned());
    }
    Ok(files)
}

fn append(to: &mut Value, more: Value) {
    let mut all = items(to.take());
    all.extend(items(more));
    *to = Value::Array(all);
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        one => vec![one],
    }
}

struct Keys(Map<String, Value>);

impl Keys {
    fn text(&self, key: &str) -> Option<String> {
        self.0.get(key).and_then(plain).filter(|text| !text.is_empty())
    }

    fn list(&self, key: &str) -> Vec<String> {
        self.0.get(key).cloned().map(items).unwrap_or_default().iter().filter_map(plain).collect()
    }

    fn flag(&self, key: &str) -> anyhow::Result<bool> {
        self.text(key).map_or(Ok(false), |text| text.parse()).with_context(|| format!("{key} is true or false"))
    }

    /// Servers with some of the parts do not concern Quorate.
    fn etcd_alone(&self) -> anyhow::Result<bool> {
        let parts = ["disable-apiserver", "disable-controller-manager", "disable-scheduler", "disable-agent"];
        let off = parts.iter().map(|part| self.flag(part)).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(off.windows(2).all(|two| two[0] == two[1]), "this stand-in does without all of {parts:?}, or without none");
        Ok(off[0])
    }

    fn address(&self, key: &str) -> anyhow::Result<Option<IpAddr>> {
        self.text(key).map(|text| text.parse()).transpose().with_context(|| format!("{key} is no address"))
    }

    fn mode(&self, key: &str) -> anyhow::Result<u32> {
        let text = self.text(key).unwrap_or_else(|| "600".to_owned());
        u32::from_str_radix(&text, 8).with_context(|| format!("{key} {text:?} is no octal mode: quote it"))
    }

    /// The key itself, or the first line of the file that the second one names.
    fn secret(&self, key: &str, file: &str) -> anyhow::Result<Option<String>> {
        if let (Some(secret), _) | (None, Some(secret)) = (self.text(key), self.file(file)?) {
            return Ok(Some(secret));
        }
        Ok(None)
    }

    fn file(&self, key: &str) -> anyhow::Result<Option<String>> {
        let Some(path) = self.text(key) else { return Ok(None) };
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {key} {path}"))?;
        ensure!(!text.trim().is_empty(), "{key} {path} is empty");
        Ok(Some(text.trim().to_owned()))
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A kubelet with a label of Kubernetes' own in `--node-labels` does not start.
fn parse_label(text: &str) -> anyhow::Result<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if !may_be_kubelets(key) {
        bail!("unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{key}]");
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn parse_argument(text: &str) -> anyhow::Result<(String, String)> {
    let (key, value) = text.split_once('=').with_context(|| format!("etcd-arg {text:?} has no value"))?;
    Ok((key.trim_start_matches('-').to_owned(), value.to_owned()))
}

fn parse_taint(text: &str) -> anyhow::Result<Taint> {
    let (rest, effect) = text.rsplit_once(':').with_context(|| format!("invalid taint spec: {text}"))?;
    ensure!(["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect), "invalid taint effect: {effect}, unsupported taint effect");
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
}

fn host_name() -> anyhow::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/hostname").context("cannot read the host name")?.trim().to_lowercase())
}

/// The address of the interface with the default route. Nothing is sent.
fn own_address() -> anyhow::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect("192.0.2.1:9").context("no default routes found")?;
    Ok(socket.local_addr()?.ip())
}
