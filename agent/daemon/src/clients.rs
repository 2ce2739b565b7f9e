//! Everything outside that the agent reaches, opened once at start.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::observation::Me;
use quorate_core::role::Role;
use quorate_core::transport::Transport;
use tracing::{info, warn};

use crate::adapters::aws::{AutoScaling, Ec2, Imds, LoadBalancing, Sts, sdk};
use crate::adapters::distribution::{self, Distribution, DistributionServer};
use crate::adapters::etcd::{CredentialFiles, Etcd, VersionClient};
use crate::adapters::host::{DataDir, Trash};
use crate::adapters::kubernetes::KubernetesError;
use crate::adapters::object_store::{AuthorityStore, CharterStore, EndpointDirectoryStore, SnapshotStore, StoreError};
use crate::adapters::peer::{PeerClient, PeerError};
use crate::adapters::pki::{AgentPort, EtcdFiles, OwnFiles};
use crate::adapters::service_manager::exec::ExecPaths;
use crate::adapters::service_manager::{self, EtcdServer, Exec, MemberSpec, Program, ServiceManager, Systemd, SystemdPaths};
use crate::certificates::OwnCertificates;
use crate::clock::Clock;
use crate::config::{Settings, UNIT};
use crate::identity;
use crate::kubernetes::Kubernetes;
use crate::snapshot::{DrillPlace, Places, Snapshots};
use crate::systemd::{Bus, notify};
use crate::telemetry::chain;

/// Pause before the identity is asked for again.
const RETRY: Duration = Duration::from_secs(1);

/// The outside.
#[derive(Clone)]
pub struct Clients {
    /// This instance's identity.
    pub me: Me,
    /// The instance metadata service.
    pub imds: Arc<Imds>,
    /// EC2.
    pub ec2: Arc<Ec2>,
    /// Auto Scaling.
    pub autoscaling: Arc<AutoScaling>,
    /// Elastic Load Balancing; none where no target groups are configured.
    pub load_balancing: Option<Arc<LoadBalancing>>,
    /// STS; none where nothing is granted to anybody.
    pub sts: Option<Arc<Sts>>,
    /// The charter's store.
    pub store: Arc<CharterStore>,
    /// A store is configured; without one only the nodes' memories hold the records.
    pub has_store: bool,
    /// The snapshots; none without a store, on a worker, or if they are switched off.
    pub snapshots: Option<Arc<Snapshots>>,
    /// What the store publishes about the cluster; none without a store.
    pub published: Option<Arc<EndpointDirectoryStore>>,
    /// Where restore drills are made.
    pub drill: Arc<DrillPlace>,
    /// etcd.
    pub etcd: Arc<Etcd>,
    /// Asks etcd's members for their cluster's version; none if a distribution runs them.
    pub etcd_versions: Option<VersionClient>,
    /// This node's certificates.
    pub certificates: Arc<OwnCertificates>,
    /// The store of their authority; none without a store, or if a distribution runs etcd.
    pub authority: Option<Arc<AuthorityStore>>,
    /// The agents' own port.
    pub agent_port: AgentPort,
    /// The other agents.
    pub peers: Arc<PeerClient>,
    /// What runs etcd.
    pub service: Arc<dyn ServiceManager>,
    /// The Kubernetes distribution on this node; none for the role etcd.
    pub distribution: Option<Arc<dyn Distribution>>,
    /// The Kubernetes around it, likewise.
    pub kubernetes: Option<Arc<Kubernetes>>,
    /// Where data is put aside.
    pub trash: Arc<Trash>,
    /// systemd's bus; not opened unless something needs it.
    pub bus: Bus,
}

