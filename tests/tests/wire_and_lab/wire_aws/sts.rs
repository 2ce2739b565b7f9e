//! Who signed a request: the SDK's own signer and its client against the region's STS, and the agent that has a request of others answered.

use std::time::Duration;

use aws_sdk_sts::Client;
use quorate::adapters::aws::{AwsError, Sts, sdk};
use quorate_core::handout::{CLUSTER_HEADER, CSR_HEADER, Caller, Presigned, Proof};
use quorate_core::ids::ClusterName;
use quorate_core::time::Timestamp;
use quorate_lab::region::{ApiError, Call};
use quorate_lab::wire::Fault;

use super::lab::{Lab, PATIENCE};

const CSR: &str = "abababababababababababababababababababababababababababababababab";

async fn lab() -> Lab {
    Lab::start([Lab::group("etcd", 1).iam_role("web")]).await
}

/// The region's clock is that of the machine.
fn now(lab: &Lab) -> Timestamp {
    lab.server.region().now()
}

async fn signed(lab: &Lab, sts: &Sts) -> Presigned {
    sts.presign(&ClusterName::new("prod"), CSR, now(lab)).await.unwrap()
}

async fn refused(sts: &Sts, presigned: Presigned) -> String {
    let error = sts.caller(&Proof::parse(presigned).unwrap()).await.unwrap_err();
    error.refusal().unwrap_or_else(|| panic!("{error:?}")).to_string()
}

#[tokio::test]
async fn the_sdks_own_client_learns_its_role() {
    let lab = lab().await;
    let config = sdk::load_at(&lab.server.url(), &"eu-central-1".into(), &lab.imds(), 2 * PATIENCE).await;
    let caller = Client::new(&config).get_caller_identity().send().await.unwrap();
    let arn = format!("arn:aws:sts::123456789012:assumed-role/web/{}", lab.me);
    assert_eq!((caller.arn(), caller.account()), (Some(arn.as_str()), Some("123456789012")));
    assert!(caller.user_id().unwrap().ends_with(lab.me.as_str()));
}

#[tokio::test]
async fn a_request_that_was_signed_in_advance_is_answered_to_another() {
    let lab = lab().await;
    let sts = lab.sts().await;
    let presigned = signed(&lab, &sts).await;
    // It crosses the wire to a member as JSON.
    let presigned: Presigned = serde_json::from_str(&serde_json::to_string(&presigned).unwrap()).unwrap();
    let proof = Proof::parse(presigned).unwrap();
    assert_eq!((proof.cluster.as_str(), proof.region.as_str()), ("prod", "eu-central-1"));
    let caller = Caller::of_arn(&sts.caller(&proof).await.unwrap()).unwrap();
    assert_eq!((caller.role.to_string(), caller.instance), ("arn:aws:iam::123456789012:role/web".to_owned(), lab.me.clone()));
    assert_eq!(lab.calls(Call::GetCallerIdentity), 1, "to learn the endpoint nothing is sent");
}

#[tokio::test]
async fn what_was_changed_after_it_was_signed_proves_nothing() {
    let lab = lab().await;
    let sts = lab.sts().await;
    let mismatch = "SignatureDoesNotMatch: The request signature we calculated does not match";
    for (header, value) in [(CLUSTER_HEADER, "test"), (CSR_HEADER, &CSR.replace('a', "c"))] {
        let mut other = signed(&lab, &sts).await;
        other.headers.insert(header.to_owned(), value.to_owned());
        let words = refused(&sts, other).await;
        assert!(words.starts_with(mismatch), "{header}: {words}");
    }
    for (name, value) in [("X-Amz-Expires", "3600"), ("X-Amz-Signature", CSR)] {
        let mut other = signed(&lab, &sts).await;
        other.query.insert(name.to_owned(), value.to_owned());
        let words = refused(&sts, other).await;
        assert!(words.starts_with(mismatch), "{name}: {words}");
    }
    let mut other = signed(&lab, &sts).await;
    other.query.remove("X-Amz-Security-Token");
    assert!(refused(&sts, other).await.starts_with("InvalidClientTokenId"));
}

#[tokio::test]
async fn a_signature_ends_after_a_quarter_of_an_hour() {
    let lab = lab().await;
    let sts = lab.sts().await;
    let old = signed(&lab, &sts).await;
    lab.server.region().skip(Duration::from_secs(16 * 60));
    assert!(refused(&sts, old).await.starts_with("SignatureDoesNotMatch: Signature expired"));
}

#[tokio::test]
async fn an_sts_that_is_away_is_not_one_that_refuses() {
    let lab = lab().await;
    let sts = lab.sts().await;
    let proof = Proof::parse(signed(&lab, &sts).await).unwrap();
    for fault in [Fault::HangUp, Fault::ServerError, Fault::Status(502), Fault::EmptyBody] {
        let rule = lab.api_fault("GetCallerIdentity", fault.clone());
        let error = sts.caller(&proof).await.unwrap_err();
        assert!(error.refusal().is_none(), "{fault:?}: {error}");
        assert_eq!(lab.struck(rule), 1, "{fault:?} is asked again");
        lab.server.faults().remove(rule);
    }
    lab.api_fault("GetCallerIdentity", Fault::Refuse(ApiError::new("AccessDenied", "no")));
    let error = sts.caller(&proof).await.unwrap_err();
    assert!(matches!(error, AwsError::Denied { .. }), "{error}");
}
