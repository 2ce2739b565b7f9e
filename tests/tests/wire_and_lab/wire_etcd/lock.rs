//! The cluster-wide lock on a real etcd.

use std::time::Duration;

use quorate::adapters::etcd::Etcd;
use quorate::clock::Clock;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Lock;
use quorate_core::pausing::Pause;
use quorate_core::plan::{LockPurpose, Outcome};
use quorate_core::time::Timestamp;

use crate::wire_etcd::node::{Node, etcd_binary, eventually};

const TTL: Duration = Duration::from_secs(20);

fn agent() -> Etcd {
    Etcd::new(None, Duration::from_secs(5), Clock::start())
}

async fn leases(url: &str) -> usize {
    etcd_client::Client::connect([url], None).await.unwrap().leases().await.unwrap().leases().len()
}

#[tokio::test]
async fn one_holds_it_and_the_other_is_told_who() {
    let Some(etcd) = etcd_binary("one_holds_it_and_the_other_is_told_who") else { return };
    let node = Node::new(&etcd, 30, 1, &[]);
    node.found_and_open().await;
    let (url, (a, b)) = (node.url(), (agent(), agent()));
    let (ia, ib): (InstanceId, InstanceId) = ("i-a".into(), "i-b".into());
    assert_eq!(a.lock(&url, &ia).await.unwrap(), Lock::Free);
    assert!(matches!(a.renew(&url).await, Outcome::Refused(_)));
    assert_eq!(a.acquire(&url, &ia, LockPurpose::Join, TTL).await, Outcome::Done);
    assert!(matches!(a.lock(&url, &ia).await.unwrap(), Lock::Mine { remaining } if remaining > TTL / 2 && remaining <= TTL));

    let refused = b.acquire(&url, &ib, LockPurpose::RemoveMember, TTL).await;
    assert!(matches!(&refused, Outcome::Refused(why) if why.contains("i-a") && why.contains("join")), "{refused:?}");
    assert_eq!(b.lock(&url, &ib).await.unwrap(), Lock::Other { holder: ia.clone(), purpose: "join".into() });
    assert_eq!(leases(&url).await, 1, "the loser's lease was not given back");
    assert_eq!(b.release(&url, &ib).await, Outcome::Done, "nothing of b's to release");
    assert!(matches!(a.lock(&url, &ia).await.unwrap(), Lock::Mine { .. }));

    assert_eq!(a.release(&url, &ia).await, Outcome::Done);
    assert_eq!(a.release(&url, &ia).await, Outcome::Done);
    assert_eq!(b.lock(&url, &ib).await.unwrap(), Lock::Free);
    assert_eq!(b.acquire(&url, &ib, LockPurpose::RemoveMember, TTL).await, Outcome::Done);
    assert_eq!(leases(&url).await, 1);
}

/// The pause is written once and read in the same look as the lock, and neither hinders the other.
#[tokio::test]
async fn a_pause_lies_beside_the_lock() {
    let Some(etcd) = etcd_binary("a_pause_lies_beside_the_lock") else { return };
    let node = Node::new(&etcd, 36, 1, &[]);
    node.found_and_open().await;
    let (url, agent, me): (_, _, InstanceId) = (node.url(), agent(), "i-a".into());
    let pause = |since| Pause { since: Timestamp(since), by: "alice".into(), on: me.clone() };
    assert_eq!(agent.lock_and_pause(&url, &me).await.unwrap(), (Lock::Free, None));
    assert_eq!(agent.set_pause(&url, &pause(1)).await, Outcome::Done);
    assert_eq!(agent.set_pause(&url, &pause(2)).await, Outcome::Done);
    assert_eq!(agent.lock_and_pause(&url, &me).await.unwrap(), (Lock::Free, Some(pause(1))), "it has been paused since the first");
    assert_eq!(agent.acquire(&url, &me, LockPurpose::Join, TTL).await, Outcome::Done);
    let (lock, found) = agent.lock_and_pause(&url, &me).await.unwrap();
    assert!(matches!(lock, Lock::Mine { .. }) && found == Some(pause(1)), "{lock:?} {found:?}");
    assert_eq!(agent.membership(&url, &me).await.unwrap().pause, Some(pause(1)));
    assert_eq!(agent.clear_pause(&url).await, Outcome::Done);
    assert_eq!(agent.clear_pause(&url).await, Outcome::Done);
    let (lock, found) = agent.lock_and_pause(&url, &me).await.unwrap();
    assert!(matches!(lock, Lock::Mine { .. }) && found.is_none(), "{lock:?} {found:?}");
}

