//! Kubernetes in a story: this instance's Node, the others', the servers and the drain.

use quorate_core::authority::{AuthorityHash, Pin};
use quorate_core::observation::{Draining, KubernetesView, ListedNode, NodeView, Server, ServerSeen};
use quorate_core::plan::NodeStep;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use crate::story::words::{Words, address_of, named};

#[derive(Clone, Debug, Default)]
pub(crate) struct KubernetesWorld {
    /// None while no API server answers.
    node: Option<Option<NodeView>>,
    nodes: Vec<ListedNode>,
    servers: Vec<ServerSeen>,
    draining: Draining,
    points_at: Option<std::net::IpAddr>,
    /// By its token, if nothing is said.
    authority: Option<Option<Pin>>,
}

impl KubernetesWorld {
    pub(crate) fn set(&mut self, verb: &str, words: &Words<'_>) {
        match verb {
            "node" => self.node = node(words),
            "nodes" => self.nodes = Words::items(words.rest()).map(listed).collect(),
            "servers" => self.servers = Words::items(words.rest()).filter(|item| *item != "none").map(server).collect(),
            "authority" => self.authority = Some(authority(words)),
            "points-at" => self.points_at = (words.nth(0) != "none").then(|| address_of(&named(words.nth(0)))),
            _ => self.set_drain(words),
        }
    }

    fn set_drain(&mut self, words: &Words<'_>) {
        self.draining = match (words.nth(0), &self.draining) {
            ("over", _) => Draining::Over { message: "drained 3 pods".to_owned(), at: Timestamp(0) },
            ("goes", Draining::Goes { end, .. }) => Draining::Goes { message: "evicts 3 pods".to_owned(), end: *end },
            _ => words.fail("a drain that was begun goes, or is over"),
        };
        self.mark(|node| node.schedulable = false);
    }

    pub(crate) fn apply(&mut self, step: &NodeStep) {
        match step {
            NodeStep::Drain(limits) => self.draining = Draining::Goes { message: "cordons the node".to_owned(), end: limits.end },
            NodeStep::Cordon => self.mark(|node| (node.schedulable, node.cordoned_by_us) = (false, true)),
            NodeStep::Uncordon => self.mark(|node| (node.schedulable, node.cordoned_by_us) = (true, false)),
            NodeStep::AnnotateRemoval { .. } => {}
            NodeStep::Delete { instance, .. } => {
                self.nodes.retain(|node| node.name != instance.as_str());
                self.node = self.node.take().map(|node| node.filter(|node| node.uid != uid(instance.as_str())));
            }
            NodeStep::PointAt { server } => self.points_at = Some(*server),
        }
    }

    fn mark(&mut self, change: impl FnOnce(&mut NodeView)) {
        if let Some(Some(node)) = &mut self.node {
            change(node);
        }
    }

    pub(crate) fn observe(&self, now: Timestamp) -> KubernetesView {
        let node = self.node.clone().map_or_else(|| Reading::unknown("no API server answers"), |node| Reading::Fresh(node, now));
        let nodes = if self.node.is_some() { Reading::Fresh(self.nodes.clone(), now) } else { Reading::unknown("no API server answers") };
        let draining = self.draining.clone();
        let authority = match self.authority.unwrap_or(Some(Pin::ByToken)) {
            Some(pin) => Reading::Fresh(pin, now),
            None => Reading::unknown("the store did not answer"),
        };
        KubernetesView { node, nodes, servers: self.servers.clone(), draining, points_at: self.points_at, authority }
    }
}

/// `authority store aa` (its digits are repeated), `authority token aa store bb`, `authority nobody`, `authority unread`.
fn authority(words: &Words<'_>) -> Option<Pin> {
    let hash = |key: &str| words.after(key).map(|digits| digits.repeat(64 / digits.len()).parse::<AuthorityHash>().unwrap());
    (words.nth(0) != "unread").then(|| Pin::of(hash("token"), hash("store")))
}

fn uid(name: &str) -> String {
    format!("uid-of-{name}")
}

/// `node i-a ready [votes|learns] [cordoned] [removed]`, `node i-a notready`, `node none`, `node unknown`.
fn node(words: &Words<'_>) -> Option<Option<NodeView>> {
    match words.nth(0) {
        "unknown" => None,
        "none" => Some(None),
        name => Some(Some(NodeView {
            uid: uid(name),
            ready: words.has("ready"),
            schedulable: !words.has("cordoned"),
            cordoned_by_us: words.has("cordoned"),
            is_voter: if words.has("votes") { Some(true) } else { words.has("learns").then_some(false) },
            removed: words.has("removed"),
        })),
    }
}

/// `i-w notready`, `i-a ready server`.
fn listed(item: &str) -> ListedNode {
    let has = |word: &str| item.split(' ').any(|w| w == word);
    let name = item.split(' ').next().unwrap_or_default();
    ListedNode { name: name.to_owned(), uid: uid(name), ready: has("ready"), control_plane: has("server") }
}

/// `i-a`, or `i-a silent`.
fn server(item: &str) -> ServerSeen {
    let name = item.split(' ').next().unwrap_or_default();
    let server = Server { instance: named(name), address: address_of(&named(name)) };
    ServerSeen { server, healthy: !item.ends_with(" silent") }
}
