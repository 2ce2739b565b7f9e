//! Without a quorum there is no API.

use std::time::Duration;

use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_api_goes_with_the_quorum_and_comes_back_with_it() {
    let world = World::start().await;
    let first = world.founder().await;
    let mut second = world.joined(1, &first).await;
    let api = first.api().await;
    assert_eq!(api.is_schedulable(&second.name).await.unwrap(), Some(true));
    second.kill().await;
    world.until(SOON, &first, "etcd dies with its k3s", || async { !second.has_etcd() }).await;
    world.until(SOON, &first, "the API is away", || async { api.is_schedulable(&second.name).await.is_err() }).await;
    let error = api.is_schedulable(&second.name).await.unwrap_err().to_string();
    assert!(error.contains("503"), "{error}");
    world
        .until(SOON, &first, "the kubelets fall silent", || async {
            world.is(&first, "Ready", "Unknown") && world.is(&second, "Ready", "Unknown")
        })
        .await;
    second.start("server");
    world.until(SOON, &first, "the API is back", || async { api.is_schedulable(&second.name).await.is_ok() }).await;
    world
        .until(SOON, &second, "both are Ready", || async { world.is(&first, "Ready", "True") && world.is(&second, "Ready", "True") })
        .await;
}
