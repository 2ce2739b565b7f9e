//! Membership changes and readings on a real cluster.

use quorate::adapters::etcd::EtcdError;
use quorate_core::observation::Alarm;
use quorate_core::plan::{LockPurpose, Outcome};
use rustix::process::Signal;

use crate::wire_etcd::node::{Node, etcd_binary, eventually};

#[tokio::test]
async fn a_learner_is_added_promoted_and_removed() {
    let Some(etcd) = etcd_binary("a_learner_is_added_promoted_and_removed") else { return };
    let (a, b) = (Node::new(&etcd, 20, 1, &[]), Node::new(&etcd, 20, 2, &[]));
    let founded = a.found_and_open().await;
    let alone = a.word().await.membership;
    assert_eq!((alone.cluster, alone.leader, alone.via), (founded.cluster, Some(founded.member), founded.member));
    let client = alone.members[0].client_url.map(|url| url.to_string());
    assert_eq!((alone.members[0].name.as_ref(), client), (Some(&a.me), Some(a.url())));

    add(&a, &b.peer_url()).await;
    let again = a.etcd.add_learner(&a.url(), &b.peer_url()).await;
    assert!(
        matches!(&again, Outcome::Unclear(why) if why.contains("member ID already exist") || why.contains("Peer URLs already exists")),
        "{again:?}"
    );
    // The id is a hash of the URL and the second: in the next second it is the URL that exists.
    let later = async || {
        matches!(a.etcd.add_learner(&a.url(), &b.peer_url()).await, Outcome::Unclear(why) if why.contains("Peer URLs")).then_some(())
    };
    eventually("the next second", later).await;
    let second = a.etcd.add_learner(&a.url(), "http://127.7.20.3:2380").await;
    assert!(matches!(&second, Outcome::Refused(why) if why.contains("too many learner members")), "{second:?}");

    let entry = a.word().await.membership.learner().cloned().unwrap();
    assert_eq!((entry.name, entry.peer_url.to_string(), entry.client_url), (None, b.peer_url(), None));
    let early = a.etcd.promote(&a.url(), entry.id).await;
    assert!(matches!(early, Outcome::Refused(_) | Outcome::Unclear(_)), "{early:?}");

    b.join(&a).await;
    let status = eventually("the learner's status", async || b.etcd.status(&b.url()).await.ok()).await;
    assert!(status.learner && status.member == entry.id && status.cluster == founded.cluster, "{status:?}");
    let word = b.etcd.membership(&b.url(), &b.me).await;
    assert!(matches!(&word, Err(EtcdError::Refused { message, .. }) if message.contains("not supported for learner")), "{word:?}");
    assert!(b.etcd.local_list(&b.url()).await.is_err());

    until_done("the promotion", async || a.etcd.promote(&a.url(), entry.id).await).await;
    assert_eq!(a.etcd.promote(&a.url(), entry.id).await, Outcome::Done, "a voter already");
    assert_eq!(b.word().await.membership.voters().count(), 2);

    until_done("the leader's move", async || a.etcd.move_leader(&a.url(), entry.id).await).await;
    eventually("the new leader", async || (a.word().await.membership.leader == Some(entry.id)).then_some(())).await;
    let not_mine = a.etcd.move_leader(&a.url(), entry.id).await;
    assert!(matches!(&not_mine, Outcome::Refused(why) if why.contains("not leader")), "{not_mine:?}");

    until_done("the removal", async || b.etcd.remove(&b.url(), founded.member).await).await;
    assert_eq!(b.etcd.remove(&b.url(), founded.member).await, Outcome::Done, "removed already");
    let left = b.word().await.membership;
    assert_eq!(left.members.iter().map(|m| m.id).collect::<Vec<_>>(), [entry.id]);
    let last = b.etcd.remove(&b.url(), entry.id).await;
    assert!(matches!(&last, Outcome::Refused(why) if why.contains("not enough started members")), "{last:?}");
    assert!(a.last_exit().await.starts_with("exit status: 0"), "a removed member exits on its own");
}

