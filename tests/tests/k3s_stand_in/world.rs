//! Stand-ins on loopback addresses, around one API server of the lab.

use std::fs::{self, OpenOptions};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use quorate::adapters::kubernetes::ApiServers;
use quorate_lab::k3s::{Beside, Pace};
use quorate_lab::kubernetes::{ApiServer, ClusterHandle, Key};
use quorate_lab::lab::etcd::{Clients, Credentials, View, list};
use quorate_lab::lab::kubernetes::condition;
use quorate_lab::lab::root::Root;
use quorate_lab::lab::subnet::{Subnet, founding};
use quorate_lab::lab::{binaries, clusters, processes};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::Instant;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_k3s-stand-in");
/// Three servers that join one after the other, five seconds each for etcd to trust its connections.
pub(crate) const LONG: Duration = Duration::from_secs(40);

pub(crate) struct World {
    pub(crate) cluster: ClusterHandle,
    _api: ApiServer,
    url: String,
    subnet: Subnet,
    /// Dropped last: it clears up.
    root: Root,
}

/// A machine: a disk, an address, and the stand-in on it.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) disk: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let (subnet, root, cluster) = (Subnet::claim().unwrap(), Root::create().unwrap(), clusters::cluster());
        let api = ApiServer::start(&cluster, SocketAddr::from((subnet.api().ip(), 0))).await.unwrap();
        Self { cluster, url: api.url(), _api: api, subnet, root }
    }

    /// A machine with a baked configuration, and the token `secret`.
    pub(crate) fn machine(&self, number: u8) -> Machine {
        let (name, address) = (format!("i-{number:017x}"), self.subnet.host(number));
        let disk = self.root.path().join(&name);
        fs::create_dir_all(disk.join("config.yaml.d")).unwrap();
        let data = disk.join("data");
        let baked = format!("node-ip: {address}\nnode-name: {name}\ndata-dir: {}\ntoken: secret\n", data.display());
        fs::write(disk.join("config.yaml"), baked).unwrap();
        let log = self.root.path().join("logs").join(format!("{name}.log"));
        let machine = Machine { name, address, disk, log, child: None };
        let etcd = binaries::etcd(None).unwrap();
        let (password, restore_tool) = (machine.disk.join("password"), binaries::restore_tool(&etcd));
        let beside = Beside { etcd, restore_tool, kubernetes: self.url.clone(), node_password: password, pace: Pace::quick() };
        beside.write(&machine.disk.join("config.yaml")).unwrap();
        machine
    }

    /// The first server of a cluster, running.
    pub(crate) async fn founder(&self) -> Machine {
        let mut first = self.machine(0);
        first.configure("cluster-init: true\n");
        first.start("server");
        self.until(LONG, &first, "the first server's Node votes", || async { self.votes(&first) }).await;
        first
    }

    /// Another server, running.
    pub(crate) async fn joined(&self, number: u8, through: &Machine) -> Machine {
        let mut server = self.machine(number);
        server.configure(&format!("server: {}\n", through.url()));
        server.start("server");
        self.until(LONG, &server, "the joiner's Node votes", || async { self.votes(&server) }).await;
        server
    }

    pub(crate) fn node(&self, name: &str) -> Option<Value> {
        self.cluster.with(|cluster, _| cluster.get(&Key::node(name)).cloned())
    }

    pub(crate) fn votes(&self, machine: &Machine) -> bool {
        // The server names its member on the Node once its own API server answers, which may be after the promotion.
        self.annotation(machine, "node-name").is_some() && self.is(machine, "Ready", "True") && self.is(machine, "EtcdIsVoter", "True")
    }

    pub(crate) fn is(&self, machine: &Machine, kind: &str, status: &str) -> bool {
        self.node(&machine.name).is_some_and(|node| condition(&node, kind) == Some(status))
    }

    pub(crate) fn annotation(&self, machine: &Machine, key: &str) -> Option<String> {
        let node = self.node(&machine.name)?;
        Some(node["metadata"]["annotations"].get(format!("etcd.k3s.cattle.io/{key}"))?.as_str()?.to_owned())
    }

    /// As an administrator does it, straight at the lab's API server.
    pub(crate) async fn patch(&self, node: &str, patch: Value) {
        let answer = http()
            .patch(format!("{}/api/v1/nodes/{node}", self.url))
            .header("authorization", "Bearer admin")
            .header("content-type", "application/merge-patch+json")
            .body(patch.to_string())
            .send();
        assert!(answer.await.unwrap().status().is_success());
    }

    pub(crate) async fn annotate(&self, machine: &Machine, key: &str, value: &str) {
        self.patch(&machine.name, json!({ "metadata": { "annotations": { format!("etcd.k3s.cattle.io/{key}"): value } } })).await;
    }

    pub(crate) async fn delete_node(&self, machine: &Machine) {
        let url = format!("{}/api/v1/nodes/{}", self.url, machine.name);
        let answer = http().delete(url).header("authorization", "Bearer admin").send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// Waits for the condition, and shows the machine's log if it never holds.
    pub(crate) async fn until<L: Future<Output = bool>>(&self, within: Duration, of: &Machine, what: &str, is_so: impl Fn() -> L) {
        let deadline = Instant::now() + within;
        while !is_so().await {
            assert!(Instant::now() < deadline, "it did not come to pass that {what}\n{:?}\n{}", self.node(&of.name), of.tail());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Machine {
    /// The address of its API server.
    pub(crate) fn url(&self) -> String {
        format!("https://{}:6443", self.address)
    }

    pub(crate) fn founding(&self) -> Ipv4Addr {
        founding(self.address)
    }

    /// What Quorate renders.
    pub(crate) fn configure(&self, yaml: &str) {
        fs::write(self.disk.join("config.yaml.d/90-quorate.yaml"), yaml).unwrap();
    }

    pub(crate) fn start(&mut self, kind: &str) {
        self.start_with(kind, &[]);
    }

    /// The same, with further arguments.
    pub(crate) fn start_with(&mut self, kind: &str, arguments: &[&str]) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg(kind).arg("--config").arg(self.disk.join("config.yaml")).args(arguments);
        command.env_clear().env(processes::MARK, &self.disk).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.process_group(0).kill_on_drop(true).spawn().unwrap());
    }

    /// As its unit does it, with `Restart=always`: a start that failed is followed by another.
    pub(crate) fn start_again_and_again(&mut self, kind: &str) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "until \"$@\"; do sleep 1; done", "k3s.service", PROGRAM, kind, "--config"]).arg(self.disk.join("config.yaml"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env(processes::MARK, &self.disk).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.process_group(0).kill_on_drop(true).spawn().unwrap());
    }

    /// Cuts its power.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// Asks it to stop.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.as_ref().unwrap().id().unwrap()).unwrap();
        let process = processes::under(&self.disk).into_iter().find(|process| process.pid == pid).unwrap();
        process.signal(rustix::process::Signal::TERM);
        self.ended().await
    }

    /// How it ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let status = tokio::time::timeout(Duration::from_secs(20), self.child.as_mut().unwrap().wait()).await;
        status.unwrap_or_else(|_| panic!("it did not end\n{}", self.tail())).unwrap()
    }

    /// Whether an etcd runs here.
    pub(crate) fn has_etcd(&self) -> bool {
        processes::under(&self.disk).iter().any(|process| process.is(Path::new("etcd")))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("level=")).collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub(crate) fn data(&self, file: &str) -> PathBuf {
        self.disk.join("data").join(file)
    }

    pub(crate) fn etcd_name(&self) -> String {
        fs::read_to_string(self.data("server/db/etcd/name")).unwrap().trim().to_owned()
    }

    /// The members as its etcd lists them after a read through a quorum.
    pub(crate) async fn list(&self) -> Option<View> {
        list(self.client().await?).await.ok()
    }

    pub(crate) async fn client(&self) -> Option<etcd_client::Client> {
        Clients::default().with(self.address, Some(Credentials::of_k3s(&self.disk.join("data"))?)).await.ok()
    }

    /// The instances that vote.
    pub(crate) async fn voters(&self) -> Vec<String> {
        let mut voters: Vec<String> = self.list().await.iter().flat_map(View::voters).map(|voter| voter.name.clone()).collect();
        voters.sort();
        voters
    }

    /// The agent's own adapter, with the administrator's kubeconfig of this server.
    pub(crate) async fn api(&self) -> ApiServers {
        self.api_of("k3s.yaml").await
    }

    pub(crate) async fn api_of(&self, kubeconfig: &str) -> ApiServers {
        ApiServers::of_kubeconfig(&self.disk.join(kubeconfig), &[], Duration::from_secs(3)).await.unwrap()
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
