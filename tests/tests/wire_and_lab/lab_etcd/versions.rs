//! Versions of etcd. Steps that etcd does not support are tested on the guard alone, with a stand-in that prints a version and never serves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::group::{CLUSTER, Group, LIMIT, says};
use quorate_lab::lab::LabOptions;
use serde_json::Value;

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
    Ok((Group::with(options, 2).await?, real))
}

#[tokio::test]
async fn an_image_that_etcd_does_not_support_adds_nobody_and_one_that_fits_joins() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (group, real) = two_behind(dir.path()).await?;
    let voters = group.live();
    install(&dir.path().join("etcd"), STAND_IN)?;
    group.resize(3)?;
    let told = |status: &Value| says(status, "etcd here is 3.9, the cluster runs 3.") && says(status, "bake an image with 3.");
    let refused = |status: &Value| told(status) && status["needs_operator"] == true;
    let refused = group.until_any("the newcomer to be refused for its version", refused).await?;
    assert!(!voters.contains(&refused), "{refused} votes already");
    group.lab.until_gone(&refused, LIMIT).await?;
    for record in group.lab.charter(CLUSTER)? {
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
