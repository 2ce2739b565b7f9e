//! Publishes the cluster's servers in the store: the agent beside the leader writes `published/endpoints.json` beside the loop, when they have changed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::authority::AuthorityHash;
use quorate_core::endpoint_directory::{DirectoryServer, EndpointDirectory, PLACE};
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use tracing::{Instrument, debug, info, warn};

use crate::adapters::distribution::Distribution;
use crate::adapters::object_store::{EndpointDirectoryStore, StoreError};
use crate::cycle::{Cycle, LastCycle};
use crate::rendered::Context;
use crate::repeats::Repeats;
use crate::telemetry::chain;

/// The list may change several times a minute while a group is replaced: it is written once.
const PAUSE: Duration = Duration::from_secs(60);
/// How soon it is read again: another agent, beside an earlier leader, may have overwritten it.
const AGAIN: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug)]
pub struct Publisher {
    store: Arc<EndpointDirectoryStore>,
    /// The distribution that runs the servers; none for the role etcd.
    distribution: Option<Arc<dyn Distribution>>,
    /// The root of the authority of etcd's certificates, on a node whose etcd is Quorate's own; there is no such file without TLS.
    root: Option<PathBuf>,
    /// The authority of its certificates, once it could be read.
    authority: Option<AuthorityHash>,
    /// What is in the store, as far as this agent knows, and since when it has known.
    known: Option<(EndpointDirectory, Timestamp)>,
    tried: Option<Timestamp>,
    /// The problem reported last.
    told: Option<String>,
    troubles: Repeats,
}

impl Publisher {
    /// A publisher for this store.
    #[must_use]
    pub fn new(store: Arc<EndpointDirectoryStore>, distribution: Option<Arc<dyn Distribution>>, root: Option<PathBuf>) -> Self {
        Self { store, distribution, root, authority: None, known: None, tried: None, told: None, troubles: Repeats::default() }
    }

    /// Starts publishing until the agent ends, beside the loop, which never waits for a slow store.
    pub fn start(mut self, mut cycles: LastCycle) {
        let work = async move {
            while cycles.changed().await.is_ok() {
                let cycle = cycles.borrow_and_update().clone();
                let api_port = self.distribution.as_ref().map(|distribution| distribution.api_port());
                match cycle.as_ref().and_then(|cycle| wanted(cycle, api_port)) {
                    Some(wanted) => {
                        let authority = self.authority();
                        self.keep(EndpointDirectory { authority, ..wanted }).await;
                    }
                    // Another leader's agent writes meanwhile what it knows.
                    None => self.known = None,
                }
            }
        };
        tokio::spawn(work.in_current_span());
    }

    /// The authority, which changes only with the cluster's certificates, and these need a restart of the server. It is read until it is known, and again when
    /// the list is due.
    fn authority(&mut self) -> Option<AuthorityHash> {
        let due = self.authority.is_none() || self.known.is_none();
        let read = self.distribution.as_ref().filter(|_| due).map(|distribution| distribution.authority());
        match read {
            Some(Ok(authority)) => self.authority = authority,
            Some(Err(error)) => debug!("the authority of the API's certificates cannot be read: {}", chain(&error)),
            None => {}
        }
        self.authority
    }

    async fn keep(&mut self, wanted: EndpointDirectory) {
        let now = wanted.written_at;
        let known = self.known.as_ref().is_some_and(|(known, at)| known.says_the_same(&wanted) && now.since(*at) < AGAIN);
        if known || self.tried.is_some_and(|at| now.since(at) < PAUSE) {
            return;
        }
        self.tried = Some(now);
        let published = match self.publish(&wanted).await {
            Ok(()) => self.publish_root().await,
            failed => failed,
        };
        match published {
            Ok(()) => (self.known, self.told) = (Some((wanted, now)), None),
            Err(why) => {
                if let Some(again) = self.troubles.news(PLACE, &why, now) {
                    warn!("where the cluster is served cannot be told in the store, and is tried again every minute: {why}{again}");
                }
                self.told = Some(why);
            }
        }
    }

    /// For whoever asks a member for a certificate, and has to know that it is one.
    async fn publish_root(&self) -> Result<(), String> {
        match self.root.as_ref().map(std::fs::read) {
            Some(Ok(pem)) => self.store.write_authority(&pem).await.map_err(|error| chain(&error)),
            // Without TLS there is none.
            Some(Err(_)) | None => Ok(()),
        }
    }

    async fn publish(&self, wanted: &EndpointDirectory) -> Result<(), String> {
        match self.store.read().await {
            Ok(Some(stands)) if stands.says_the_same(wanted) => return Ok(()),
            Ok(Some(stands)) if stands.is_newer_than(wanted) => {
                return Err(format!(
                    "{} wrote what rests on record {} of generation {}, which is not known here",
                    stands.written_by, stands.record, stands.generation
                ));
            }
            // An unreadable object is overwritten.
            Ok(_) | Err(StoreError::Malformed { .. }) => {}
            Err(error) => return Err(chain(&error)),
        }
        self.store.write(wanted).await.map_err(|error| chain(&error))?;
        info!("the store tells where the cluster is served: {}", instances(wanted));
        Ok(())
    }
}

