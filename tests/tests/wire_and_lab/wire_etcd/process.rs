//! The member's process: found, adopted, never doubled, and stopped even when it is frozen.

use std::time::Duration;

use quorate::adapters::etcd::EtcdError;
use quorate::adapters::service_manager::ServiceManager;
use quorate_core::observation::{DataIdentity, LocalData, Process};
use quorate_core::plan::Start;
use quorate_core::transport::Transport;
use rustix::process::Signal;

use crate::wire_etcd::node::{Node, TOKEN, etcd_binary, eventually};

#[tokio::test]
async fn a_founder_serves_on_loopback_only_until_it_is_resumed() {
    let Some(etcd) = etcd_binary("a_founder_serves_on_loopback_only_until_it_is_resumed") else { return };
    let node = Node::new(&etcd, 10, 1, &[]);
    assert_eq!(node.exec.state().await.unwrap().process, Process::Stopped { last_exit: None });
    assert!(!node.exec.state().await.unwrap().ran_this_boot);
    let status = node.found().await;

    let state = node.exec.state().await.unwrap();
    assert!(matches!(state.process, Process::Running { loopback_only: true, .. }) && state.ran_this_boot, "{state:?}");
    assert!(node.etcd.status(&node.url()).await.is_err(), "it answers clients on its own address");

    // NOTIFY_SOCKET or an ETCD_* of the agent's own environment would do harm; cargo's variables stand for them here.
    let environment = std::fs::read(format!("/proc/{}/environ", node.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("CARGO"), "etcd inherits the agent's environment");

    // Read from the log on the disk, while etcd runs and after it has stopped.
    let identity = DataIdentity {
        cluster: Some(status.cluster),
        member: Some(status.member),
        generation: Some(node.label(1, None).generation),
        version: None,
    };
    // etcd decides on its cluster's version within seconds, and writes it later.
    let inspect = || match node.data.inspect(&node.me).unwrap() {
        LocalData::Present(identity) => LocalData::Present(DataIdentity { version: None, ..identity }),
        LocalData::Empty => LocalData::Empty,
    };
    assert_eq!(inspect(), LocalData::Present(identity.clone()));
    node.exec.stop(Duration::from_secs(10)).await.unwrap();
    assert!(node.last_exit().await.starts_with("signal: 15 (SIGTERM)"), "{}", node.last_exit().await);
    assert_eq!(inspect(), LocalData::Present(identity));
    assert!(node.exec.state().await.unwrap().ran_this_boot);

    node.exec.start(&Start::Resume { loopback_only: false, server: None }, Transport::Plain).await.unwrap();
    let resumed = node.leads(&node.url()).await;
    assert_eq!((resumed.cluster, resumed.member), (status.cluster, status.member));
    assert!(matches!(node.exec.state().await.unwrap().process, Process::Running { loopback_only: false, .. }));
    assert!(node.etcd.status(&node.founding_url()).await.is_err());
}

#[tokio::test]
async fn the_next_agent_adopts_it_and_starts_no_second() {
    let Some(etcd) = etcd_binary("the_next_agent_adopts_it_and_starts_no_second") else { return };
    let node = Node::new(&etcd, 11, 1, &[]);
    node.found().await;
    let (pid, before) = (node.pid(), node.exec.state().await.unwrap());

    let next = node.next_agent();
    let Process::Running { since, loopback_only } = next.state().await.unwrap().process else { panic!("not adopted") };
    let Process::Running { since: known, .. } = before.process else { panic!("not running") };
    assert!(loopback_only && since.0.abs_diff(known.0) < 2_000, "{since} is not {known}");
    next.start(&Start::Resume { loopback_only: true, server: None }, Transport::Plain).await.unwrap();
    assert_eq!(node.pid(), pid);

    // Without the record, and by an agent that looks elsewhere for it.
    for agent in [node.misled_agent(), node.misled_agent()] {
        agent.start(&Start::Resume { loopback_only: true, server: None }, Transport::Plain).await.unwrap();
        assert!(matches!(agent.state().await.unwrap().process, Process::Running { loopback_only: true, .. }));
    }
    assert_eq!(node.servers().len(), 1);
    node.forget_the_process();
    let last = node.next_agent();
    assert!(matches!(last.state().await.unwrap().process, Process::Running { .. }));
    last.stop(Duration::from_secs(10)).await.unwrap();
    assert_eq!(node.servers().len(), 0);
    assert!(!node.is_running().await);
}

#[tokio::test]
async fn what_somebody_else_started_after_its_own_had_ended_is_adopted() {
    let Some(etcd) = etcd_binary("what_somebody_else_started_after_its_own_had_ended_is_adopted") else { return };
    let node = Node::new(&etcd, 17, 1, &[]);
    node.found().await;
    // An adopted process is no child: this agent learns of its end only when it looks.
    let agent = node.next_agent();
    assert!(matches!(agent.state().await.unwrap().process, Process::Running { .. }));
    node.signal(Signal::KILL);
    eventually("its end", async || node.servers().is_empty().then_some(())).await;
    node.misled_agent().start(&Start::Resume { loopback_only: true, server: None }, Transport::Plain).await.unwrap();
    agent.start(&Start::Resume { loopback_only: true, server: None }, Transport::Plain).await.unwrap();
    assert_eq!(node.servers().len(), 1);
    agent.stop(Duration::from_secs(10)).await.unwrap();
    assert!(node.servers().is_empty());
}

#[tokio::test]
async fn two_agents_at_once_start_one() {
    let Some(etcd) = etcd_binary("two_agents_at_once_start_one") else { return };
    let node = Node::new(&etcd, 12, 1, &[]);
    node.data.prepare(&node.label(1, Some(TOKEN))).unwrap();
    let how = Start::Found { generation: node.label(1, None).generation, token: TOKEN.to_owned() };
    let other = node.next_agent();
    let (one, two) = tokio::join!(node.exec.start(&how, Transport::Plain), other.start(&how, Transport::Plain));
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
    assert_eq!(node.servers().len(), 1);
    node.leads(&node.founding_url()).await;
}

#[tokio::test]
async fn a_frozen_member_times_out_and_can_be_stopped() {
    let Some(etcd) = etcd_binary("a_frozen_member_times_out_and_can_be_stopped") else { return };
    let node = Node::new(&etcd, 13, 1, &[]);
    node.found_and_open().await;
    node.freeze().await;
    let status = tokio::time::timeout(Duration::from_secs(3), node.etcd.status(&node.url())).await.expect("it hung");
    assert!(matches!(status, Err(EtcdError::Timeout { .. })), "{status:?}");
    let word = tokio::time::timeout(Duration::from_secs(8), node.etcd.membership(&node.url(), &node.me)).await.expect("it hung");
    assert!(matches!(word, Err(EtcdError::Timeout { .. })), "{word:?}");
    assert!(node.is_running().await, "frozen is not gone");

    // Thawed, it answers again.
    node.signal(Signal::CONT);
    node.leads(&node.url()).await;

    node.freeze().await;
    let stopped = tokio::time::timeout(Duration::from_secs(5), node.exec.stop(Duration::from_millis(300))).await.expect("it hung");
    stopped.unwrap();
    assert!(node.last_exit().await.starts_with("signal: 9 (SIGKILL)"));
}

#[tokio::test]
async fn a_killed_member_is_seen_and_reaped() {
    let Some(etcd) = etcd_binary("a_killed_member_is_seen_and_reaped") else { return };
    let node = Node::new(&etcd, 14, 1, &[]);
    node.found().await;
    let pid = node.pid();
    node.signal(Signal::KILL);
    assert!(node.last_exit().await.starts_with("signal: 9 (SIGKILL)"));
    eventually("the zombie to be reaped", async || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())).await;
    node.exec.stop(Duration::from_secs(1)).await.unwrap();
}

