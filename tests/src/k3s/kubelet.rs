//! The kubelet, as others see it: a Node, and its heartbeat.

use std::sync::Arc;

use anyhow::Context;
use axum::http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::api::{Api, STRATEGIC};
use super::beside::Beside;
use super::config::Config;
use super::disk::{self, Disk};
use super::tls::Pair;
use super::token::Token;
use super::upstream::Servers;
use super::{log, password, supervisor};
use crate::kubernetes::{User, kubeconfig_trusting};

/// A kubelet's way to the cluster.
#[derive(Debug)]
pub(super) struct Kubelet<'a> {
    pub(super) config: &'a Config,
    pub(super) beside: &'a Beside,
    pub(super) disk: &'a Disk,
    pub(super) servers: Arc<Servers>,
    pub(super) token: &'a Token,
}

impl Kubelet<'_> {
    /// Shows the password until it is accepted. Returns the certificate that this node may serve with.
    pub(super) async fn admitted(&self) -> Pair {
        loop {
            match self.ask().await {
                Ok(pair) => return pair,
                Err(error) => log::info(&format!("Waiting to retrieve agent configuration; server is not ready: {error:#}")),
            }
            tokio::time::sleep(self.beside.pace.agent_retry()).await;
        }
    }

    async fn ask(&self) -> anyhow::Result<Pair> {
        let mut headers = HeaderMap::new();
        let password = password::own(&self.beside.node_password)?;
        let values = [
            (supervisor::NODE_NAME, self.config.node_name.clone()),
            (supervisor::NODE_PASSWORD, password),
            (supervisor::NODE_IP, self.config.node_ip.to_string()),
        ];
        for (name, value) in values {
            headers.insert(HeaderName::from_static(name), value.parse().context("a name that fits no header")?);
        }
        let text = self.servers.ask("/v1-k3s/serving-kubelet.crt", self.token, headers).await?;
        serde_json::from_str(&text).context("failed to read the certificate")
    }

    /// Registers the Node once, and reports from then on. `api` is where a real kubelet finds it: on its own computer.
    pub(super) async fn run(&self, api: &str) -> anyhow::Result<()> {
        let user = User::Node(self.config.node_name.clone());
        let kubeconfig = kubeconfig_trusting(api, &user, self.servers.authority());
        disk::write(&self.disk.agent("kubelet.kubeconfig"), &kubeconfig, 0o600)?;
        let api = Api::new(self.servers.clone(), user);
        while let Err(error) = self.register(&api).await {
            log::error(&format!("{error:#}"));
            tokio::time::sleep(self.beside.pace.kubelet()).await;
        }
        loop {
            if let Err(error) = api.patch(&self.config.node_name, "/status", STRATEGIC, &json!({ "status": self.status() })).await {
                log::error(&format!("Error updating node status, will retry: {error:#}"));
            }
            tokio::time::sleep(self.beside.pace.kubelet()).await;
        }
    }

    /// Labels and taints count at the first registration alone.
    async fn register(&self, api: &Api) -> anyhow::Result<()> {
        let name = &self.config.node_name;
        if api.create(&self.node()).await? {
            log::info(&format!("Successfully registered node {name}"));
        } else {
            log::info(&format!("Node was previously registered {name}"));
        }
        Ok(())
    }

    fn node(&self) -> Value {
        let config = self.config;
        let mut labels =
            json!({ "kubernetes.io/hostname": config.node_name, "kubernetes.io/os": "linux", "node.kubernetes.io/instance-type": "k3s" });
        for (key, value) in &config.labels {
            labels[key] = value.as_str().into();
        }
        let taint = |taint: &super::config::Taint| json!({ "key": taint.key, "value": taint.value, "effect": taint.effect });
        let mut spec = json!({ "providerID": format!("k3s://{}", config.node_name) });
        if !config.taints.is_empty() {
            spec["taints"] = config.taints.iter().map(taint).collect();
        }
        let metadata = json!({ "name": config.node_name, "labels": labels, "annotations": {} });
        json!({ "kind": "Node", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": self.status() })
    }

    fn status(&self) -> Value {
        let ready = json!({ "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status" });
        let addresses =
            json!([{ "type": "InternalIP", "address": self.config.node_ip }, { "type": "Hostname", "address": self.config.node_name }]);
        json!({ "conditions": [ready], "addresses": addresses, "nodeInfo": { "kubeletVersion": "v1.33.5+k3s1" } })
    }
}