fn instances(published: &EndpointDirectory) -> String {
    published.servers.iter().map(|server| server.instance.as_str()).collect::<Vec<_>>().join(", ")
}

/// What to publish, if this agent is beside the leader and a quorum confirms the members; nothing on any other, and never an empty list.
fn wanted(cycle: &Cycle, api_port: Option<u16>) -> Option<EndpointDirectory> {
    let me = &cycle.seen.me;
    let (record, membership) = (cycle.memory.kept.record.as_ref()?, cycle.seen.etcd.membership.fresh()?);
    if !cycle.leads() || record.etcd_cluster != Some(membership.cluster) {
        return None;
    }
    // Established, or it has no members that stay.
    let members = Context::of(cycle).members?;
    let servers = members.into_iter().filter_map(|member| {
        let url = match (me.role, api_port) {
            (Role::ControlPlane, Some(port)) => format!("https://{}", SocketAddr::new(member.address, port)),
            _ => member.client_url?.to_string(),
        };
        Some(DirectoryServer { instance: member.instance, address: member.address, url })
    });
    Some(EndpointDirectory {
        version: EndpointDirectory::VERSION,
        account: me.account.clone(),
        region: me.region.clone(),
        cluster: me.cluster.clone(),
        generation: record.generation,
        record: record.number,
        servers: servers.collect(),
        authority: None,
        written_at: cycle.at,
        written_by: me.instance.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use quorate_core::ids::Generation;
    use quorate_core::observation::Me;

    use super::*;

    fn me() -> Me {
        Me {
            instance: "i-1".into(),
            address: "10.0.0.1".parse().unwrap(),
            group: "g".into(),
            account: "1".into(),
            region: "eu-central-1".into(),
            cluster: "prod".into(),
            role: Role::Etcd,
            launched: Timestamp(0),
        }
    }

    fn publisher(dir: &Path) -> Publisher {
        let url = format!("file://{}", dir.display());
        let store = EndpointDirectoryStore::open(&url, &Default::default(), &me(), Duration::from_secs(5)).unwrap();
        Publisher::new(Arc::new(store), None, None)
    }

    /// A list of this many servers, written at this second.
    fn told(servers: u8, second: u64) -> EndpointDirectory {
        let Me { account, region, cluster, instance: written_by, .. } = me();
        let server = |n: u8| DirectoryServer {
            instance: format!("i-{n}").parse().unwrap(),
            address: [10, 0, 0, n].into(),
            url: format!("http://10.0.0.{n}:2379"),
        };
        let (version, generation, written_at) = (EndpointDirectory::VERSION, Generation(2), Timestamp(0) + Duration::from_secs(second));
        let servers = (1..=servers).map(server).collect();
        EndpointDirectory { version, account, region, cluster, generation, record: 7, servers, authority: None, written_at, written_by }
    }

    async fn stands(publisher: &Publisher) -> usize {
        publisher.store.read().await.unwrap().map_or(0, |published| published.servers.len())
    }

    #[tokio::test]
    async fn a_change_is_written_at_most_once_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = publisher(dir.path());
        for (servers, second, expected) in [(1, 0, 1), (2, 5, 1), (3, 59, 1), (3, 60, 3), (3, 200, 3)] {
            publisher.keep(told(servers, second)).await;
            assert_eq!(stands(&publisher).await, expected, "after {second} s");
        }
        assert_eq!(publisher.store.read().await.unwrap().unwrap(), told(3, 60), "an unchanged list is not written again");
        // Another agent overwrote it, which is noticed after ten minutes.
        publisher.store.write(&told(2, 300)).await.unwrap();
        publisher.keep(told(3, 600)).await;
        assert_eq!(stands(&publisher).await, 2);
        publisher.keep(told(3, 660)).await;
        assert_eq!(stands(&publisher).await, 3);
    }

    #[tokio::test]
    async fn what_is_newer_or_anothers_is_told_and_what_nobody_can_read_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut publisher = publisher(dir.path());
        publisher.store.write(&EndpointDirectory { record: 8, ..told(5, 0) }).await.unwrap();
        publisher.keep(told(3, 10)).await;
        assert!(stands(&publisher).await == 5 && publisher.told.as_ref().unwrap().contains("record 8"), "{publisher:?}");
        let path = dir.path().join("prod/published/endpoints.json");
        for unread in ["{", "{\"version\": 9}"] {
            fs::write(&path, unread).unwrap();
            assert!(publisher.store.read().await.is_err(), "{unread}");
        }
        publisher.keep(told(3, 80)).await;
        assert!(stands(&publisher).await == 3 && publisher.told.is_none());
        publisher.store.write(&EndpointDirectory { cluster: "other".into(), ..told(1, 90) }).await.unwrap();
        assert!(publisher.store.read().await.unwrap_err().to_string().contains("list of servers"));
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_is_told_once_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("mount");
        let mut publisher = publisher(&root);
        publisher.keep(told(1, 0)).await;
        assert!(publisher.told.is_some() && !root.exists(), "only the operator creates it");
        fs::create_dir(&root).unwrap();
        publisher.keep(told(1, 30)).await;
        assert!(publisher.told.is_some(), "it waits for a minute");
        publisher.keep(told(1, 60)).await;
        assert!(publisher.told.is_none() && stands(&publisher).await == 1);
    }
}
