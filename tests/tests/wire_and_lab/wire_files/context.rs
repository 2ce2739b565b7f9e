//! What templates get from a cycle.

use quorate::alias::candidates;
use quorate::rendered::{Context, Peer, servers};
use quorate_core::charter::State;
use quorate_core::memory::Leave;
use quorate_core::observation::ServerSeen;
use quorate_core::role::Role;

use crate::wire_files::cycle::{address, id, members, nothing, peer, record, server};

fn names(list: Option<Vec<Peer>>) -> Vec<String> {
    list.into_iter().flatten().map(|peer| peer.instance.to_string()).collect()
}

#[test]
fn a_server_knows_members_and_servers_by_etcds_own_list() {
    let mut cycle = nothing(Role::ControlPlane);
    members(&mut cycle, &[3, -4, 1, 2, 5], 2);
    peer(&mut cycle, 5, true, &[9]);
    let context = Context::of(&cycle);
    assert_eq!(names(context.members.clone()), ["i-1", "i-2", "i-3"], "sorted; no learner, and no leaver");
    assert_eq!(names(context.servers.clone()), ["i-1", "i-2", "i-3"]);
    assert_eq!(context.leader, Some(Peer::new(id(2), address(2), Some("https://10.0.0.2:2379".parse().unwrap()))));
    assert_eq!(
        (context.cluster.as_str(), context.instance.clone(), context.role, context.generation),
        ("prod", id(1), "control-plane", Some(3))
    );
    members(&mut cycle, &[2, 3, 5, -4, 1], 2);
    assert_eq!(Context::of(&cycle), context, "the order of etcd's list is none");
    cycle.memory.kept.seen.remove(&id(3));
    assert_eq!(names(Context::of(&cycle).members), ["i-1", "i-2"], "only etcd has named i-3");
}

#[test]
fn a_node_that_leaves_is_named_no_more_by_itself_either() {
    let mut cycle = nothing(Role::ControlPlane);
    members(&mut cycle, &[1, 2], 1);
    cycle.memory.leaving = Some(Leave::begun(quorate_core::time::Timestamp(1)));
    assert_eq!(names(Context::of(&cycle).members), ["i-2"]);
    assert_eq!(Context::of(&cycle).leader, None);
}

#[test]
fn a_worker_and_a_joiner_know_the_servers_by_their_peers_word() {
    for role in [Role::Worker, Role::ControlPlane] {
        let mut cycle = nothing(role);
        peer(&mut cycle, 3, false, &[3, 2]);
        peer(&mut cycle, 2, false, &[2, 3, 4]);
        peer(&mut cycle, 4, true, &[]);
        assert_eq!(servers(&cycle), [server(2), server(3)]);
        let context = Context::of(&cycle);
        assert_eq!((context.members, context.leader), (None, None));
    }
}

#[test]
fn the_alias_may_also_point_at_a_server_that_was_known_before() {
    let mut cycle = nothing(Role::Worker);
    peer(&mut cycle, 3, false, &[3]);
    peer(&mut cycle, 4, true, &[]);
    cycle.seen.kubernetes.servers = [2, 3, 4].map(|n| ServerSeen { server: server(n), healthy: false }).into();
    assert_eq!(candidates(&cycle), [(server(2), false), (server(3), false)]);
    assert_eq!(servers(&cycle), [server(3)], "a file names only servers that another source vouches for");
}

#[test]
fn a_group_of_etcd_members_has_no_servers_and_an_unestablished_one_nothing() {
    let mut cycle = nothing(Role::Etcd);
    members(&mut cycle, &[1, 2], 1);
    peer(&mut cycle, 2, false, &[2]);
    let context = Context::of(&cycle);
    assert_eq!((names(context.members), context.servers), (vec!["i-1".to_owned(), "i-2".to_owned()], None));
    cycle.memory.kept.record = Some(record(State::Founding { founder: id(1) }));
    assert_eq!(Context::of(&cycle).members, None, "a founder serves loopback only");
}
