//! `quorate kubeconfig` beside a server.

use quorate_lab::lab::url::https;

use super::plane::{CLUSTER, Plane};

/// It names the stable server if one is known, otherwise the node's own; only the kubeconfig is on standard output.
#[tokio::test]
async fn a_server_prints_an_administrators_kubeconfig() -> anyhow::Result<()> {
    let plane = Plane::of(1, 0).await?;
    let server = plane.lab.live(&plane.servers).remove(0);
    let own = plane.lab.type_in(&server, "kubeconfig", &[]).await?;
    assert!(own.succeeded && own.err.is_empty(), "{own:?}");
    for line in [format!("current-context: {CLUSTER}"), format!("server: {}", https(plane.lab.address(&server)?, 6443))] {
        assert!(own.out.contains(&line), "no {line} in\n{}", own.out);
    }
    let told = plane.lab.type_in(&server, "kubeconfig", &["--server", "https://api.prod.example:6443", "--name", "other"]).await?;
    assert!(told.succeeded && told.out.contains("server: https://api.prod.example:6443"), "{told:?}");
    assert!(told.out.contains("current-context: other"), "{told:?}");
    let wrong = plane.lab.type_in(&server, "kubeconfig", &["--server", "http://api.prod.example"]).await?;
    assert!(!wrong.succeeded && wrong.out.is_empty() && wrong.err.contains("is not the URL of an API server"), "{wrong:?}");
    plane.settled(1, 0, None).await
}
