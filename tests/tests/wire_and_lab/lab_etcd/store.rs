//! A cluster whose charter is in S3, and the store's troubles.

use super::group::{CLUSTER, Group};
use quorate_lab::lab::{Lab, LabOptions, Store};
use quorate_lab::s3::{Fault, Operation, Rule, Scope};

async fn lab() -> anyhow::Result<Lab> {
    Lab::start(LabOptions { store: Store::S3, ..LabOptions::quick()? }).await
}

/// The claim is written, but the claimant gets no answer; it finds its own record when it asks again.
#[tokio::test]
async fn a_cluster_forms_although_the_answer_to_its_claim_is_lost() -> anyhow::Result<()> {
    let lab = lab().await?;
    let claim = Scope::from(Operation::Put).prefix(&format!("clusters/{CLUSTER}/charter/")).suffix("00000000000000000001.json");
    let lost = lab.s3()?.faults().add(Rule::new(claim, Fault::LoseAnswer).times(1));
    let group = Group::launched(lab, 3)?;
    group.settled(3, None).await?;
    let s3 = group.lab.s3()?;
    assert_eq!(s3.faults().struck(lost), 1, "no claim was made: {:?}", s3.log().of(Operation::Put));
    assert_eq!(group.generation()?, 1);
    let first = s3.keys().remove(0);
    assert!(first.ends_with("charter/00000000000000000001.json"), "{first}");
    let live = group.live();
    let strangers: Vec<_> = s3.log().lines().into_iter().filter(|line| !live.iter().any(|one| one.as_str() == line.caller)).collect();
    assert_eq!(strangers, [], "each agent signs with its instance's id");
    Ok(())
}
