//! An etcd that takes longer to start than its agent first allows.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use quorate_lab::lab::{Lab, LabOptions};

use super::group::Group;

/// It does nothing that could be seen for 15 s, and is restarted after 10 s. The next start is given 20 s. It never says meanwhile that it serves.
#[tokio::test]
async fn an_etcd_that_starts_slowly_is_given_more_time_and_serves_in_the_end() -> anyhow::Result<()> {
    let mut options = LabOptions::quick()?;
    let (etcd, directory) = (options.etcd.clone(), tempfile::tempdir()?);
    let (wrapper, slow) = (directory.path().join("etcd"), directory.path().join("slow"));
    let script = format!("#!/bin/sh\ncase \"$*\" in *--version*) ;; *) [ ! -e {slow:?} ] || sleep 15 ;; esac\nexec {etcd:?} \"$@\"\n");
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    options.etcd = wrapper;
    options.settings = options.settings.number("timing.frozen_after_s", 1).number("timing.wait_patience_s", 8);
    let group = Group::launched(Lab::start(options).await?, 3)?;
    group.settled(3, None).await?;
    fs::write(&slow, "")?;
    let node = group.lab.followers(&group.name).await?.remove(0);
    group.lab.kill_etcd(&node)?;
    group.until_says(&node, "is starting and has not answered yet").await?;
    group.until_says(&node, "its log says why it does not come up").await?;
    group.until_says(&node, "serves as one of 3 voters").await?;
    group.settled(3, None).await
}
