//! `quorate credentials`, on an instance that is no member: asks a member for a certificate.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use quorate_core::handout::Gift;
use quorate_core::ids::{ClusterName, GroupName};
use quorate_core::observation::{Ec2Answer, Ec2State, Me};
use quorate_core::role::Role;
use quorate_core::text::{SENTENCE, printable};
use quorate_core::time::Timestamp;
use reqwest::{Certificate, Client, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::answer::{Given, PATH, Question, Refused};
use super::kept::{Kept, is_due};
use crate::adapters::aws::{AutoScaling, Ec2, Imds, InstanceIdentity, Sts, sdk};
use crate::adapters::object_store::EndpointDirectoryStore;
use crate::adapters::pki;
use crate::cli::CredentialsArgs;
use crate::clock::Clock;
use crate::config::Settings;
use crate::output;
use crate::telemetry::chain;

/// A member asks STS, EC2 and the store before it answers.
const LIMIT: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(3);

/// The answer is a few certificates.
const BODY_LIMIT: usize = 64 << 10;

/// How it ended, other than by an error of this machine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What was asked for is there.
    Done,
    /// No member could be asked, or none can issue now.
    Unavailable,
    /// It was asked too often, or AWS is away: later it may be given.
    Later,
    /// It is not given.
    Refused,
}

impl Ending {
    /// As sysexits(3) numbers it.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unavailable => 69,
            Self::Later => 75,
            Self::Refused => 77,
        }
    }
}

/// This instance and the cluster that it asks.
struct Asker<'a> {
    settings: &'a Settings,
    args: &'a CredentialsArgs,
    cluster: ClusterName,
    own: InstanceIdentity,
    aws: aws_config::SdkConfig,
    clock: Clock,
}

/// Asks, and writes what is given.
///
/// # Errors
/// Something of this machine's own: its configuration, its metadata, its files.
pub async fn run(settings: &Settings, args: &CredentialsArgs) -> anyhow::Result<Ending> {
    let cluster = args.cluster.clone().or_else(|| settings.cluster.name.clone());
    let cluster = cluster.context("the cluster is not known: give --cluster NAME, or set cluster.name")?;
    let imds = Imds::new(settings.aws.imds_timeout).of_family(settings.aws.ip_family);
    let own = imds.identity().await.context("it is not known which instance this is")?;
    let (kept, clock) = (Kept::in_dir(&args.out), Clock::start());
    let due = kept.validity(&own.instance).is_none_or(|validity| is_due(validity, clock.wall()));
    let aws = sdk::load(&own.region, &imds, settings.aws.call_timeout).await;
    let asker = Asker { settings, args, cluster, own, aws, clock };
    let authority = asker.authority().await;
    // A rotated authority makes the old certificate useless long before it ends. A store that does not answer is no reason to ask for another.
    let rotated = authority.as_ref().is_ok_and(|pem| !kept.recognises_by(pem));
    if args.renew && !due && !rotated {
        output::line("the certificate is not due to be renewed yet")?;
        return Ok(Ending::Done);
    }
    let client = client(&authority?, asker.own.address)?;
    let servers = asker.servers().await?;
    if servers.is_empty() {
        output::complain(format_args!("quorate: no member of {} is known: give --server ADDRESS", asker.cluster));
        return Ok(Ending::Unavailable);
    }
    let (key, csr) = pki::own_request(&asker.own.instance)?;
    let mut ending = Ending::Unavailable;
    for server in servers {
        match asker.ask(&client, server, &csr).await? {
            Ok(given) => {
                kept.write(&given, &key, &asker.cluster)?;
                output::line(format_args!("a certificate by {server} is in {}", args.out.display()))?;
                return Ok(Ending::Done);
            }
            Err((how, why)) => {
                output::complain(format_args!("quorate: {server}: {why}"));
                // A member that refuses says more than one that does not answer.
                ending = if how == Ending::Unavailable { ending } else { how };
            }
        }
    }
    Ok(ending)
}