impl Clients {
    /// Finds out who this instance is, asking until there is an answer, and opens everything else.
    ///
    /// # Errors
    /// What waiting would not fix: a store URL that cannot be opened, a service manager that cannot work.
    pub async fn enter(settings: &Settings, clock: Clock) -> anyhow::Result<Self> {
        let call_timeout = settings.aws.call_timeout;
        let imds = Arc::new(Imds::new(settings.aws.imds_timeout).of_family(settings.aws.ip_family));
        let region = patiently(|| async { imds.identity().await.map(|identity| identity.region) }).await;
        let aws = sdk::load(&region, &imds, call_timeout).await;
        let (ec2, autoscaling) = (Arc::new(Ec2::new(&aws).of_family(settings.aws.ip_family)), Arc::new(AutoScaling::new(&aws)));
        let resolved = patiently(|| identity::resolve(&imds, &autoscaling, settings)).await;
        let bus = Bus::default();
        let distribution = distribution::of(settings, &resolved.me, &resolved.zone);
        let published = published(settings, resolved.store_url.as_deref(), &resolved.me)?;
        // A worker founds nothing and recovers nothing: it does not need the charter, and may not read it.
        let store_url = resolved.store_url.filter(|_| resolved.me.role != Role::Worker);
        let store = CharterStore::open(store_url.as_deref(), &settings.cluster.store_options, &resolved.me, settings.policy.call_timeout)?;
        match &store_url {
            Some(url) => info!("the charter is kept at {url}"),
            None if resolved.me.role == Role::Worker => {}
            None => info!("no store is configured: nothing is founded without an operator's order"),
        }
        let certificates = Arc::new(own_certificates(settings, &resolved.me));
        let credentials = credentials(&certificates.files);
        let etcd = Arc::new(etcd(distribution.as_deref(), credentials.clone(), settings.policy.call_timeout, clock));
        let data = data_dir(distribution.as_deref(), settings);
        let drill = Arc::new(DrillPlace::new(data.drill(), settings.paths.state_dir.join("drills.json"), resolved.me.instance.clone()));
        let places = Places { fetched: data.fetched(), drill: Arc::clone(&drill) };
        let snapshots = snapshots(settings, store_url.as_deref(), &resolved.me, &etcd, clock, places)?;
        let authority = authority(settings, store_url.as_deref(), &resolved.me)?;
        let agent_port = AgentPort::new(certificates.files.clone());
        Ok(Self {
            certificates,
            authority,
            imds,
            ec2,
            autoscaling,
            load_balancing: (!settings.policy.target_groups.is_empty()).then(|| Arc::new(LoadBalancing::new(&aws))),
            sts: (!settings.grants.is_empty()).then(|| Arc::new(Sts::new(&aws))),
            store: Arc::new(store),
            has_store: store_url.is_some(),
            etcd,
            snapshots,
            published,
            drill,
            etcd_versions: if resolved.me.role == Role::Etcd { Some(VersionClient::new(Some(credentials))?) } else { None },
            peers: Arc::new(peers(&resolved.me, agent_port.clone())?),
            agent_port,
            service: service(settings, &resolved.me, distribution.clone(), &bus, clock),
            bus,
            trash: Arc::new(Trash::new(
                distribution.as_ref().map_or_else(|| settings.paths.trash(), |distribution| distribution.data().trash),
            )),
            kubernetes: kubernetes(distribution.as_ref(), &resolved.me, settings.policy.call_timeout, clock)?,
            distribution,
            me: resolved.me,
        })
    }
}

fn authority(settings: &Settings, store_url: Option<&str>, me: &Me) -> Result<Option<Arc<AuthorityStore>>, StoreError> {
    let Some(url) = store_url.filter(|_| me.role == Role::Etcd) else { return Ok(None) };
    Ok(Some(Arc::new(AuthorityStore::open(url, &settings.cluster.store_options, me, settings.policy.call_timeout)?)))
}

fn published(settings: &Settings, store_url: Option<&str>, me: &Me) -> Result<Option<Arc<EndpointDirectoryStore>>, StoreError> {
    let Some(url) = store_url else { return Ok(None) };
    Ok(Some(Arc::new(EndpointDirectoryStore::open(url, &settings.cluster.store_options, me, settings.policy.call_timeout)?)))
}

fn snapshots(
    settings: &Settings,
    store_url: Option<&str>,
    me: &Me,
    etcd: &Arc<Etcd>,
    clock: Clock,
    places: Places,
) -> Result<Option<Arc<Snapshots>>, StoreError> {
    let Some(url) = store_url.filter(|_| settings.policy.snapshots.enabled) else { return Ok(None) };
    let store = SnapshotStore::open(url, &settings.cluster.store_options, me, settings.policy.call_timeout)?;
    Ok(Some(Arc::new(Snapshots::new(Arc::new(store), Arc::clone(etcd), me.clone(), clock, places))))
}

/// Where this node's etcd serves clients while it serves only this node.
#[derive(Clone, Debug)]
pub struct FoundingUrls {
    plain: Arc<str>,
    tls: Arc<str>,
}

impl FoundingUrls {
    /// The one of a cluster like this.
    #[must_use]
    pub fn with(&self, transport: Transport) -> Arc<str> {
        match transport {
            Transport::Plain => self.plain.clone(),
            Transport::Tls => self.tls.clone(),
        }
    }

    /// The one with the scheme of this URL of the same member.
    #[must_use]
    pub fn like(&self, url: &str) -> Arc<str> {
        self.with(if url.starts_with("https://") { Transport::Tls } else { Transport::Plain })
    }
}