#[tokio::test]
async fn a_member_that_cannot_start_says_why() {
    let Some(etcd) = etcd_binary("a_member_that_cannot_start_says_why") else { return };
    // Data without a log, as after a crash at the very first start: never a cluster of its own.
    let node = Node::new(&etcd, 15, 1, &[]);
    node.data.prepare(&node.label(1, None)).unwrap();
    std::fs::create_dir(node.data.path().join("member")).unwrap();
    node.exec.start(&Start::Resume { loopback_only: false, server: None }, Transport::Plain).await.unwrap();
    let why = node.last_exit().await;
    assert!(why.contains("cannot fetch cluster info from peer urls"), "{why}");

    // The founder's own token makes it the same founding, and no other.
    let founder = Node::new(&etcd, 15, 2, &[]);
    let first = founder.found().await;
    founder.exec.stop(Duration::from_secs(10)).await.unwrap();
    std::fs::remove_dir_all(founder.data.path().join("member/wal")).unwrap();
    std::fs::remove_dir_all(founder.data.path().join("member/snap")).unwrap();
    founder.exec.start(&Start::Resume { loopback_only: true, server: None }, Transport::Plain).await.unwrap();
    let again = founder.leads(&founder.founding_url()).await;
    assert_eq!((again.cluster, again.member), (first.cluster, first.member));
}

