//! A survivor's own data, restored into a new generation by etcd's real tool.

use std::time::Duration;

use quorate::adapters::host::{RestoreOrder, RestoreTool};
use quorate::adapters::service_manager::ServiceManager;
use quorate_core::ids::Generation;
use quorate_core::observation::LocalData;
use quorate_core::plan::{Outcome, Start};
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use rustix::process::Signal;

use crate::wire_etcd::node::{Node, etcd_binary, eventually};

const NOW: Timestamp = Timestamp(1_763_682_131_000);

#[tokio::test]
async fn a_survivor_restores_its_data_as_a_new_cluster() {
    let Some(etcd) = etcd_binary("a_survivor_restores_its_data_as_a_new_cluster") else { return };
    let (a, b) = (Node::new(&etcd, 40, 1, &[]), Node::new(&etcd, 40, 2, &[]));
    let old = a.found_and_open().await;
    eventually("the addition", async || (a.etcd.add_learner(&a.url(), &b.peer_url()).await == Outcome::Done).then_some(())).await;
    b.join(&a).await;
    let learner = a.word().await.membership.learner().unwrap().id;
    eventually("the promotion", async || (a.etcd.promote(&a.url(), learner).await == Outcome::Done).then_some(())).await;
    let mut client = etcd_client::Client::connect([a.url()], None).await.unwrap();
    client.put("kept", "by all means", None).await.unwrap();

    b.signal(Signal::KILL);
    a.exec.stop(Duration::from_secs(10)).await.unwrap();
    let order = RestoreOrder {
        label: a.label(2, Some("quorate-test-g2-r5")),
        token: "quorate-test-g2-r5".into(),
        peer_url: a.peer_url(),
        limit: Duration::from_secs(60),
    };
    for _ in 0..2 {
        a.data.restore_own(&RestoreTool::beside(&etcd).unwrap(), &order, &a.trash, NOW).await.unwrap();
    }
    assert!(a.data.superseded_exists().unwrap());
    assert!(!a.exec.state().await.unwrap().ran_this_boot, "etcd never ran on the restored data");
    let LocalData::Present(found) = a.data.inspect(&a.me).unwrap() else { panic!("no data") };
    assert_eq!(found.generation, Some(Generation(2)));
    assert!(found.cluster.is_some_and(|id| id != old.cluster) && found.member.is_some());

    a.exec.start(&Start::Resume { loopback_only: true, server: None }, Transport::Plain).await.unwrap();
    let new = a.leads(&a.founding_url()).await;
    assert_eq!((Some(new.cluster), Some(new.member)), (found.cluster, found.member));
    let word = a.etcd.membership(&a.founding_url(), &a.me).await.unwrap();
    assert_eq!(word.membership.members.len(), 1, "{:?}", word.membership);
    let mut client = etcd_client::Client::connect([a.founding_url()], None).await.unwrap();
    assert_eq!(client.get("kept", None).await.unwrap().kvs()[0].value(), b"by all means");

    assert!(a.data.drop_superseded(&a.trash, NOW).unwrap().is_some());
    assert!(!a.data.superseded_exists().unwrap());
}