#[tokio::test]
async fn a_renewal_starts_its_time_anew_and_without_one_it_runs_out() {
    let Some(etcd) = etcd_binary("a_renewal_starts_its_time_anew_and_without_one_it_runs_out") else { return };
    let node = Node::new(&etcd, 31, 1, &[]);
    node.found_and_open().await;
    let (url, a, me) = (node.url(), agent(), InstanceId::new("i-a"));
    let remaining = async || match a.lock(&url, &me).await.unwrap() {
        Lock::Mine { remaining } => Some(remaining),
        _ => None,
    };
    assert_eq!(a.acquire(&url, &me, LockPurpose::Join, Duration::from_secs(4)).await, Outcome::Done);
    let granted = remaining().await.unwrap();
    eventually("time to pass", async || remaining().await.filter(|left| *left + Duration::from_secs(2) < granted)).await;
    assert_eq!(a.renew(&url).await, Outcome::Done);
    assert!(remaining().await.unwrap() + Duration::from_secs(1) > granted);
    // Our own count must run out before etcd's does, so the last thing seen as ours has no time left or almost none.
    let mut last = granted;
    eventually("the lock to run out", async || match remaining().await {
        Some(left) => {
            last = left;
            None
        }
        None => Some(()),
    })
    .await;
    assert!(last < Duration::from_secs(1), "etcd took it with {last:?} left by our count");
    assert!(matches!(a.renew(&url).await, Outcome::Refused(_)));
}

#[tokio::test]
async fn after_a_restart_the_own_lock_is_known_again() {
    let Some(etcd) = etcd_binary("after_a_restart_the_own_lock_is_known_again") else { return };
    let node = Node::new(&etcd, 32, 1, &[]);
    node.found_and_open().await;
    let (url, me) = (node.url(), InstanceId::new("i-a"));
    assert_eq!(agent().acquire(&url, &me, LockPurpose::Join, TTL).await, Outcome::Done);

    let second = agent();
    assert!(matches!(second.lock(&url, &me).await.unwrap(), Lock::Mine { remaining } if remaining <= TTL && remaining > TTL / 2));
    assert_eq!(second.renew(&url).await, Outcome::Done);

    let third = agent();
    assert_eq!(third.acquire(&url, &me, LockPurpose::Promote, TTL).await, Outcome::Done, "its own from before");
    assert_eq!(leases(&url).await, 1, "the old lease was not given back");
    assert_eq!(agent().lock(&url, &"i-b".into()).await.unwrap(), Lock::Other { holder: me.clone(), purpose: "promote a learner".into() });

    assert_eq!(agent().release(&url, &me).await, Outcome::Done);
    assert_eq!(third.lock(&url, &me).await.unwrap(), Lock::Free);
    assert_eq!(leases(&url).await, 0);
}

#[tokio::test]
async fn a_value_that_no_agent_wrote_blocks_and_is_shown() {
    let Some(etcd) = etcd_binary("a_value_that_no_agent_wrote_blocks_and_is_shown") else { return };
    let node = Node::new(&etcd, 33, 1, &[]);
    node.found_and_open().await;
    let (url, me) = (node.url(), InstanceId::new("i-a"));
    etcd_client::Client::connect([&url], None).await.unwrap().put("/quorate/lock", "mine!", None).await.unwrap();
    let lock = agent().lock(&url, &me).await.unwrap();
    assert!(matches!(&lock, Lock::Other { purpose, .. } if purpose.as_str().contains("mine!")), "{lock:?}");
    assert!(matches!(agent().acquire(&url, &me, LockPurpose::Join, TTL).await, Outcome::Refused(why) if why.contains("mine!")));
}
