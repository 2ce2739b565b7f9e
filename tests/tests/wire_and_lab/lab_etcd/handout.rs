//! What a cluster with TLS hands out: an application instance proves its role by STS and gets a client's certificate; whatever does not hold is refused.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use quorate::adapters::aws::{Imds, Sts, sdk};
use quorate::adapters::pki::own_request;
use quorate::handout::{PATH, Question};
use quorate_core::handout::Gift;
use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::time::Timestamp;
use quorate_lab::lab::{Lab, LabOptions, url};
use quorate_lab::region::{GroupSpec, InstanceKeys};
use quorate_lab::wire::{Fault, ImdsServer, Rule, Scope};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::group::{CLUSTER, Group, HOOK, LIMIT};

const ROLE: &str = "arn:aws:iam::123456789012:role/apps/web";

/// A member with TLS that grants clients' certificates to the role `web`, an instance with that role, and one with another.
struct World {
    group: Group,
    member: InstanceId,
    web: InstanceId,
    other: InstanceId,
}

impl World {
    async fn new() -> anyhow::Result<Self> {
        let mut options = LabOptions::quick()?;
        let settings = options.settings.text("tls.mode", "managed").raw("peer.i_trust_this_network_without_tls", "false");
        // The lab writes the name of a section in brackets: this one may be repeated.
        options.settings = settings.text("[grant].role_arn", ROLE).raw("[grant].gives", "[\"etcd-client\"]");
        let lab = Lab::start(options).await?;
        let (web, other) =
            (lab.create_group(GroupSpec::new("web", 1).iam_role("web"))?, lab.create_group(GroupSpec::new("other", 1).iam_role("other"))?);
        let group = Group::launched(lab, 1)?;
        group.settled(1, None).await?;
        let lab = &group.lab;
        let (web, other) = (booted(lab, &web).await?, booted(lab, &other).await?);
        Ok(Self { member: group.live()[0].clone(), group, web, other })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.group.lab.disk(&self.member).join("state/tls/own").join(name)
    }

    fn member_address(&self) -> anyhow::Result<IpAddr> {
        self.group.lab.address(&self.member)
    }

    /// STS as this instance asks it and signs for it, as long as its metadata are there.
    async fn sts(&self, instance: &InstanceId) -> anyhow::Result<(Sts, ImdsServer)> {
        let metadata = self.group.lab.metadata(instance).await?;
        let imds = Imds::at(&metadata.url(), Duration::from_secs(5))?;
        let config = sdk::load_at(&self.group.lab.url(), &"eu-central-1".into(), &imds, Duration::from_secs(5)).await;
        Ok((Sts::new(&config), metadata))
    }

    fn now(&self) -> Timestamp {
        self.group.lab.region().now()
    }

    /// A question as it should be, signed by this instance at this time.
    async fn question(&self, sts: &Sts, by: &InstanceId, cluster: &str, at: Timestamp) -> anyhow::Result<Question> {
        let (_, csr) = own_request(by)?;
        let hash = Sha256::digest(&csr).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let proof = sts.presign(&ClusterName::new(cluster), &hash, at).await?;
        Ok(Question { gives: Gift::EtcdClient, csr, proof })
    }

    /// Asks the member from this address: the status, and the answer.
    async fn ask(&self, scheme: &str, from: IpAddr, body: Vec<u8>) -> anyhow::Result<(u16, Value)> {
        let root = reqwest::Certificate::from_pem(&std::fs::read(self.file("ca.pem"))?)?;
        let client =
            reqwest::Client::builder().no_proxy().local_address(from).tls_certs_only([root]).timeout(Duration::from_secs(20)).build()?;
        let at = format!("{scheme}://{}:2378{PATH}", self.member_address()?);
        let answer = client.post(at).header("content-type", "application/json").body(body).send().await?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn refused(&self, from: IpAddr, question: &Question) -> anyhow::Result<(u16, String)> {
        let (status, answer) = self.ask("https", from, serde_json::to_vec(question)?).await?;
        Ok((status, answer["refused"].as_str().unwrap_or("granted").to_owned()))
    }
}

/// The instance of a group of one, once it can be typed on.
async fn booted(lab: &Lab, group: &GroupName) -> anyhow::Result<InstanceId> {
    let there = || async {
        let live = lab.live(group);
        live.first().filter(|one| lab.disk(one).join("config.toml").exists()).cloned().ok_or_else(|| format!("{live:?}"))
    };
    lab.until(LIMIT, "an application's instance", there).await
}

/// An address of nobody's: each question of a test comes from one of its own, so that none is limited for another's sake.
fn nobody(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 66, 0, n).into()
}

