//! What a kubelet may do: the Node authorizer (kubernetes/kubernetes `plugin/pkg/auth/authorizer/node`, with selectors, which is how it is since 1.34),
//! and the admission plugin NodeRestriction (`plugin/pkg/admission/noderestriction`).

use serde_json::Value;

use super::cluster::Cluster;
use super::object::{name, node_of};
use super::request::{Target, Verb};
use super::resource::{Key, Resource};
use super::status::Status;

impl Cluster {
    /// The Node authorizer.
    pub(super) fn authorize(&self, node: &str, verb: Verb, target: &Target) -> Result<(), Status> {
        let resource = target.scope.resource;
        let allowed = match (resource, target.subresource.as_str(), verb) {
            (Resource::Pods, "eviction", Verb::Create) | (Resource::Pods, "", Verb::Create | Verb::Delete) => Ok(()),
            (Resource::Pods, "", Verb::Get) => self.is_related(node, target),
            (Resource::Pods, "", Verb::List) if target.scope.selector.is_of_node(node) => Ok(()),
            (Resource::Pods, "", Verb::List) => Err("can only list/watch pods with spec.nodeName field selector".to_owned()),
            (Resource::Nodes, "", Verb::Create | Verb::Patch) | (Resource::Nodes, "status", Verb::Patch) => Ok(()),
            (Resource::Nodes, "", Verb::Get | Verb::List) => own_node(node, target),
            _ => Err(String::new()),
        };
        allowed.map_err(|why| denied(node, verb, target, &why))
    }

    /// Only pods on the list of the authorizer's graph have an edge to the node.
    fn is_related(&self, node: &str, target: &Target) -> Result<(), String> {
        let bound = target.key().and_then(|key| self.store.get(&key)).is_some_and(|pod| node_of(pod) == node);
        if bound { Ok(()) } else { Err(format!("no relationship found between node '{node}' and this object")) }
    }

    /// NodeRestriction, for what changes a pod.
    pub(super) fn admit_pod(&self, node: &str, key: &Key, verb: &str) -> Result<(), Status> {
        // Its lister names the resource in the singular.
        let missing = || Status { message: format!("pod {:?} not found", key.name), ..Status::not_found(key) };
        let pod = self.store.get(key).ok_or_else(missing)?;
        if node_of(pod) == node {
            return Ok(());
        }
        let who = if verb == "evict" { node.to_owned() } else { format!("{node:?}") };
        Err(Status::forbidden(key.resource, &key.name, &format!("node {who} can only {verb} pods with spec.nodeName set to itself")))
    }
}

/// NodeRestriction, for what changes a Node.
pub(super) fn admit_node(node: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let refuse = |why: &str| Err(Status::forbidden(Resource::Nodes, name(old), why));
    if name(old) != node {
        return refuse(&format!("node {node:?} is not allowed to modify node {:?}", name(old)));
    }
    let (was, is) = (old.pointer("/spec/taints"), new.pointer("/spec/taints"));
    let none = |taints: Option<&Value>| taints.and_then(Value::as_array).is_none_or(Vec::is_empty);
    if was != is && !(none(was) && none(is)) {
        return refuse(&format!("node {node:?} is not allowed to modify taints"));
    }
    let forbidden = forbidden_labels(old, new);
    if forbidden.is_empty() { Ok(()) } else { refuse(&format!("is not allowed to modify labels: {}", forbidden.join(", "))) }
}

/// Kubernetes' own labels that a kubelet may not set.
fn forbidden_labels(old: &Value, new: &Value) -> Vec<String> {
    let keys = |object: &Value| object.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    let (was, is) = (keys(old), keys(new));
    let mut changed: Vec<String> = was.keys().chain(is.keys()).filter(|key| was.get(*key) != is.get(*key)).cloned().collect();
    changed.sort();
    changed.dedup();
    changed.retain(|key| !may_be_kubelets(key));
    changed
}

/// Whether a kubelet may give its own Node a label with this key; with any other, the real one does not even start.
pub(crate) fn may_be_kubelets(key: &str) -> bool {
    !is_kubernetes(key) || is_kubelets(key)
}

fn prefix(label: &str) -> &str {
    label.split_once('/').map_or("", |(prefix, _)| prefix)
}

fn is_kubernetes(label: &str) -> bool {
    ["kubernetes.io", "k8s.io"]
        .iter()
        .any(|domain| prefix(label).strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

fn is_kubelets(label: &str) -> bool {
    let own = ["kubelet.kubernetes.io", "node.kubernetes.io"].iter().any(|domain| prefix(label).ends_with(domain));
    let known = [
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    ];
    own || known.contains(&label)
}

fn own_node(node: &str, target: &Target) -> Result<(), String> {
    match target.name.as_deref() {
        Some(name) if name == node => Ok(()),
        Some(name) => Err(format!("node '{node}' cannot read '{name}', only its own Node object")),
        None => Err(format!("node '{node}' cannot read all nodes, only its own Node object")),
    }
}

fn denied(node: &str, verb: Verb, target: &Target, why: &str) -> Status {
    let resource = target.scope.resource;
    let place = match &target.scope.namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let what = match target.subresource.as_str() {
        "" => resource.plural().to_owned(),
        subresource => format!("{}/{subresource}", resource.plural()),
    };
    let user = format!("system:node:{node}");
    let because = if why.is_empty() { String::new() } else { format!(": {why}") };
    let message = format!("User {user:?} cannot {} resource {what:?} in API group {:?} {place}{because}", verb.word(), resource.group());
    Status::forbidden(resource, target.name.as_deref().unwrap_or_default(), &message)
}
