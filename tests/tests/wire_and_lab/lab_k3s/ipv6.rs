//! A control plane in a subnet for IPv6 alone.

use std::fs;

use quorate_lab::lab::url::https;
use quorate_lab::lab::{LabOptions, distribution};

use super::plane::{CLUSTER, LIMIT, Plane};
use crate::ipv6_network::entered;

#[tokio::test]
async fn a_control_plane_for_ipv6_alone_forms_and_replaces_a_server() -> anyhow::Result<()> {
    if !entered("lab_k3s::ipv6::a_control_plane_for_ipv6_alone_forms_and_replaces_a_server")? {
        return Ok(());
    }
    let plane = Plane::with(LabOptions { ipv6: true, ..LabOptions::quick()? }, 3, 1).await?;
    let writer = plane.lab.write_to_servers(&plane.servers, "/load/")?;
    let leader = plane.lab.leader(&plane.servers).await?;
    plane.replace(&leader)?;
    plane.lab.until_gone(&leader, LIMIT).await?;
    plane.settled(3, 1, Some(&writer.stop().await)).await?;

    let urls = |instances: Vec<_>| instances.iter().map(|one| Ok(https(plane.lab.address(one)?, 6443))).collect::<anyhow::Result<Vec<_>>>();
    let servers = urls(plane.lab.live(&plane.servers))?;
    assert!(servers.iter().all(|url| url.starts_with("https://[fd51:")), "{servers:?}");
    for worker in plane.lab.live(&plane.workers) {
        let file = distribution::config_dir(&plane.lab.disk(&worker)).join("config.yaml.d/90-quorate.yaml");
        let text = fs::read_to_string(&file)?;
        let named = text.lines().find_map(|line| line.strip_prefix("server: ")).unwrap_or_default().trim_matches('"').to_owned();
        assert!(named.starts_with("https://[fd51:") && named.ends_with("]:6443"), "{text}");
    }
    for server in plane.lab.live(&plane.servers) {
        let told = plane.lab.type_in(&server, "kubeconfig", &["--name", CLUSTER]).await?;
        let own = format!("server: {}", https(plane.lab.address(&server)?, 6443));
        assert!(told.succeeded && told.out.contains(&own), "{told:?}");
    }
    Ok(())
}
