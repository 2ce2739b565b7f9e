//! A cluster, used through its API alone and left as it was found.

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use quorate::adapters::kubernetes::{ApiServers, CORDONED};
use quorate_core::drain::Ending;
use quorate_lab::kubernetes::{ApiServer, Cluster, ClusterHandle, Delays, Key, Resource, User, kubeconfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::drained::ending;

/// Names a real cluster's kubeconfig.
pub(crate) const KUBECONFIG: &str = "QUORATE_TEST_KUBECONFIG";
/// The mark of every object that a test makes.
const LABEL: &str = "quorate-test";
/// Longer than anything takes; only a failure comes near it.
const LIMIT: Duration = Duration::from_secs(90);

/// A real cluster has one node to drain: one test at a time.
static REAL: Mutex<()> = Mutex::const_new(());
static STAGES: AtomicU32 = AtomicU32::new(0);

/// A cluster with two nodes.
pub(crate) struct Stage {
    client: Client,
    kubeconfig: Kubeconfig,
    dir: TempDir,
    /// The node that is drained, and another.
    pub(crate) nodes: [String; 2],
    /// Names of this test's objects begin with something of its own.
    mark: String,
    made: StdMutex<Vec<Key>>,
    pub(crate) is_real: bool,
    _double: Option<ApiServer>,
}

/// Runs a test, and removes what it made, however it ends.
pub(crate) async fn play(act: impl AsyncFnOnce(&Stage)) {
    let real = std::env::var_os(KUBECONFIG).map(PathBuf::from);
    let alone = match real {
        Some(_) => Some(REAL.lock().await),
        None => None,
    };
    let stage = Stage::set(real).await;
    let played = AssertUnwindSafe(act(&stage)).catch_unwind().await;
    stage.clear().await;
    drop(alone);
    if let Err(panic) = played {
        std::panic::resume_unwind(panic);
    }
}

impl Stage {
    async fn set(real: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let is_real = real.is_some();
        let (path, double) = match real {
            Some(path) => (path, None),
            None => {
                let (path, server) = (dir.path().join("admin"), double().await);
                std::fs::write(&path, kubeconfig(&server.url(), &User::Admin)).unwrap();
                (path, Some(server))
            }
        };
        let kubeconfig = Kubeconfig::read_from(&path).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default()).await.unwrap();
        let mark = format!("q{}x{}", std::process::id(), STAGES.fetch_add(1, Ordering::Relaxed));
        let (client, made, nodes) = (Client::try_from(config).unwrap(), StdMutex::default(), Default::default());
        let mut stage = Self { client, kubeconfig, dir, nodes, mark, made, is_real, _double: double };
        stage.nodes = if is_real { stage.ready_nodes().await } else { stage.hollow_nodes().await };
        stage
    }

    /// Two nodes of the double, which has none.
    async fn hollow_nodes(&self) -> [String; 2] {
        for name in ["n1", "n2"] {
            self.create(quorate_lab::kubernetes::node(name)).await;
        }
        ["n1".to_owned(), "n2".to_owned()]
    }

    /// Two that accept pods, the workers first: servers often have a taint.
    async fn ready_nodes(&self) -> [String; 2] {
        let list = self.ask("GET", "/api/v1/nodes", None).await.unwrap();
        let ready = |node: &&Value| {
            let conditions = node["status"]["conditions"].as_array();
            let is_ready = conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True");
            is_ready && node["spec"]["unschedulable"] != true && node["spec"]["taints"].is_null()
        };
        let names =
            list["items"].as_array().unwrap().iter().filter(ready).map(|node| node["metadata"]["name"].as_str().unwrap().to_owned());
        let names: Vec<String> = names.take(2).collect();
        names.try_into().expect("the cluster needs two nodes that are Ready, take pods and have no taint")
    }

    /// A name for an application, of its own in each test.
    pub(crate) fn app(&self, name: &str) -> String {
        format!("{name}{}", self.mark)
    }

    /// Makes an object without waiting.
    pub(crate) async fn create(&self, object: impl Into<Value>) -> Value {
        let mut object = object.into();
        object["metadata"]["labels"][LABEL] = self.mark.clone().into();
        let key = key_of(&object);
        let made = self.ask("POST", &collection(&key), Some((&object, "application/json"))).await;
        self.made.lock().unwrap().push(key);
        made.unwrap_or_else(|error| panic!("cannot create {object}: {error}"))
    }

    /// An object as it is now.
    pub(crate) async fn get(&self, key: &Key) -> Option<Value> {
        match self.ask("GET", &path(key), None).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("cannot read {key:?}: {error}"),
        }
    }

    pub(crate) async fn pod(&self, name: &str) -> Option<Value> {
        self.get(&Key::pod(name)).await
    }

    /// What an operator does with kubectl.
    pub(crate) async fn patch(&self, key: &Key, patch: &Value) {
        self.ask("PATCH", &path(key), Some((patch, "application/merge-patch+json"))).await.unwrap();
    }

    /// This test's pods on a node, or with the name of an application.
    pub(crate) async fn pods(&self, is_one: impl Fn(&Value) -> bool) -> Vec<Value> {
        let list = self.ask("GET", "/api/v1/namespaces/default/pods", None).await.unwrap();
        let own = |pod: &&Value| pod["metadata"]["name"].as_str().unwrap().contains(&self.mark);
        list["items"].as_array().unwrap().iter().filter(own).filter(|pod| is_one(pod)).cloned().collect()
    }

    pub(crate) async fn names_on(&self, node: &str) -> Vec<String> {
        let pods = self.pods(|pod| pod["spec"]["nodeName"] == node).await;
        pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until this number of pods of this test run.
    pub(crate) async fn until_running(&self, count: usize) {
        self.until(&format!("{count} pods run"), async || {
            let running = self.pods(|pod| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()).await;
            running.len() == count
        })
        .await;
    }

    /// Waits until a budget's arithmetic is done, which takes a real controller a moment.
    pub(crate) async fn until_counted(&self, name: &str) {
        let key = Key::new(Resource::PodDisruptionBudgets, "default", name);
        self.until("the budget is counted", async || {
            let budget = self.get(&key).await.unwrap();
            budget["status"]["disruptionsAllowed"].is_number() && (!self.is_real || budget["status"]["observedGeneration"].is_number())
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let pause = Duration::from_millis(if self.is_real { 500 } else { 10 });
        let so = async {
            while !is_so().await {
                tokio::time::sleep(pause).await;
            }
        };
        tokio::time::timeout(LIMIT, so).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
    }

    /// The adapter with the administrator's rights.
    pub(crate) async fn adapter(&self) -> ApiServers {
        self.adapter_of("as-admin", self.kubeconfig.clone()).await
    }

    /// The adapter with the rights of a node's kubelet, which the administrator assumes.
    pub(crate) async fn kubelet(&self, node: &str) -> ApiServers {
        let mut kubeconfig = self.kubeconfig.clone();
        for user in kubeconfig.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
            user.impersonate = Some(format!("system:node:{node}"));
            user.impersonate_groups = Some(vec!["system:nodes".to_owned(), "system:authenticated".to_owned()]);
        }
        self.adapter_of(node, kubeconfig).await
    }

    async fn adapter_of(&self, name: &str, kubeconfig: Kubeconfig) -> ApiServers {
        let file = self.dir.path().join(name);
        // JSON is YAML too.
        std::fs::write(&file, serde_json::to_string(&kubeconfig).unwrap()).unwrap();
        ApiServers::of_kubeconfig(&file, &[], self.patience()).await.unwrap()
    }

    /// The longest that a call takes.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(if self.is_real { 5000 } else { 600 })
    }

    /// The end of this pod, by its uid.
    pub(crate) async fn ending(&self, name: &str, grace: Option<u64>) -> Ending {
        let uid = self.pod(name).await.unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        ending(name, &uid, grace)
    }

    async fn ask(&self, method: &str, path: &str, body: Option<(&Value, &str)>) -> kube::Result<Value> {
        let request = http::Request::builder().method(method).uri(path);
        let request = match body {
            Some((body, kind)) => request.header("content-type", kind).body(body.to_string().into_bytes()),
            None => request.body(Vec::new()),
        };
        self.client.request(request.unwrap()).await
    }

    /// Pods may have finalizers, workloads make their pods again, and a node may be cordoned.
    async fn clear(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        let made: Vec<Key> = made.into_iter().rev().filter(|key| self.is_real || key.resource != Resource::Nodes).collect();
        self.take_away(&made).await;
        // A real cluster does it on its own, in its own time.
        let pods = self.pods(|_| true).await;
        self.take_away(&pods.iter().map(key_of).collect::<Vec<_>>()).await;
        let open = json!({ "spec": { "unschedulable": null }, "metadata": { "annotations": { CORDONED: null } } });
        for node in &self.nodes {
            let _ = self.ask("PATCH", &path(&Key::node(node)), Some((&open, "application/merge-patch+json"))).await;
        }
        self.until("its pods are gone", async || self.pods(|_| true).await.is_empty()).await;
    }

    async fn take_away(&self, keys: &[Key]) {
        for key in keys {
            let unheld = json!({ "metadata": { "finalizers": null } });
            let _ = self.ask("PATCH", &path(key), Some((&unheld, "application/merge-patch+json"))).await;
            let options = json!({ "propagationPolicy": "Background", "gracePeriodSeconds": 0 });
            let _ = self.ask("DELETE", &path(key), Some((&options, "application/json"))).await;
        }
    }
}

async fn double() -> ApiServer {
    let ms = Duration::from_millis;
    let cluster = ClusterHandle::new(Cluster::new(Delays { replace: ms(30), start: ms(100), kubelet: ms(10) }));
    ApiServer::start(&cluster, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

fn key_of(object: &Value) -> Key {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    // The items of a list do not name their kind; here they are always pods.
    let resource = Resource::ALL.into_iter().find(|resource| resource.kind() == text("/kind")).unwrap_or(Resource::Pods);
    Key::new(resource, text("/metadata/namespace"), text("/metadata/name"))
}

fn collection(key: &Key) -> String {
    let group = if key.resource.group().is_empty() { "/api".to_owned() } else { format!("/apis/{}", key.resource.group()) };
    let namespace = if key.resource.is_namespaced() { format!("/namespaces/{}", key.namespace) } else { String::new() };
    format!("{group}/v1{namespace}/{}", key.resource.plural())
}

fn path(key: &Key) -> String {
    format!("{}/{}", collection(key), key.name)
}