/// As after its volume was moved: what etcd was given at its first start is in its data, and stays there until it is updated.
#[tokio::test]
async fn a_member_is_listed_at_a_new_address() {
    let Some(etcd) = etcd_binary("a_member_is_listed_at_a_new_address") else { return };
    let a = Node::new(&etcd, 19, 1, &[]);
    let founded = a.found_and_open().await;
    let elsewhere = "http://127.7.19.9:2380";
    assert_eq!(a.etcd.update_peer_url(&a.url(), founded.member, elsewhere).await, Outcome::Done);
    let listed = a.word().await.membership;
    assert_eq!(
        listed.members.iter().map(|m| (m.id, m.peer_url.to_string())).collect::<Vec<_>>(),
        [(founded.member, elsewhere.to_string())]
    );
    let unknown = a.etcd.update_peer_url(&a.url(), quorate_core::ids::MemberId(5), elsewhere).await;
    assert!(!matches!(unknown, Outcome::Done), "{unknown:?}");
}

#[tokio::test]
async fn without_quorum_only_the_local_list_is_given() {
    let Some(etcd) = etcd_binary("without_quorum_only_the_local_list_is_given") else { return };
    let (a, b) = (Node::new(&etcd, 21, 1, &[]), Node::new(&etcd, 21, 2, &[]));
    a.found_and_open().await;
    add(&a, &b.peer_url()).await;
    b.join(&a).await;
    let learner = a.word().await.membership.learner().unwrap().id;
    until_done("the promotion", async || a.etcd.promote(&a.url(), learner).await).await;

    b.signal(Signal::KILL);
    let status = eventually("the loss to be seen", async || a.etcd.status(&a.url()).await.ok().filter(|s| s.leader.is_none())).await;
    assert_eq!(status.alarms, []);
    let word = a.etcd.membership(&a.url(), &a.me).await;
    assert!(word.is_err(), "a list without quorum was mistaken for a quorum's: {word:?}");
    let list = a.etcd.local_list(&a.url()).await.unwrap();
    assert_eq!(list.len(), 2);
    let removed = a.etcd.remove(&a.url(), learner).await;
    assert!(matches!(removed, Outcome::Refused(_) | Outcome::Unclear(_)), "{removed:?}");
}

#[tokio::test]
async fn a_full_database_raises_an_alarm_and_refuses_the_lock() {
    let Some(etcd) = etcd_binary("a_full_database_raises_an_alarm_and_refuses_the_lock") else { return };
    let node = Node::new(&etcd, 22, 1, &["--quota-backend-bytes=1000000"]);
    node.found_and_open().await;
    let mut client = etcd_client::Client::connect([node.url()], None).await.unwrap();
    for number in 0.. {
        if client.put(format!("fill/{number}"), vec![b'x'; 100_000], None).await.is_err() {
            break;
        }
    }
    let status = eventually("the alarm", async || node.etcd.status(&node.url()).await.ok().filter(|s| !s.alarms.is_empty())).await;
    assert_eq!(status.alarms, [Alarm::NoSpace]);
    let outcome = node.etcd.acquire(&node.url(), &node.me, LockPurpose::Join, std::time::Duration::from_secs(20)).await;
    assert!(matches!(&outcome, Outcome::Refused(why) if why.contains("database space exceeded")), "{outcome:?}");
    node.word().await;
}

/// etcd refuses for five seconds after a start: its peers must have been connected for that long.
async fn add(seed: &Node, peer_url: &str) {
    until_done("the addition", async || seed.etcd.add_learner(&seed.url(), peer_url).await).await;
}

async fn until_done(what: &str, mut step: impl AsyncFnMut() -> Outcome) {
    let mut last = Outcome::Done;
    let tried = async {
        loop {
            last = step().await;
            if last == Outcome::Done {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let done = tokio::time::timeout(std::time::Duration::from_secs(30), tried).await;
    assert!(done.is_ok(), "waited 30 s for {what}: {last:?}");
}