impl Clients {
    /// The URLs at which this node's etcd serves clients while it serves only this node.
    #[must_use]
    pub fn founding_urls(&self, settings: &Settings) -> FoundingUrls {
        // k3s' etcd always listens there; it also listens on the node's own address, except when its cluster ends.
        let url = |transport| self.me.role.client_url(settings.etcd.founding_address, transport).to_string().into();
        FoundingUrls { plain: url(Transport::Plain), tls: url(Transport::Tls) }
    }

    /// The member's data directory, with what is put aside with it.
    #[must_use]
    pub fn data_dir(&self, settings: &Settings) -> DataDir {
        data_dir(self.distribution.as_deref(), settings)
    }
}

fn data_dir(distribution: Option<&dyn Distribution>, settings: &Settings) -> DataDir {
    let data = match distribution.map(Distribution::data) {
        Some(place) => DataDir::new(place.etcd).with(place.beside),
        None => DataDir::new(&settings.paths.data_dir),
    };
    data.below(settings.paths.data_mount.clone())
}

/// Asks until there is an answer, and reports each new failure. Without knowing who this is, nothing else can be done.
async fn patiently<T, E, F>(mut ask: impl FnMut() -> F) -> T
where
    E: std::error::Error,
    F: Future<Output = Result<T, E>>,
{
    let mut told = None;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                let text = chain(&error);
                if told.as_ref() != Some(&text) {
                    warn!("does not know yet who this instance is: {text}");
                    told = Some(text);
                }
            }
        }
        notify::waiting_to_start("does not know yet who this instance is");
        tokio::time::sleep(RETRY).await;
    }
}

/// The client for peers, which sends this server's id: a server that has not joined has no other way to make itself known to the members.
fn peers(me: &Me, port: AgentPort) -> Result<PeerClient, PeerError> {
    let client = PeerClient::new()?.over(port);
    Ok(if me.role == Role::ControlPlane { client.naming(me.instance.clone()) } else { client })
}

fn kubernetes(
    distribution: Option<&Arc<dyn Distribution>>,
    me: &Me,
    limit: Duration,
    clock: Clock,
) -> Result<Option<Arc<Kubernetes>>, KubernetesError> {
    let Some(distribution) = distribution else { return Ok(None) };
    Ok(Some(Arc::new(Kubernetes::new(Arc::clone(distribution), &me.instance, limit, clock)?)))
}

fn own_certificates(settings: &Settings, me: &Me) -> OwnCertificates {
    let names: Vec<String> = settings.kubernetes.alias.iter().map(ToString::to_string).collect();
    OwnCertificates::new(OwnFiles::in_dir(&settings.paths.tls_dir()), me, (&[settings.etcd.founding_address], &names))
}

/// With what this node's own etcd is asked. They are not there in a cluster without TLS.
fn credentials(files: &OwnFiles) -> CredentialFiles {
    CredentialFiles { ca: files.clients_ca.clone(), certificate: files.client.clone(), key: files.client.clone() }
}

fn etcd(distribution: Option<&dyn Distribution>, own: CredentialFiles, call_timeout: Duration, clock: Clock) -> Etcd {
    match distribution {
        Some(distribution) => Etcd::of_distribution(distribution.etcd_credentials(), call_timeout, clock),
        None => Etcd::new(Some(own), call_timeout, clock),
    }
}

fn member_spec(settings: &Settings, me: &Me) -> MemberSpec {
    MemberSpec {
        name: me.instance.clone(),
        address: me.address,
        data_dir: settings.paths.data_dir.clone(),
        founding_address: settings.etcd.founding_address,
        certificates: EtcdFiles::in_dir(&settings.paths.tls_dir().join("etcd")),
        flags: settings.etcd.flags(),
        environment: settings.etcd.env.clone(),
    }
}

fn service(settings: &Settings, me: &Me, distribution: Option<Arc<dyn Distribution>>, bus: &Bus, clock: Clock) -> Arc<dyn ServiceManager> {
    let (run_dir, state_dir) = (settings.paths.run_dir.clone(), settings.paths.state_dir.clone());
    let unit = settings.service.unit(distribution.as_ref().map_or(UNIT, |distribution| distribution.unit())).map(str::to_owned);
    let program: Arc<dyn Program> = match distribution {
        Some(distribution) => Arc::new(DistributionServer::new(distribution, &run_dir, settings.kubernetes.env.clone())),
        None => Arc::new(EtcdServer::new(settings.etcd.binary.clone(), &run_dir, member_spec(settings, me))),
    };
    match unit {
        None => {
            let log_file = service_manager::log_file(&state_dir, program.name());
            Arc::new(Exec::new(ExecPaths { run_dir, log_file }, program, clock))
        }
        Some(unit) => Arc::new(Systemd::new(SystemdPaths { unit, run_dir, state_dir }, program, bus.clone(), clock)),
    }
}