#[tokio::test]
async fn a_binary_that_is_no_etcd_is_refused() {
    let node = Node::new(std::path::Path::new("/bin/echo"), 16, 1, &[]);
    let error = node.exec.start(&Start::Resume { loopback_only: false, server: None }, Transport::Plain).await.unwrap_err();
    assert!(error.to_string().contains("/bin/echo --version"), "{error}");
    let node = Node::new(std::path::Path::new("/nowhere/etcd"), 16, 2, &[]);
    let error = node.exec.start(&Start::Resume { loopback_only: false, server: None }, Transport::Plain).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/etcd"), "{error}");
}

/// A stand-in that accepts one flag less than etcd, and prints its version; it never serves.
fn stand_in(at: &std::path::Path, version: &str, refused: &str) {
    use std::os::unix::fs::PermissionsExt;
    let script = format!(
        "#!/bin/sh\nfor a; do case \"$a\" in {refused}*) echo \"flag provided but not defined: $a\" >&2; echo Usage: >&2; exit 2;; esac; done\n\
         for a; do [ \"$a\" = --version ] && echo 'etcd Version: {version}' && exit 0; done\ntouch {}.served\nexec sleep 60\n",
        at.display()
    );
    let new = at.with_extension("new");
    std::fs::write(&new, script).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&new, at).unwrap();
}

#[tokio::test]
async fn an_etcd_that_was_replaced_is_asked_again_and_its_flags_are_tried_before_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let (etcd, now) = (dir.path().join("etcd"), quorate_core::time::Timestamp(1_000_000));
    stand_in(&etcd, "3.6.1", "--none-of-these");
    let node = Node::new(&etcd, 91, 1, &["--experimental-corrupt-check-time=1h"]);
    let tried = async || node.exec.preflight(now).await.unwrap().unwrap();
    let first = tried().await;
    assert_eq!((first.version.to_string().as_str(), first.flag_refused), ("3.6", None));

    // Upgraded in place, while the agent runs.
    stand_in(&etcd, "3.7.3", "--experimental");
    let second = tried().await;
    assert_eq!(second.version.to_string(), "3.7");
    assert!(second.flag_refused.unwrap().contains("not defined: --experimental-corrupt-check-time"));
    let how = Start::Resume { loopback_only: false, server: None };
    let refused = node.exec.start(&how, Transport::Plain).await.unwrap_err().to_string();
    assert!(refused.contains("refuses its flags") && refused.contains("etcd.extra_args"), "{refused}");
    assert!(!dir.path().join("etcd.served").exists() && node.exec.state().await.unwrap().process == Process::Stopped { last_exit: None });

    // A start does not rely on what was said before.
    stand_in(&etcd, "3.5.32", "--feature-gates");
    node.exec.start(&how, Transport::Plain).await.unwrap();
    node.exec.stop(Duration::from_secs(1)).await.unwrap();
}

#[tokio::test]
async fn real_etcd_says_its_clusters_version_and_writes_it_into_its_file() {
    let Some(etcd) = etcd_binary("real_etcd_says_its_clusters_version_and_writes_it_into_its_file") else { return };
    let node = Node::new(&etcd, 92, 1, &["--no-such-flag"]);
    let preflight = node.exec.preflight(quorate_core::time::Timestamp(0)).await.unwrap().unwrap();
    assert!(preflight.flag_refused.unwrap().contains("no-such-flag"));

    let node = Node::new(&etcd, 92, 2, &[]);
    let preflight = node.exec.preflight(quorate_core::time::Timestamp(0)).await.unwrap().unwrap();
    assert_eq!((node.exec.taken_ports(), preflight.flag_refused), (Vec::new(), None));
    let status = node.found_and_open().await;
    assert_eq!(status.version, Some(preflight.version));
    let versions = quorate::adapters::etcd::VersionClient::new(None).unwrap();
    let url = node.url();
    let cluster = eventually("a decided version", async || versions.ask(&url).await.ok().and_then(|v| v.decided())).await;
    assert_eq!(cluster, preflight.version);
    let here = node.exec.taken_ports();
    assert!(here.iter().any(|port| port.by.as_deref().is_some_and(|by| by.starts_with("etcd, process"))), "{here:?}");
    node.exec.stop(Duration::from_secs(10)).await.unwrap();
    let LocalData::Present(identity) = node.data.inspect(&node.me).unwrap() else { panic!("its data is gone") };
    assert_eq!(identity.version, Some(cluster));
    assert_eq!(node.exec.taken_ports(), []);
}