/// By TLS alone, to whom the cluster's authority knows, past any proxy and through no redirect. It connects from the address that EC2 knows this instance by.
fn client(authority: &[u8], own: IpAddr) -> anyhow::Result<Client> {
    let roots = Certificate::from_pem_bundle(authority).context("the authority's file is no certificate in PEM")?;
    anyhow::ensure!(!roots.is_empty(), "the authority's file has no certificate in PEM");
    let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).https_only(true).http1_only();
    let builder = builder.connect_timeout(CONNECT).timeout(LIMIT).local_address(own);
    Ok(builder.tls_certs_only(roots).build()?)
}

impl Asker<'_> {
    /// The authority by which members are known: a file that the operator gave, or what the members publish in the store.
    async fn authority(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(path) = &self.args.ca {
            return read(path);
        }
        let url = self.args.store.as_ref().or(self.settings.cluster.store_url.as_ref());
        let url = url.context("it is not known by which authority a member is recognised: give --ca FILE, or --store URL")?;
        let settings = &self.settings.cluster.store_options;
        let store = EndpointDirectoryStore::open(url, settings, &self.me()?, self.settings.policy.call_timeout)?;
        store.read_authority().await?.context("the store has no published/ca.pem: is the cluster's TLS on?")
    }

    /// As the store wants it, which asks only for region and cluster.
    fn me(&self) -> anyhow::Result<Me> {
        let InstanceIdentity { instance, account, region, address, launched, .. } = self.own.clone();
        let (group, cluster) = (GroupName::parse("none")?, self.cluster.clone());
        Ok(Me { instance, address, group, account, region, cluster, role: Role::Worker, launched })
    }

    /// The members: those that were named, or else the instances of the cluster's groups, found by their tags.
    async fn servers(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let at = |address: IpAddr| SocketAddr::new(address, self.settings.peer_port);
        if !self.args.server.is_empty() {
            return Ok(self.args.server.iter().copied().map(at).collect());
        }
        let groups =
            AutoScaling::new(&self.aws).groups(&self.cluster, Role::Etcd).await.context("the members are not known: give --server")?;
        let ids: Vec<_> = groups.listed.into_keys().collect();
        let known = Ec2::new(&self.aws).of_family(self.settings.aws.ip_family).describe(&ids).await;
        let known = known.context("the members' addresses are not known: give --server")?;
        let runs = |answer| match answer {
            Ec2Answer::Known { state: Ec2State::Running, address, .. } => address,
            _ => None,
        };
        Ok(known.into_values().filter_map(runs).map(at).collect())
    }

    /// Asks one member, with a proof of its own.
    async fn ask(&self, client: &Client, server: SocketAddr, csr: &str) -> anyhow::Result<Result<Given, (Ending, String)>> {
        let hash = Sha256::digest(csr).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let proof = Sts::new(&self.aws).presign(&self.cluster, &hash, self.now()).await?;
        let question = Question { gives: Gift::EtcdClient, csr: csr.to_owned(), proof };
        let body = serde_json::to_vec(&question)?;
        let sent = client.post(format!("https://{server}{PATH}")).header("content-type", "application/json").body(body).send().await;
        Ok(match sent {
            Ok(response) => read_answer(response).await,
            Err(error) => Err((Ending::Unavailable, format!("no answer: {}", chain(&error.without_url())))),
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.wall()
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn read_answer(mut response: Response) -> Result<Given, (Ending, String)> {
    let status = response.status();
    let odd = |why: String| (Ending::Unavailable, why);
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| odd(format!("the answer breaks off: {}", chain(&error.without_url()))))? {
        body.extend_from_slice(&part);
        if body.len() > BODY_LIMIT {
            return Err(odd(format!("the answer has more than {BODY_LIMIT} bytes")));
        }
    }
    if status == StatusCode::OK {
        return serde_json::from_slice(&body).map_err(|error| odd(format!("the answer cannot be read: {error}")));
    }
    let ending = match status {
        StatusCode::NOT_FOUND => return Err((Ending::Refused, "it gives nothing: its configuration has no [[grant]]".to_owned())),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Ending::Later,
        _ => Ending::Refused,
    };
    match serde_json::from_slice::<Refused>(&body) {
        Ok(Refused { refused, why }) => Err((ending, format!("{} ({})", printable(&why, SENTENCE), printable(&refused, SENTENCE)))),
        Err(_) => Err(odd(format!("it answers {status}"))),
    }
}
