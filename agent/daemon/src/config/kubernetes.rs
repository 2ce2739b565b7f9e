//! `[kubernetes]`: the distribution that the roles control-plane and worker run, and how their Nodes are drained.

mod names;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use quorate_core::drain::Escalation;
use quorate_core::policy::DrainPolicy;

use super::check::{absolute, whole};
use super::file::Kubernetes;
use super::{Refusal, timing};
use crate::adapters::host::hosts::{self, HostName};

/// A Kubernetes distribution that the agent can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// <https://k3s.io>
    K3s,
}

/// The stable endpoint of the API, such as a load balancer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `https://`, host, and port if one was given.
    pub url: String,
    /// Its host alone, without brackets; a name or an address.
    pub host: String,
}

/// The distribution and the settings of its Nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// Which.
    pub distribution: Distribution,
    /// The program that a child of the agent runs; a unit names its own.
    pub binary: PathBuf,
    /// The distribution's own configuration; the agent adds one file to it.
    pub config_dir: PathBuf,
    /// The distribution's data.
    pub data_dir: PathBuf,
    /// Holds the secret with which servers and workers join. The roles control-plane and worker need it.
    pub token_file: Option<PathBuf>,
    /// Holds a secret with which only workers can join.
    pub agent_token_file: Option<PathBuf>,
    /// The host name under which every node reaches a healthy server.
    pub alias: Option<HostName>,
    /// The file from which this machine learns the alias.
    pub hosts_file: PathBuf,
    /// The stable endpoint from outside.
    pub endpoint: Option<Endpoint>,
    /// Further names and addresses in the API's certificate.
    pub tls_sans: Vec<String>,
    /// The Nodes' labels.
    pub labels: BTreeMap<String, String>,
    /// The Nodes' taints, `key=value:Effect`.
    pub taints: Vec<String>,
    /// The credentials that the agent uses with the API, in place of the distribution's own.
    pub kubeconfig: Option<PathBuf>,
    /// Further environment of a child. A unit has its own.
    pub env: BTreeMap<String, String>,
}

/// Checks the section.
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn settings(raw: Kubernetes) -> Result<KubernetesSettings, Refusal> {
    let optional = |key, value: Option<String>| given(value).map(|path| absolute(key, Some(path), "/")).transpose();
    let labels: BTreeMap<_, _> = raw.labels;
    labels.iter().try_for_each(|(key, value)| names::label(key, value))?;
    raw.taints.iter().try_for_each(|taint| names::taint(taint))?;
    raw.tls_sans.iter().try_for_each(|name| names::san(name))?;
    Ok(KubernetesSettings {
        distribution: distribution(raw.distribution.as_deref())?,
        binary: absolute("kubernetes.binary", raw.binary, "/usr/local/bin/k3s")?,
        config_dir: absolute("kubernetes.config_dir", raw.config_dir, "/etc/rancher/k3s")?,
        data_dir: absolute("kubernetes.data_dir", raw.data_dir, "/var/lib/rancher/k3s")?,
        token_file: optional("kubernetes.token_file", raw.token_file)?,
        agent_token_file: optional("kubernetes.agent_token_file", raw.agent_token_file)?,
        alias: given(raw.alias).map(|alias| names::alias(&alias)).transpose()?,
        hosts_file: absolute("kubernetes.hosts_file", raw.hosts_file, hosts::FILE)?,
        endpoint: given(raw.endpoint).map(|url| names::endpoint(&url)).transpose()?,
        tls_sans: raw.tls_sans,
        labels,
        taints: raw.taints,
        env: raw.env,
        kubeconfig: optional("kubernetes.kubeconfig", raw.kubeconfig)?,
    })
}

/// An optional text may be left out or be empty.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

fn distribution(name: Option<&str>) -> Result<Distribution, Refusal> {
    match name {
        None | Some("k3s") => Ok(Distribution::K3s),
        Some(other) => Err(Refusal::value("kubernetes.distribution", format!("{other:?}"), "use k3s")),
    }
}

/// How the Nodes are drained.
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn drain(raw: &Kubernetes) -> Result<DrainPolicy, Refusal> {
    let default = DrainPolicy::default();
    let seconds =
        |key, value: Option<f64>, limits, default: Duration| value.map_or(Ok(default), |value| timing::duration(key, value, limits));
    let batch = whole("kubernetes.drain_batch", raw.drain_batch, 1..=1000)?.and_then(|batch| usize::try_from(batch).ok());
    Ok(DrainPolicy {
        budget: seconds("kubernetes.drain_budget_s", raw.drain_budget_s, 1.0..=86_400.0, default.budget)?,
        escalation: escalation(raw.drain_escalation.as_deref())?,
        retry: seconds("kubernetes.drain_retry_s", raw.drain_retry_s, 0.1..=600.0, default.retry)?,
        batch: batch.unwrap_or(default.batch),
        patience_without_api: seconds("kubernetes.api_patience_s", raw.api_patience_s, 1.0..=3600.0, default.patience_without_api)?,
        at_reboot: raw.drain_at_reboot,
    })
}

fn escalation(text: Option<&str>) -> Result<Escalation, Refusal> {
    match text {
        None | Some("delete") => Ok(Escalation::Delete),
        Some("give-up") => Ok(Escalation::GiveUp),
        Some(other) => Err(Refusal::value("kubernetes.drain_escalation", format!("{other:?}"), "use delete or give-up")),
    }
}
