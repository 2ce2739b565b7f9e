//! Where the clusters of a lab keep their charters.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::site;
use crate::s3::{S3Config, S3Server};

/// What kind of store a lab's clusters have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// A directory: `file://`.
    #[default]
    Directory,
    /// A bucket of the lab's own S3: `s3://`. Its callers' access key ids are the instances' ids.
    S3,
}

/// Beside the region's API, at the same address.
const PORT: u16 = 9000;

/// In the bucket; each cluster has a folder of its name below it.
const PREFIX: &str = "clusters";

/// A running store.
#[derive(Debug)]
pub(super) enum Storage {
    Directory(PathBuf),
    S3(S3Server),
}

impl Storage {
    /// # Errors
    /// It cannot be served, or there is no place for it.
    pub(super) async fn open(kind: Store, root: &Path, address: IpAddr) -> anyhow::Result<Self> {
        if kind == Store::Directory {
            return Ok(Self::Directory(root.join("store")));
        }
        // In files, because a snapshot may be larger than what a test should have in memory.
        let config = S3Config { directory: Some(root.join("s3")), ..S3Config::default() };
        let server = S3Server::start(config, SocketAddr::new(address, PORT)).await;
        Ok(Self::S3(server.context("cannot serve the store")?))
    }

    /// What agents need to find it besides its URL.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let endpoint = self.s3().map(|server| ("AWS_ENDPOINT_URL_S3".to_owned(), server.url()));
        endpoint.into_iter().collect()
    }

    /// What the tag `quorate:store` of a cluster's group says.
    pub(super) fn url(&self, cluster: &str) -> String {
        match self {
            Self::Directory(directory) => format!("file://{}", directory.join(cluster).display()),
            Self::S3(server) => format!("s3://{}/{PREFIX}", server.bucket()),
        }
    }

    /// Makes what has to be there before a cluster can use it.
    pub(super) fn prepare(&self, cluster: &str) -> anyhow::Result<()> {
        match self {
            Self::Directory(directory) => std::fs::create_dir_all(directory.join(cluster)).context("cannot make a directory for the store"),
            Self::S3(_) => Ok(()),
        }
    }

    /// The records of a cluster's charter, oldest first.
    pub(super) fn charter(&self, cluster: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        match self {
            Self::Directory(directory) => site::charter(&directory.join(cluster).join(cluster)),
            Self::S3(server) => {
                let folder = format!("{PREFIX}/{cluster}/charter/");
                let keys = server.keys().into_iter().filter(|key| key.starts_with(&folder));
                keys.map(|key| Ok(serde_json::from_slice(&server.read(&key)?)?)).collect()
            }
        }
    }

    pub(super) fn s3(&self) -> Option<&S3Server> {
        match self {
            Self::Directory(_) => None,
            Self::S3(server) => Some(server),
        }
    }
}
