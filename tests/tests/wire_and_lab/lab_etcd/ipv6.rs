//! A group in a subnet for IPv6 alone: no machine has an IPv4 address but that of its loopback interface.

use std::collections::BTreeSet;

use anyhow::Context;
use quorate_lab::lab::url::http;
use quorate_lab::lab::{LISTEN, LabOptions};
use serde_json::Value;

use super::asked::{endpoints, get};
use super::group::Group;
use crate::ipv6_network::entered;

/// Three voters.
async fn three() -> anyhow::Result<Group> {
    Group::with(LabOptions { ipv6: true, ..LabOptions::quick()? }, 3).await
}

fn finding<'a>(report: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    let all = report["findings"].as_array().context("no findings")?;
    let found = all.iter().find(|finding| finding["name"] == name).and_then(|finding| finding["found"].as_str());
    found.with_context(|| format!("nothing of {name:?} in {report:#}"))
}

/// What applications, load balancers, operators and peers are told has every address in brackets where a port follows.
#[tokio::test]
async fn a_group_for_ipv6_alone_forms_and_tells_its_addresses_in_brackets() -> anyhow::Result<()> {
    if !entered("lab_etcd::ipv6::a_group_for_ipv6_alone_forms_and_tells_its_addresses_in_brackets")? {
        return Ok(());
    }
    let group = three().await?;
    let urls = |port| group.live().iter().map(|one| Ok(http(group.lab.address(one)?, port))).collect::<anyhow::Result<BTreeSet<_>>>();
    assert!(urls(2379)?.iter().all(|url| url.starts_with("http://[fd51:")), "{:?}", urls(2379)?);
    let lists = group.lab.lists().await;
    let listed = lists.values().next().context("no member answers")?.members.iter();
    assert_eq!(listed.clone().flat_map(|member| member.client_urls.clone()).collect::<BTreeSet<_>>(), urls(2379)?);
    assert_eq!(listed.flat_map(|member| member.peer_urls.clone()).collect::<BTreeSet<_>>(), urls(2380)?);

    for instance in group.live() {
        let address = group.lab.address(&instance)?;
        assert_eq!(endpoints(&group, &instance)?, urls(2379)?, "{instance}");
        assert_eq!(get(address, LISTEN.health, "/readyz").await?.0, 200, "{instance}");
        let status = group.lab.type_in(&instance, "status", &[]).await?;
        assert!(status.succeeded && status.out.contains("voter") && status.out.contains("leads"), "{status:?}");
        let (passes, found) = group.lab.check(&instance).await?;
        assert!(passes, "{found:#}");
        assert_eq!(finding(&found, "address")?, address.to_string());
        assert_eq!(finding(&found, "endpoint ec2")?, format!("{0} at [{0}]:8000", group.lab.subnet().api().ip()));
        for port in [2378, 2379, 2380] {
            let taken = finding(&found, &format!("port {port}"))?;
            assert!(taken.starts_with(&format!("[{address}]:{port} is our own")), "{taken}");
            let peers = finding(&found, &format!("peers on port {port}"))?;
            assert_eq!(peers, "all 2 can be reached");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_instance_of_a_group_for_ipv6_alone_is_replaced_under_load() -> anyhow::Result<()> {
    if !entered("lab_etcd::ipv6::every_instance_of_a_group_for_ipv6_alone_is_replaced_under_load")? {
        return Ok(());
    }
    three().await?.is_replaced_under_load().await
}

/// The two that are left lose one more, and with it the quorum: the last one continues from its own data.
#[tokio::test]
async fn a_group_for_ipv6_alone_recovers_from_the_loss_of_its_quorum() -> anyhow::Result<()> {
    if !entered("lab_etcd::ipv6::a_group_for_ipv6_alone_recovers_from_the_loss_of_its_quorum")? {
        return Ok(());
    }
    three().await?.continues_from_the_survivor().await
}
