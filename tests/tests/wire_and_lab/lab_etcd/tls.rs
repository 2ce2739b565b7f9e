//! A cluster with TLS, on real etcd: whom it lets in, what renewing costs, and how it comes back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use quorate_core::ids::InstanceId;
use quorate_lab::lab::writer::Label;
use quorate_lab::lab::{AgentSettings, LabOptions, url};
use rustix::process::Signal;
use serde_json::Value;

use super::group::{CLUSTER, Group, LIMIT};

/// A cluster with TLS, with certificates of this life. Nobody vouches for its network.
async fn of(size: u32, life: Duration) -> anyhow::Result<Group> {
    let managed = |settings: AgentSettings| settings.text("tls.mode", "managed").raw("tls.leaf_life_s", life.as_secs().to_string());
    let options = LabOptions::quick()?.set(|settings| managed(settings).raw("peer.i_trust_this_network_without_tls", "false"));
    Group::with(options, size).await
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn own(group: &Group, instance: &InstanceId, name: &str) -> PathBuf {
    group.lab.disk(instance).join("state/tls/own").join(name)
}

/// Whether the port at this address answers a question over TLS, for whoever shows this certificate and its key.
async fn answers(at: (IpAddr, u16), shown: Option<&Path>) -> anyhow::Result<Result<u16, String>> {
    // Whom it meets is not the question here, only what is shown. The peers' port takes HTTP/2 for gRPC.
    let mut builder =
        reqwest::Client::builder().no_proxy().http1_only().timeout(Duration::from_secs(5)).tls_danger_accept_invalid_certs(true);
    if let Some(path) = shown {
        let pem = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        builder = builder.identity(reqwest::Identity::from_pem(&pem)?);
    }
    let answer = builder.build()?.get(format!("{}/version", url::https(at.0, at.1))).send().await;
    Ok(answer.map(|answer| answer.status().as_u16()).map_err(|error| format!("{error:?}")))
}

/// The authority that the charter names, in every record since the first that does.
fn authority(group: &Group) -> anyhow::Result<String> {
    let records = group.lab.charter(CLUSTER)?;
    anyhow::ensure!(records.iter().all(|record| record["transport"] == "tls"), "{records:#?}");
    let mut named: Vec<&str> = records.iter().filter_map(|record| record["authority"].as_str()).collect();
    named.dedup();
    match named[..] {
        [one] => Ok(one.to_owned()),
        _ => anyhow::bail!("the charter names {named:?}"),
    }
}

#[tokio::test]
async fn only_certificates_of_the_right_authority_open_the_ports_of_etcd() -> anyhow::Result<()> {
    let (group, other) = (of(3, WEEK).await?, of(1, WEEK).await?);
    let (one, stranger) = (group.live()[0].clone(), other.live()[0].clone());
    let (address, client) = (group.lab.address(&one)?, own(&group, &one, "client.pem"));
    let peer = group.lab.disk(&one).join("state/tls/etcd/peer.pem");
    let agent = own(&group, &one, "agent.pem");
    let (clients, peers) = ((address, 2379), (address, 2380));
    assert_eq!(answers(clients, Some(&client)).await?, Ok(200));
    let answer = answers(peers, Some(&peer)).await?;
    let log = std::fs::read_to_string(group.lab.disk(&one).join("state/etcd.log"))?;
    assert_eq!(answer, Ok(200), "{}", &log[log.len().saturating_sub(1500)..]);
    for (at, shown, who) in [
        (clients, None, "nobody at the clients' port"),
        (peers, None, "nobody at the peers' port"),
        (peers, Some(&client), "a client at the peers' port"),
        (peers, Some(&agent), "an agent at the peers' port"),
        (clients, Some(&peer), "a peer at the clients' port"),
        (clients, Some(&agent), "an agent at the clients' port"),
        (clients, Some(&own(&other, &stranger, "client.pem")), "another cluster's client"),
        (peers, Some(&other.lab.disk(&stranger).join("state/tls/etcd/peer.pem")), "another cluster's peer"),
    ] {
        let answer = answers(at, shown.map(PathBuf::as_path)).await?;
        assert!(answer.is_err(), "{who} gets {answer:?}");
    }
    let plain = reqwest::Client::builder().no_proxy().build()?.get(format!("{}/version", url::http(address, 2379))).send().await;
    assert!(plain.is_err() || plain.is_ok_and(|answer| answer.status() == 400));
    Ok(())
}

#[tokio::test]
async fn a_cluster_with_tls_tells_its_clients_what_they_need() -> anyhow::Result<()> {
    let group = of(3, WEEK).await?;
    let one = group.live()[0].clone();
    let hash = authority(&group)?;
    let status = group.lab.status(&one).await?;
    assert_eq!(status["tls"]["authority"], Value::from(hash), "{status:#}");
    let env: BTreeMap<String, String> = std::fs::read_to_string(group.lab.disk(&one).join("run/endpoints.env"))?
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect();
    assert!(env["ETCDCTL_ENDPOINTS"].split(',').all(|url| url.starts_with("https://")), "{env:?}");
    assert_eq!(env["ETCDCTL_CERT"], own(&group, &one, "client.pem").display().to_string());
    let (passes, found) = group.lab.check(&one).await?;
    assert!(passes, "{found:#}");
    // Nobody but the owner reads a key.
    use std::os::unix::fs::PermissionsExt;
    for file in [own(&group, &one, "client.pem"), own(&group, &one, "agent.pem"), group.lab.disk(&one).join("state/tls/etcd/server.pem")] {
        assert_eq!(std::fs::metadata(&file)?.permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    Ok(())
}

#[tokio::test]
async fn every_instance_of_a_group_with_tls_is_replaced_under_load() -> anyhow::Result<()> {
    let group = of(3, WEEK).await?;
    let hash = authority(&group)?;
    group.is_replaced_under_load().await?;
    assert_eq!(authority(&group)?, hash);
    Ok(())
}

/// Every certificate is replaced about every 10 s. Nothing restarts, and no write fails.
#[tokio::test]
async fn certificates_are_renewed_under_load_and_nothing_restarts() -> anyhow::Result<()> {
    let seconds = std::env::var("QUORATE_RENEWALS_S").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let group = of(3, Duration::from_secs(20)).await?;
    let processes = || group.live().iter().map(|one| group.lab.etcd_process(one).map(|process| process.pid)).collect::<Vec<_>>();
    let (before, running) = (std::fs::read(own(&group, &group.live()[0], "client.pem"))?, processes());
    let writer = group.write()?;
    group.until_written(&writer, 1).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert_eq!(processes(), running);
    assert_ne!(std::fs::read(own(&group, &group.live()[0], "client.pem"))?, before);
    let written = writer.stop().await;
    eprintln!("{seconds} s: {} writes acknowledged, {} failed", written.acked(), written.failed());
    assert_eq!(written.failed(), 0);
    group.settled(3, Some(&written)).await?;
    Ok(())
}

/// The cluster was off for longer than its certificates last. Each node has new ones issued before it starts etcd.
#[tokio::test]
async fn a_cluster_whose_certificates_have_all_ended_comes_back() -> anyhow::Result<()> {
    let life = Duration::from_secs(15);
    let group = of(3, life).await?;
    let hash = authority(&group)?;
    let writer = group.write()?;
    group.until_written(&writer, 20).await?;
    let written = writer.stop().await;
    let live = group.live();
    let ended = group.lab.directory().join("ended.pem");
    std::fs::copy(own(&group, &live[0], "client.pem"), &ended)?;
    for instance in &live {
        group.lab.kill_agent(instance, Signal::KILL).await?;
        group.lab.kill_etcd(instance)?;
    }
    tokio::time::sleep(life + Duration::from_secs(1)).await;
    for instance in &live {
        group.lab.start_agent(instance).await?;
    }
    group.settled(3, Some(&written)).await?;
    assert_eq!((group.live(), authority(&group)?), (live.clone(), hash));
    let port = (group.lab.address(&live[0])?, 2379);
    assert_eq!(answers(port, Some(&own(&group, &live[0], "client.pem"))).await?, Ok(200));
    assert!(answers(port, Some(&ended)).await?.is_err(), "a client whose certificate has ended is answered");
    Ok(())
}

/// The last survivor continues from its own data, and a later loss of all is restored from a snapshot: clients keep their authority.
#[tokio::test]
async fn the_authority_outlives_the_loss_of_the_quorum() -> anyhow::Result<()> {
    let group = of(3, WEEK).await?;
    let hash = authority(&group)?;
    group.continues_from_the_survivor().await?;
    assert_eq!(authority(&group)?, hash);
    Ok(())
}

#[tokio::test]
async fn the_authority_is_rotated_under_load() -> anyhow::Result<()> {
    let group = of(3, WEEK).await?;
    let (one, old) = (group.live()[0].clone(), authority(&group)?);
    let (address, kept) = (group.lab.address(&one)?, group.lab.directory().join("kept.pem"));
    std::fs::copy(own(&group, &one, "client.pem"), &kept)?;
    let processes = || group.live().iter().map(|one| group.lab.etcd_process(one).map(|process| process.pid)).collect::<Vec<_>>();
    let running = processes();
    let writer = group.write()?;
    group.until_written(&writer, 20).await?;
    let printed = group.lab.type_in(&one, "pki", &["rotate"]).await?;
    assert!(printed.succeeded && printed.out.contains("rotates the authority"), "{printed:?}");
    let since = tokio::time::Instant::now();
    let rotated = || async {
        let records = group.lab.charter(CLUSTER).map_err(|error| error.to_string())?;
        let last = records.last().ok_or("no record")?;
        let named = last["authority"].as_str().unwrap_or_default();
        if named != old && last["rotation"].is_null() { Ok(named.to_owned()) } else { Err(last.to_string()) }
    };
    let new = group.lab.until(LIMIT * 2, "the charter to name the new authority alone", rotated).await?;
    // Each etcd is started again once more, and then accepts the new authority alone.
    let refused = || async {
        for instance in group.live() {
            let address = group.lab.address(&instance).map_err(|error| error.to_string())?;
            let answer = answers((address, 2379), Some(&kept)).await.map_err(|error| error.to_string())?;
            if answer.is_ok() {
                return Err(format!("{instance} still accepts the old client"));
            }
        }
        Ok(())
    };
    group.lab.until(LIMIT, "the old client to be refused everywhere", refused).await?;
    group.settled(3, None).await?;
    let took = since.elapsed();
    assert_eq!(answers((address, 2379), Some(&own(&group, &one, "client.pem"))).await?, Ok(200));
    assert!(processes().iter().zip(&running).all(|(now, before)| now != before), "an etcd was not restarted");
    let pause = writer.longest(Label::Graceful).map(|gap| gap.length);
    let written = writer.stop().await;
    eprintln!("rotated in {took:?}; {} writes acknowledged, {} failed, longest pause {pause:?}", written.acked(), written.failed());
    group.settled(3, Some(&written)).await?;
    assert_eq!(group.generation()?, 1);
    // What every record names: the old one, then the new one.
    let records = group.lab.charter(CLUSTER)?;
    let mut named: Vec<&str> = records.iter().filter_map(|record| record["authority"].as_str()).collect();
    named.dedup();
    assert_eq!(named, [old, new]);
    Ok(())
}
