//! A client of the Kubernetes API, for Nodes.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use super::upstream::Servers;
use crate::kubernetes::User;

const NODES: &str = "/api/v1/nodes";
pub(super) const MERGE: &str = "application/merge-patch+json";
pub(super) const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// The API, as a user.
#[derive(Clone, Debug)]
pub(super) struct Api {
    servers: Arc<Servers>,
    user: User,
}

impl Api {
    pub(super) fn new(servers: Arc<Servers>, user: User) -> Self {
        Self { servers, user }
    }

    /// All Nodes, and the version of all objects.
    pub(super) async fn nodes(&self) -> anyhow::Result<(Vec<Value>, String)> {
        let (status, mut list) = self.call(Method::GET, NODES, "", None).await?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        match (status, list["items"].take()) {
            (StatusCode::OK, Value::Array(nodes)) => Ok((nodes, version)),
            _ => bail!("cannot list the Nodes: {status} {list}"),
        }
    }

    pub(super) async fn node(&self, name: &str) -> anyhow::Result<Option<Value>> {
        match self.call(Method::GET, &format!("{NODES}/{name}"), "", None).await? {
            (StatusCode::OK, node) => Ok(Some(node)),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, why) => bail!("cannot read Node {name}: {status} {}", why["message"]),
        }
    }

    /// Makes a Node; returns whether it is new.
    pub(super) async fn create(&self, node: &Value) -> anyhow::Result<bool> {
        match self.call(Method::POST, NODES, "application/json", Some(node)).await? {
            (StatusCode::CREATED, _) => Ok(true),
            (StatusCode::CONFLICT, _) => Ok(false),
            (status, why) => bail!("Unable to register node with API server: {status} {}", why["message"]),
        }
    }

    /// Patches a Node, or its status.
    pub(super) async fn patch(&self, name: &str, subresource: &str, kind: &'static str, patch: &Value) -> anyhow::Result<()> {
        match self.call(Method::PATCH, &format!("{NODES}/{name}{subresource}"), kind, Some(patch)).await? {
            (StatusCode::OK, _) => Ok(()),
            (status, why) => bail!("cannot change Node {name}: {status} {}", why["message"]),
        }
    }

    /// Returns the lab's API server to what it held at a version.
    pub(super) async fn go_back(&self, version: &str) -> anyhow::Result<()> {
        let (status, _) = self.call(Method::POST, &format!("/stand-in/back-to/{version}"), "", None).await?;
        ensure!(status == StatusCode::OK, "the objects' version {version} is not known any more: {status}");
        Ok(())
    }

    async fn call(&self, method: Method, path: &str, kind: &'static str, body: Option<&Value>) -> anyhow::Result<(StatusCode, Value)> {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.user.token());
        headers.insert(header::AUTHORIZATION, bearer.parse().context("a name that fits no header")?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.servers.send(method, path, &headers, Bytes::from(body)).await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}
