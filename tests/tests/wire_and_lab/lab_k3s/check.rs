//! `quorate check` beside agents that run k3s.

use super::plane::Plane;

/// The listeners are reported as our own, although the stand-in runs its etcd as a child.
#[tokio::test]
async fn a_check_beside_a_server_and_a_worker_finds_no_problem() -> anyhow::Result<()> {
    let plane = Plane::of(1, 1).await?;
    let (servers, workers) = (plane.lab.live(&plane.servers), plane.lab.live(&plane.workers));
    for (instance, ports) in [(&servers[0], vec![2378, 6443, 2379, 2380]), (&workers[0], vec![2378])] {
        let (passes, found) = plane.lab.check(instance).await?;
        assert!(passes, "{found:#}");
        let of = |name: &str| found["findings"].as_array().into_iter().flatten().find(|finding| finding["name"] == name).cloned();
        for port in ports {
            let taken = of(&format!("port {port}")).unwrap_or_default();
            assert!(taken["found"].as_str().is_some_and(|text| text.contains("is our own")), "{port}: {taken}");
        }
        assert_eq!(of("k3s configuration").unwrap_or_default()["verdict"], "ok", "{found:#}");
    }
    assert_eq!(plane.lab.action_complaints(), Vec::<String>::new());
    Ok(())
}
