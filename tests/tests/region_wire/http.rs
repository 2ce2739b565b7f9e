//! A served region, and plain HTTP towards it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use quorate_core::ids::{GroupName, InstanceId};
use quorate_lab::region::{Delays, GroupSpec, HookSpec, LifecycleState, Region, RegionConfig, Transition};
use quorate_lab::wire::{ImdsServer, RegionServer};
use reqwest::{Method, Response};

pub(crate) const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A group `etcd` of that size, its instances in service, no delay anywhere, served.
pub(crate) async fn served(size: u32) -> RegionServer {
    let region = Region::new(RegionConfig { delays: Delays::none(), ..RegionConfig::default() });
    let server = RegionServer::start(region, ANYWHERE).await.unwrap();
    let spec = GroupSpec::new("etcd", size).sizes(1, size + 2, size).tag("quorate:cluster", "prod <&> \"test\"");
    let hook = HookSpec::new("quorate-terminate", Transition::Terminating).timeout(Duration::from_secs(300));
    server.region().with(|region, now| region.create_group(spec.hook(hook), now)).unwrap();
    assert!(states(&server).iter().all(|state| *state == LifecycleState::InService));
    server
}

pub(crate) fn states(server: &RegionServer) -> Vec<LifecycleState> {
    server.region().with(|region, _| region.members(&GroupName::new("etcd")).map(|one| one.lifecycle).collect())
}

pub(crate) fn ids(server: &RegionServer) -> Vec<InstanceId> {
    server.region().with(|region, _| region.members(&GroupName::new("etcd")).map(|one| one.id.clone()).collect())
}

/// The metadata service of the first instance.
pub(crate) async fn imds(server: &RegionServer) -> ImdsServer {
    server.serve_imds(ids(server)[0].clone(), ANYWHERE).await.unwrap()
}

/// A token for this number of seconds.
pub(crate) async fn token(imds: &ImdsServer, ttl: &str) -> Response {
    let request = reqwest::Client::new().request(Method::PUT, format!("{}/latest/api/token", imds.url()));
    request.header("X-aws-ec2-metadata-token-ttl-seconds", ttl).send().await.unwrap()
}

/// A path with a token: its status and its text.
pub(crate) async fn read(imds: &ImdsServer, token: &str, path: &str) -> (u16, String) {
    let request = reqwest::Client::new().get(format!("{}{path}", imds.url())).header("X-aws-ec2-metadata-token", token);
    text(request.send().await.unwrap()).await
}

/// A call in the Query protocol, signed (as far as the wire looks) by this key for this service.
pub(crate) async fn call(server: &RegionServer, key: &str, service: &str, form: &str) -> reqwest::Result<Response> {
    let credential =
        format!("AWS4-HMAC-SHA256 Credential={key}/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0");
    let request = reqwest::Client::new().post(server.url()).header("Authorization", credential);
    request.header("Content-Type", "application/x-www-form-urlencoded").body(form.to_owned()).send().await
}

/// A call by the operator that arrives: its status and its text.
pub(crate) async fn ask(server: &RegionServer, service: &str, form: &str) -> (u16, String) {
    text(call(server, "operator", service, form).await.unwrap()).await
}

pub(crate) async fn text(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}
