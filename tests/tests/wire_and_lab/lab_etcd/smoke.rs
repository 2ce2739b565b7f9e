//! `quorate check` beside an agent and a real etcd.

use quorate_core::ids::HookName;
use quorate_lab::region::{ApiError, Caller};

use super::group::Group;

#[tokio::test]
async fn a_check_beside_the_agent_finds_no_problem() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    assert_eq!(group.generation()?, 1);
    let (passes, found) = group.lab.check(&group.live()[0]).await?;
    assert!(passes, "{found:#}");
    let of = |name: &str| found["findings"].as_array().into_iter().flatten().find(|finding| finding["name"] == name).cloned();
    for port in ["port 2378", "port 2379", "port 2380"] {
        let taken = of(port).unwrap_or_default();
        assert!(taken["found"].as_str().is_some_and(|text| text.contains("is our own")), "{port}: {taken}");
    }
    let flags = of("etcd's flags").unwrap_or_default();
    assert!(flags["found"].as_str().is_some_and(|text| text.contains("the etcd that runs has strict-reconfig-check on")), "{flags}");
    group.lab.region().with(|region, now| {
        region.api(&Caller::Operator, now).delete_hook(&group.name, &HookName::new("quorate-terminate"))?;
        Ok::<(), ApiError>(())
    })?;
    let (passes, found) = group.lab.check(&group.live()[0]).await?;
    assert!(!passes && found["verdict"] == "problem", "{found:#}");
    assert_eq!(group.lab.action_complaints(), Vec::<String>::new());
    Ok(())
}
