//! The IMDS adapter against a metadata service on the wire: what it believes, what it calls unknown, and how long it takes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use quorate::adapters::aws::{Imds, ImdsError};
use quorate_core::ids::GroupName;
use quorate_core::observation::{EventCode, EventState, LifecycleState, SpotAction, SpotNotice, Warmed};
use quorate_core::time::Timestamp;
use quorate_lab::region::{AddressRange, Delays, MaintenanceEvent, Metadata, Region, RegionConfig, Target};
use quorate_lab::wire::{Fault, RegionServer, Rule, Scope};

use super::lab::{Lab, PATIENCE};

const TARGET: &str = "meta-data/autoscaling/target-lifecycle-state";
const DOCUMENT: &str = "dynamic/instance-identity/document";
const SPOT: &str = "meta-data/spot/instance-action";
const REBALANCE: &str = "meta-data/events/recommendations/rebalance";
const SCHEDULED: &str = "meta-data/events/maintenance/scheduled";
const TOKEN: &str = "api/token";

async fn one_instance() -> Lab {
    let lab = Lab::start([Lab::group("etcd", 1)]).await;
    lab.until("the instance is on its way into service", |region| region.metadata(&lab.me).is_some_and(|it| it.target.is_some())).await;
    lab
}

/// One address for all, as in EC2: the source address identifies the caller, and a token is valid only for the instance that got it.
#[tokio::test]
async fn one_address_serves_each_instance_its_own() {
    let addresses = AddressRange { first: Ipv4Addr::new(127, 0, 0, 21).into(), size: 2, reuse: false };
    let region = Region::new(RegionConfig { delays: Delays::none(), addresses, ..RegionConfig::default() });
    let server = RegionServer::start(region, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    server.region().with(|region, now| region.create_group(Lab::group("etcd", 2), now).unwrap());
    let imds = server.serve_imds_for_all(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let running = || {
        let region = server.region().lock();
        let running = region.instances().iter().filter(|instance| instance.powered);
        <[_; 2]>::try_from(running.map(|instance| (instance.id.clone(), instance.address)).collect::<Vec<_>>())
    };
    while running().is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let [one, two] = running().unwrap();
    let from = |address: IpAddr| reqwest::Client::builder().local_address(Some(address)).no_proxy().build().unwrap();
    let token = |address| {
        let asked = from(address).put(format!("{}/latest/api/token", imds.url())).header("x-aws-ec2-metadata-token-ttl-seconds", "60");
        async { asked.send().await.unwrap().error_for_status().map(|answer| answer.text()) }
    };
    let read = |address, token: String| {
        let asked = from(address).get(format!("{}/latest/meta-data/instance-id", imds.url())).header("x-aws-ec2-metadata-token", token);
        async { asked.send().await.unwrap() }
    };
    let (of_one, of_two) = (token(one.1).await.unwrap().await.unwrap(), token(two.1).await.unwrap().await.unwrap());
    assert_eq!(read(one.1, of_one.clone()).await.text().await.unwrap(), one.0.as_str());
    assert_eq!(read(two.1, of_two).await.text().await.unwrap(), two.0.as_str());
    assert_eq!(read(two.1, of_one).await.status().as_u16(), 401);
    assert!(token(Ipv4Addr::LOCALHOST.into()).await.is_err(), "a stranger was given a token");
}

fn set_target(lab: &Lab, target: Option<Target>) {
    lab.server.region().lock().set_target(&lab.me, target);
}

#[tokio::test]
async fn the_identity_is_the_instances_own() {
    let lab = one_instance().await;
    let identity = lab.imds().identity().await.unwrap();
    let region = lab.server.region().lock();
    let truth = region.instance(&lab.me).unwrap();
    assert_eq!(identity.instance, lab.me);
    assert_eq!(identity.address, truth.address);
    assert_eq!((identity.account.as_str(), identity.region.as_str()), ("123456789012", "eu-central-1"));
    assert_eq!(identity.zone, &*truth.zone);
    assert_eq!(identity.launched.0, truth.launched_at.0 / 1000 * 1000, "the document has whole seconds");
}

#[tokio::test]
async fn no_target_state_is_none_and_every_other_is_read() {
    let lab = one_instance().await;
    let imds = lab.imds();
    for (target, state) in [
        (None, None),
        (Some(Target::InService), Some(LifecycleState::InService)),
        (Some(Target::Terminated), Some(LifecycleState::Terminated)),
        (Some(Target::Detached), Some(LifecycleState::Detached)),
        (Some(Target::WarmedStopped), Some(LifecycleState::Warmed(Warmed::Stopped))),
    ] {
        set_target(&lab, target);
        assert_eq!(imds.target_lifecycle_state().await.unwrap(), state, "{target:?}");
    }
}

fn announce(lab: &Lab, what: impl FnOnce(&mut Metadata)) {
    what(lab.server.region().lock().metadata_mut(&lab.me).unwrap());
}

#[tokio::test]
async fn what_ec2_announces_is_read_and_404_or_an_empty_list_is_none() {
    let lab = one_instance().await;
    let imds = lab.imds();
    assert_eq!(imds.spot_notice().await.unwrap(), None);
    assert_eq!(imds.rebalance_recommendation().await.unwrap(), None);
    assert_eq!(imds.scheduled_events().await.unwrap(), []);
    let at = Timestamp(1_790_000_123_000);
    announce(&lab, |said| {
        said.spot = Some(quorate_lab::region::SpotAction { action: "hibernate", time: at });
        said.rebalance = Some(at);
        let event = |code, state, not_after| MaintenanceEvent { code, id: format!("event-{code}"), state, not_before: at, not_after };
        said.maintenance = vec![event("instance-retirement", "active", None), event("system-reboot", "completed", Some(at))];
    });
    assert_eq!(imds.spot_notice().await.unwrap(), Some(SpotNotice { action: SpotAction::Hibernate, at }));
    assert_eq!(imds.rebalance_recommendation().await.unwrap(), Some(at));
    let events = imds.scheduled_events().await.unwrap();
    let read: Vec<_> = events.iter().map(|e| (&e.code, e.state, e.not_before, e.not_after)).collect();
    let retirement = (&EventCode::InstanceRetirement, EventState::Active, at, None);
    assert_eq!(read, [retirement, (&EventCode::SystemReboot, EventState::Completed, at, Some(at))]);
    announce(&lab, |said| (said.spot, said.maintenance) = (None, Vec::new()));
    assert_eq!(imds.spot_notice().await.unwrap(), None);
    assert_eq!(imds.scheduled_events().await.unwrap(), []);
}

/// Look-alikes of IMDS answer 404 before there ever was an event.
#[tokio::test]
async fn no_list_of_events_is_an_empty_one() {
    let lab = one_instance().await;
    lab.imds_fault(SCHEDULED, Fault::Status(404));
    assert_eq!(lab.imds().scheduled_events().await.unwrap(), []);
}

/// A broken answer means nothing, least of all that nothing is announced.
#[tokio::test]
async fn a_notice_that_cannot_be_read_is_an_error_and_no_none() {
    for fault in [Fault::EmptyBody, Fault::TruncatedBody, Fault::Status(500), Fault::HangUp] {
        let lab = one_instance().await;
        let at = Timestamp(1_790_000_123_000);
        announce(&lab, |said| {
            said.rebalance = Some(at);
            said.spot = Some(quorate_lab::region::SpotAction { action: "stop", time: at });
        });
        for path in [SPOT, REBALANCE, SCHEDULED] {
            lab.imds_fault(path, fault.clone());
        }
        let imds = lab.imds();
        assert!(imds.spot_notice().await.is_err(), "{fault:?}");
        assert!(imds.rebalance_recommendation().await.is_err(), "{fault:?}");
        assert!(imds.scheduled_events().await.is_err(), "{fault:?}");
        lab.server.faults().clear();
        assert!(imds.rebalance_recommendation().await.unwrap().is_some());
    }
}

/// They are asked side by side in every cycle, and share one token.
#[tokio::test]
async fn questions_side_by_side_share_a_token() {
    let lab = one_instance().await;
    let imds = lab.imds();
    imds.identity().await.unwrap();
    let tokens = lab.imds_fault(TOKEN, Fault::Delay(Duration::ZERO));
    let (target, spot, rebalance, events) =
        tokio::join!(imds.target_lifecycle_state(), imds.spot_notice(), imds.rebalance_recommendation(), imds.scheduled_events());
    assert!(target.is_ok() && spot.is_ok() && rebalance.is_ok() && events.is_ok());
    assert_eq!(lab.struck(tokens), 0);
}

#[tokio::test]
async fn the_groups_name_is_read_only_where_tags_are_switched_on() {
    let lab = one_instance().await;
    assert_eq!(lab.imds().group_name_tag().await.unwrap(), Some(GroupName::new("etcd")));
    let mut hidden = Lab::group("etcd", 1);
    hidden.tags_in_metadata = false;
    let lab = Lab::start([hidden]).await;
    assert_eq!(lab.imds().group_name_tag().await.unwrap(), None);
}

#[tokio::test]
async fn a_token_that_imds_forgot_is_renewed_within_the_call() {
    let lab = one_instance().await;
    let imds = lab.imds();
    imds.identity().await.unwrap();
    // Only the region's clock moves: to the client the token is still valid, as after a wall clock was set back.
    lab.server.region().skip(Duration::from_secs(6 * 3600));
    assert_eq!(imds.identity().await.unwrap().instance, lab.me);
}

#[tokio::test]
async fn a_token_is_used_more_than_once() {
    let lab = one_instance().await;
    let imds = lab.imds();
    let tokens = lab.imds_fault(TOKEN, Fault::Delay(Duration::ZERO));
    for _ in 0..5 {
        imds.identity().await.unwrap();
    }
    assert_eq!(lab.struck(tokens), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_again_and_again_is_an_error_and_no_storm() {
    let lab = one_instance().await;
    let refused = lab.imds_fault(TARGET, Fault::Status(401));
    let error = lab.imds().target_lifecycle_state().await.unwrap_err();
    assert!(matches!(error, ImdsError::Status { status: 401, .. }), "{error}");
    assert_eq!(lab.struck(refused), 2, "once, and once with a new token");
}

#[tokio::test]
async fn a_broken_service_is_an_error_at_once_and_the_next_cycle_asks_again() {
    for status in [429, 500, 503] {
        let lab = one_instance().await;
        let imds = lab.imds();
        let broken = lab.imds_fault(TARGET, Fault::Status(status));
        let error = imds.target_lifecycle_state().await.unwrap_err();
        assert!(matches!(error, ImdsError::Status { status: told, .. } if told == status), "{error}");
        assert_eq!(lab.struck(broken), 1, "{status} was asked again within the cycle");
        lab.server.faults().clear();
        assert!(imds.target_lifecycle_state().await.is_ok());
    }
}

#[tokio::test]
async fn a_missing_document_is_an_error() {
    let lab = one_instance().await;
    lab.imds_fault(DOCUMENT, Fault::Status(404));
    assert!(matches!(lab.imds().identity().await, Err(ImdsError::Status { status: 404, .. })));
}

#[tokio::test]
async fn an_empty_body_is_unknown_and_not_none() {
    let lab = one_instance().await;
    for path in [TARGET, DOCUMENT, "meta-data/tags"] {
        lab.imds_fault(path, Fault::EmptyBody);
    }
    let imds = lab.imds();
    let errors =
        [imds.target_lifecycle_state().await.unwrap_err(), imds.identity().await.unwrap_err(), imds.group_name_tag().await.unwrap_err()];
    for error in errors {
        assert!(error.to_string().ends_with("that is empty"), "{error}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let lab = one_instance().await;
    set_target(&lab, Some(Target::Terminated));
    lab.server.faults().add(Rule::new(Scope::path(TARGET), Fault::TruncatedBody).times(1));
    let imds = lab.imds();
    let error = imds.target_lifecycle_state().await.unwrap_err();
    assert!(matches!(error, ImdsError::NoAnswer { .. }), "{error}");
    assert_eq!(imds.target_lifecycle_state().await.unwrap(), Some(LifecycleState::Terminated));
}

#[tokio::test]
async fn a_connection_that_closes_is_no_answer_and_the_next_one_works() {
    let lab = one_instance().await;
    lab.server.faults().add(Rule::new(Scope::path(TARGET), Fault::HangUp).times(1));
    let imds = lab.imds();
    let error = imds.target_lifecycle_state().await.unwrap_err();
    assert!(matches!(error, ImdsError::NoAnswer { .. }), "{error}");
    assert!(imds.target_lifecycle_state().await.is_ok());
}

/// The bound covers the token, the answer and a renewal, so a cycle is never held up longer.
#[tokio::test]
async fn a_slow_service_takes_no_longer_than_the_limit() {
    for slow in [TARGET, TOKEN, ""] {
        let lab = one_instance().await;
        lab.imds_fault(slow, Fault::Delay(20 * PATIENCE));
        let imds = lab.imds();
        let answer = tokio::time::timeout(2 * PATIENCE, imds.target_lifecycle_state()).await.expect("the limit did not hold");
        assert!(answer.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_slow_trickle_of_refusals_stays_within_the_limit_too() {
    let lab = one_instance().await;
    lab.imds_fault("", Fault::Delay(PATIENCE * 3 / 4));
    lab.imds_fault(TARGET, Fault::Status(401));
    let imds = lab.imds();
    let answer = tokio::time::timeout(PATIENCE * 3 / 2, imds.target_lifecycle_state()).await.expect("the limit did not hold");
    assert!(matches!(answer, Err(ImdsError::TimedOut { .. })), "{answer:?}");
}

#[tokio::test]
async fn no_token_is_told_as_such_with_what_to_look_at() {
    let lab = one_instance().await;
    lab.imds_fault(TOKEN, Fault::Status(403));
    let error = lab.imds().identity().await.unwrap_err();
    assert!(matches!(error, ImdsError::NoToken { .. }), "{error}");
    assert!(error.to_string().contains("metadata service and that it is enabled"), "{error}");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_error_within_the_limit() {
    let imds = Imds::at("http://127.0.0.1:9", PATIENCE).unwrap();
    let error = imds.target_lifecycle_state().await.unwrap_err();
    assert!(error.to_string().contains("IMDS at http://127.0.0.1:9 "), "the service asked is not named: {error}");
    let answer = tokio::time::timeout(2 * PATIENCE, imds.identity()).await.expect("the limit did not hold");
    assert!(answer.is_err());
}

/// The SDK sends even these link-local questions through `HTTP_PROXY`. The environment is shared by all threads, so the test is run
/// once more in a process of its own, with a proxy that is not there.
#[test]
fn a_proxy_of_the_environment_is_not_asked_where_no_proxy_names_the_service() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "wire_aws::imds::the_identity_is_the_instances_own", "--test-threads=1"]);
    again.env("HTTP_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1");
    let ran = again.output().unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "{}", String::from_utf8_lossy(&ran.stdout));
}