/// Asks etcd's own gateway for a key, from this address with this certificate.
async fn read_key(etcd: (IpAddr, u16), from: IpAddr, pem: &Path) -> anyhow::Result<Result<u16, String>> {
    let identity = reqwest::Identity::from_pem(&std::fs::read(pem)?)?;
    let builder = reqwest::Client::builder().no_proxy().http1_only().local_address(from).timeout(Duration::from_secs(5));
    let root = reqwest::Certificate::from_pem(&std::fs::read(pem.with_file_name("ca.pem"))?)?;
    let client = builder.tls_certs_only([root]).identity(identity).build()?;
    // "a", in base64.
    let sent = client.post(format!("{}/v3/kv/range", url::https(etcd.0, etcd.1))).body(r#"{"key":"YQ=="}"#).send().await;
    Ok(sent.map(|answer| answer.status().as_u16()).map_err(|error| format!("{error:?}")))
}

#[tokio::test]
async fn an_application_gets_a_certificate_for_etcd_and_for_nothing_else() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (lab, address) = (&world.group.lab, world.member_address()?);
    let published = || async {
        let there = lab.store(CLUSTER).join(CLUSTER).join("published/ca.pem").exists();
        if there { Ok(()) } else { Err("published/ca.pem is not there".to_owned()) }
    };
    lab.until(LIMIT, "the authority to be published", published).await?;
    let spec = lab.group("unused", CLUSTER, 1, HOOK);
    let store = spec.tags.iter().find(|tag| &*tag.key == "quorate:store").context("no store")?.value.to_string();
    let out = lab.disk(&world.web).join("credentials");
    let arguments = ["--out", out.to_str().context("no path")?, "--cluster", CLUSTER, "--store", &store];
    let printed = lab.type_in(&world.web, "credentials", &arguments).await?;
    assert!(printed.succeeded, "{printed:?}");
    let (pem, from) = (out.join("client.pem"), lab.address(&world.web)?);
    assert_eq!(read_key((address, 2379), from, &pem).await?, Ok(200));
    let peers = read_key((address, 2380), from, &pem).await?;
    assert!(peers.is_err(), "the peers' port takes it: {peers:?}");
    let env = std::fs::read_to_string(out.join("endpoints.env"))?;
    assert!(env.contains(&format!("ETCDCTL_ENDPOINTS=\"https://{address}:2379\"")), "{env}");
    // It is not renewed before half of its life.
    let before = std::fs::read(&pem)?;
    let printed = lab.type_in(&world.web, "credentials", &[&arguments[..], &["--renew"]].concat()).await?;
    assert!(printed.succeeded && std::fs::read(&pem)? == before, "{printed:?}");
    let printed = lab.type_in(&world.web, "credentials", &arguments).await?;
    assert!(printed.succeeded && std::fs::read(&pem)? != before, "{printed:?}");
    // Another role gets nothing, and is told why. A member of another authority is not asked anything.
    let printed = lab.type_in(&world.other, "credentials", &arguments).await?;
    assert!(!printed.succeeded && printed.err.contains("no grant of etcd-client") && printed.err.contains("no-grant"), "{printed:?}");
    let foreign = out.join("foreign.pem");
    std::fs::write(&foreign, foreign_authority()?)?;
    let arguments = ["--out", arguments[1], "--cluster", CLUSTER, "--ca", foreign.to_str().context("no path")?];
    let printed = lab.type_in(&world.web, "credentials", &arguments).await?;
    assert!(!printed.succeeded && printed.err.contains("no answer"), "{printed:?}");
    let token = InstanceKeys::of(&world.web).token;
    for file in std::fs::read_dir(lab.directory())?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()? {
        let log = if file.extension().is_some_and(|kind| kind == "log") { std::fs::read_to_string(&file)? } else { continue };
        assert!(!log.contains(&token), "a session token is in {}", file.display());
    }
    Ok(())
}

/// The root of a cluster that has nothing to do with this one.
fn foreign_authority() -> anyhow::Result<String> {
    let me = crate::fixtures::me();
    let wall = quorate::clock::Clock::start().wall();
    Ok(quorate::adapters::pki::AuthorityDocument::make(&me, wall)?.open(&me)?.root().to_owned())
}

