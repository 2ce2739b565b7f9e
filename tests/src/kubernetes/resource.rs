//! The kinds of objects, and their names.

use std::fmt;

/// A kind of object that the cluster holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Nodes.
    Nodes,
    /// Pods.
    Pods,
    /// DaemonSets.
    DaemonSets,
    /// StatefulSets.
    StatefulSets,
    /// ReplicaSets, through which a Deployment owns its pods.
    ReplicaSets,
    /// Disruption budgets.
    PodDisruptionBudgets,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nodes, Self::Pods, Self::DaemonSets, Self::StatefulSets, Self::ReplicaSets, Self::PodDisruptionBudgets];

    /// The name in paths.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::DaemonSets => "daemonsets",
            Self::StatefulSets => "statefulsets",
            Self::ReplicaSets => "replicasets",
            Self::PodDisruptionBudgets => "poddisruptionbudgets",
        }
    }

    /// The name in objects.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Nodes => "Node",
            Self::Pods => "Pod",
            Self::DaemonSets => "DaemonSet",
            Self::StatefulSets => "StatefulSet",
            Self::ReplicaSets => "ReplicaSet",
            Self::PodDisruptionBudgets => "PodDisruptionBudget",
        }
    }

    /// The API group; the core group's name is empty.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Self::Nodes | Self::Pods => "",
            Self::DaemonSets | Self::StatefulSets | Self::ReplicaSets => "apps",
            Self::PodDisruptionBudgets => "policy",
        }
    }

    /// Group and version, as in `apiVersion`.
    #[must_use]
    pub fn api_version(self) -> String {
        if self.group().is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group()) }
    }

    /// Whether it lives in a namespace.
    #[must_use]
    pub fn is_namespaced(self) -> bool {
        self != Self::Nodes
    }

    pub(super) fn named(group: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.group() == group && resource.plural() == plural)
    }

    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.kind() == kind)
    }
}

/// As refusals name it: `pods`, `daemonsets.apps`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group() {
            "" => f.write_str(self.plural()),
            group => write!(f, "{}.{group}", self.plural()),
        }
    }
}

/// Names one object. Lists are in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its kind.
    pub resource: Resource,
    /// Its namespace; empty for a Node.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// An object in a namespace.
    #[must_use]
    pub fn new(resource: Resource, namespace: &str, name: &str) -> Self {
        Self { resource, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// A pod of the namespace `default`.
    #[must_use]
    pub fn pod(name: &str) -> Self {
        Self::new(Resource::Pods, "default", name)
    }

    /// A Node.
    #[must_use]
    pub fn node(name: &str) -> Self {
        Self::new(Resource::Nodes, "", name)
    }
}
