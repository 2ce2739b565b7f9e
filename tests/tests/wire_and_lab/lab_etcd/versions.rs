//! Versions of etcd. Steps that etcd does not support are tested on the guard alone, with a stand-in that prints a version and never serves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::group::{Group, LIMIT};
use quorate_lab::lab::{Lab, LabOptions};

/// Puts a program in the place of the lab's etcd, as an upgrade of a package does: a new file under the old name.
fn install(at: &Path, script: &str) -> anyhow::Result<()> {
    let new = at.with_extension("new");
    fs::write(&new, format!("#!/bin/sh\n{script}\n"))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    Ok(fs::rename(new, at)?)
}

/// It prints 3.9 and accepts every flag; it never serves.
const STAND_IN: &str = "for a; do [ \"$a\" = --version ] && echo 'etcd Version: 3.9.0' && exit 0; done; exit 1";

fn runs(etcd: &Path) -> String {
    format!("exec {} \"$@\"", etcd.display())
}

/// Two voters whose etcd is behind a file that can be replaced.
async fn two_behind(dir: &Path) -> anyhow::Result<(Group, PathBuf)> {
    let mut options = LabOptions::quick()?;
    let real = std::mem::replace(&mut options.etcd, dir.join("etcd"));
    install(&options.etcd, &runs(&real))?;
    let group = Group::launched(Lab::start(options).await?, 2)?;
    group.settled(2, None).await?;
    Ok((group, real))
}

#[tokio::test]
async fn an_image_that_etcd_does_not_support_adds_nobody_and_one_that_fits_joins() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (group, real) = two_behind(dir.path()).await?;
    let voters = group.live();
    install(&dir.path().join("etcd"), STAND_IN)?;
    group.resize(3)?;
    let refused = || async {
        let newcomer = group.live().into_iter().find(|instance| !voters.contains(instance)).ok_or("nobody has been launched")?;
        let status = group.lab.status(&newcomer).await.map_err(|error| format!("{error:#}"))?;
        let message = status["message"].as_str().unwrap_or_default().to_owned();
        let told = message.contains("etcd here is 3.9, the cluster runs 3.") && message.contains("bake an image with 3.");
        if told && status["needs_operator"] == true { Ok(newcomer) } else { Err(message) }
    };
    let refused = group.lab.until(LIMIT, "the newcomer to be refused for its version", refused).await?;
    let abandoned = || async { if group.live().contains(&refused) { Err("it is there still".to_owned()) } else { Ok(()) } };
    group.lab.until(LIMIT, "its launch to be given up", abandoned).await?;
    for record in group.lab.charter(super::group::CLUSTER)? {
        anyhow::ensure!(!record["voters"].to_string().contains(refused.as_str()), "it was added: {record}");
    }
    install(&dir.path().join("etcd"), &runs(&real))?;
    group.settled(3, None).await
}

/// From 3.4 to 3.5, which etcd supports: the newcomers are of the minor above.
#[tokio::test]
async fn an_image_of_the_minor_above_replaces_the_one_before() -> anyhow::Result<()> {
    let newer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/etcd-3.5/usr/bin/etcd");
    let dir = tempfile::tempdir()?;
    if !newer.is_file() {
        println!("SKIPPED an_image_of_the_minor_above_replaces_the_one_before: no etcd 3.5 at {} (make etcd-3.5)", newer.display());
        return Ok(());
    }
    let (group, _) = two_behind(dir.path()).await?;
    install(&dir.path().join("etcd"), &runs(&newer.canonicalize()?))?;
    group.resize(3)?;
    group.settled(3, None).await
}