#[tokio::test]
async fn whatever_does_not_hold_is_refused_by_its_name() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (lab, web) = (&world.group.lab, &world.web);
    let ((sts, _metadata), now) = (world.sts(web).await?, world.now());
    let seconds = Duration::from_secs;
    let named = |name: &str| (403, name.to_owned());
    let mut wrong = Vec::new();
    let mut expect = |got: (u16, String), wanted: (u16, String)| {
        if got != wanted {
            wrong.push(format!("{wanted:?} is {got:?}"));
        }
    };
    let good = |at: Timestamp| world.question(&sts, web, CLUSTER, at);

    expect(world.refused(nobody(1), &world.question(&sts, web, "prod", now).await?).await?, named("other-cluster"));
    expect(world.refused(nobody(2), &good(now - seconds(310)).await?).await?, named("too-old"));
    expect(world.refused(nobody(3), &good(now + seconds(120)).await?).await?, named("from-the-future"));
    let another_csr = Question { csr: own_request(web)?.1, ..good(now).await? };
    expect(world.refused(nobody(4), &another_csr).await?, named("other-csr"));
    let mut unsigned = good(now).await?;
    unsigned.proof.query.insert("X-Amz-SignedHeaders".to_owned(), "host;x-quorate-csr-sha256".to_owned());
    expect(world.refused(nobody(5), &unsigned).await?, named("unfit-proof"));
    let mut more = good(now).await?;
    more.proof.headers.insert("x-more".to_owned(), "1".to_owned());
    expect(world.refused(nobody(6), &more).await?, named("unsigned-header"));
    let mut other_action = good(now).await?;
    other_action.proof.query.insert("Action".to_owned(), "AssumeRole".to_owned());
    expect(world.refused(nobody(7), &other_action).await?, named("unfit-proof"));
    let sent = lab.asked().by_agents().contains("sts:GetCallerIdentity");
    expect((u16::from(sent), "sent".to_owned()), (0, "sent".to_owned()));

    let mut forged = good(now).await?;
    forged.proof.query.insert("X-Amz-Signature".to_owned(), "ab".repeat(32));
    expect(world.refused(nobody(8), &forged).await?, named("not-proved"));
    // Stolen from its instance, and shown from another address.
    let stolen = good(now).await?;
    expect(world.refused(nobody(9), &stolen).await?, named("another-address"));
    let (others, _others) = world.sts(&world.other).await?;
    let from_other = world.question(&others, &world.other, CLUSTER, now).await?;
    expect(world.refused(lab.address(&world.other)?, &from_other).await?, named("no-grant"));
    // What was refused elsewhere is good at home, once.
    let (status, given) = world.ask("https", lab.address(web)?, serde_json::to_vec(&stolen)?).await?;
    assert!(status == 200 && given["certificate"].as_str().is_some_and(|pem| pem.contains("BEGIN CERTIFICATE")), "{status} {given}");
    expect(world.refused(lab.address(web)?, &stolen).await?, named("replayed"));

    let rule = lab.faults().add(Rule::new(Scope::action("GetCallerIdentity"), Fault::HangUp));
    expect(world.refused(nobody(10), &good(now).await?).await?, (503, "aws-away".to_owned()));
    lab.faults().remove(rule);
    let (status, answer) = world.ask("http", nobody(11), serde_json::to_vec(&good(now).await?)?).await?;
    expect((status, answer["refused"].to_string()), (426, "\"without-tls\"".to_owned()));
    let mut with_host = serde_json::to_value(good(now).await?)?;
    with_host["proof"]["host"] = json!("sts.example.com");
    let (status, answer) = world.ask("https", nobody(12), serde_json::to_vec(&with_host)?).await?;
    expect((status, answer["refused"].to_string()), (400, "\"unreadable\"".to_owned()));
    let (status, _) = world.ask("https", nobody(13), vec![b' '; 40 << 10]).await?;
    expect((status, String::new()), (413, String::new()));
    for n in 0..6 {
        let (status, answer) = world.ask("https", nobody(14), b"{}".to_vec()).await?;
        let wanted = if n < 5 { (400, "\"unreadable\"".to_owned()) } else { (429, "\"rate-limited\"".to_owned()) };
        expect((status, answer["refused"].to_string()), wanted);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
