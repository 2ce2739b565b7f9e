//! What etcd says itself reaches the operator.

use std::process::Command;

use quorate_lab::lab::binaries;
use quorate_lab::lab::url::http;

use super::group::Group;

pub(crate) fn etcdctl(group: &Group, arguments: &[&str]) -> anyhow::Result<()> {
    let endpoint = http(group.lab.address(&group.live()[0])?, 2379);
    let mut command = Command::new(binaries::etcdctl(&binaries::etcd(None)?)?);
    let out = command.env("ETCDCTL_API", "3").arg("--endpoints").arg(endpoint).args(arguments).output()?;
    anyhow::ensure!(out.status.success(), "etcdctl {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

/// Agents have no user in etcd: with its authentication switched on they are refused, which is neither silence nor a lost quorum.
#[tokio::test]
async fn a_switched_on_authentication_is_said_in_etcds_words() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    etcdctl(&group, &["user", "add", "root:root"])?;
    etcdctl(&group, &["user", "grant-role", "root", "root"])?;
    etcdctl(&group, &["auth", "enable"])?;
    for instance in group.live() {
        group.until_says(&instance, "refuses this agent: etcdserver: user name is empty").await?;
    }
    anyhow::ensure!(group.lab.status(&group.live()[0]).await?["needs_operator"] == true, "nobody is called");
    etcdctl(&group, &["--user", "root:root", "auth", "disable"])?;
    group.settled(3, None).await
}
