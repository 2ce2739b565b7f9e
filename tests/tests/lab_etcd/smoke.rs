//! The real binary and a real etcd, through the wire: the least that has to work before anything else is looked at.

use super::group::Group;

#[tokio::test]
async fn one_instance_founds_its_cluster() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    assert_eq!(group.generation()?, 1);
    Ok(())
}

#[tokio::test]
async fn three_instances_form_one_cluster() -> anyhow::Result<()> {
    let group = Group::of(3).await?;
    assert_eq!(group.generation()?, 1);
    let status = group.lab.status(&group.live()[0]).await?;
    assert_eq!(status["voters"].as_array().map(Vec::len), Some(3), "{status:#}");
    assert_eq!(group.lab.action_complaints(), Vec::<String>::new());
    Ok(())
}
