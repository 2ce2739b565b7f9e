//! One member on this machine: a directory, loopback addresses of its own, and the daemon's adapters.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quorate::adapters::etcd::{Etcd, QuorumWord};
use quorate::adapters::host::{DataDir, Label, Trash};
use quorate::adapters::pki::EtcdFiles;
use quorate::adapters::service_manager::exec::ExecPaths;
use quorate::adapters::service_manager::{EtcdServer, Exec, MemberSpec, ServiceManager};
use quorate::clock::Clock;
use quorate_core::ids::{Generation, InstanceId};
use quorate_core::observation::{MemberStatus, Process};
use quorate_core::plan::{Start, client_url, peer_url};
use quorate_core::transport::Transport;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "quorate-test-g1-r1";

/// The etcd to test with, or the reason why there is none.
pub(crate) fn etcd_binary(test: &str) -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/etcd/usr/bin/etcd");
    let found = std::env::var_os("QUORATE_ETCD").map_or(unpacked, PathBuf::from);
    if found.is_file() {
        return Some(found);
    }
    println!("SKIPPED {test}: no etcd at {} (make setup-etcd, or set QUORATE_ETCD)", found.display());
    None
}

pub(crate) struct Node {
    pub(crate) me: InstanceId,
    pub(crate) address: IpAddr,
    pub(crate) data: DataDir,
    pub(crate) trash: Trash,
    pub(crate) exec: Exec,
    pub(crate) etcd: Etcd,
    binary: PathBuf,
    paths: ExecPaths,
    spec: MemberSpec,
    dir: TempDir,
}

fn exec(etcd: &Path, paths: &ExecPaths, spec: &MemberSpec) -> Exec {
    Exec::new(paths.clone(), Arc::new(EtcdServer::new(etcd.to_owned(), &paths.run_dir, spec.clone())), Clock::start())
}

impl Node {
    /// Node `number` of the test that owns 127.7.`test`.*.
    pub(crate) fn new(etcd: &Path, test: u8, number: u8, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (address, founding_address) = (IpAddr::from([127, 7, test, number]), IpAddr::from([127, 7, test, 100 + number]));
        let me = InstanceId::new(&format!("i-{test}-{number}"));
        let spec = MemberSpec {
            name: me.clone(),
            address,
            data_dir: dir.path().join("etcd"),
            founding_address,
            certificates: EtcdFiles::in_dir(&dir.path().join("tls")),
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            environment: Default::default(),
        };
        let paths = ExecPaths { run_dir: dir.path().join("run"), log_file: dir.path().join("etcd.log") };
        Self {
            me,
            address,
            data: DataDir::new(&spec.data_dir),
            trash: Trash::new(dir.path().join("trash")),
            exec: exec(etcd, &paths, &spec),
            etcd: Etcd::new(None, Duration::from_secs(5), Clock::start()),
            binary: etcd.to_owned(),
            paths,
            spec,
            dir,
        }
    }

    /// What an agent that starts now has.
    pub(crate) fn next_agent(&self) -> Exec {
        exec(&self.binary, &self.paths, &self.spec)
    }

    /// An agent with another run directory by mistake.
    pub(crate) fn misled_agent(&self) -> Exec {
        let paths = ExecPaths { run_dir: self.dir.path().join("other-run"), ..self.paths.clone() };
        exec(&self.binary, &paths, &self.spec)
    }

    pub(crate) fn forget_the_process(&self) {
        std::fs::remove_file(self.paths.run_dir.join("etcd.json")).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        client_url(self.address, Transport::Plain).to_string()
    }

    pub(crate) fn peer_url(&self) -> String {
        peer_url(self.address, Transport::Plain).to_string()
    }

    pub(crate) fn founding_url(&self) -> String {
        client_url(self.spec.founding_address, Transport::Plain).to_string()
    }

    pub(crate) fn label(&self, generation: u64, token: Option<&str>) -> Label {
        Label::new(self.me.clone(), Generation(generation), token.map(str::to_owned))
    }

    /// Founds a cluster of this one member, and waits until it leads on its founding address.
    pub(crate) async fn found(&self) -> MemberStatus {
        self.data.prepare(&self.label(1, Some(TOKEN))).unwrap();
        self.exec.start(&Start::Found { generation: Generation(1), token: TOKEN.to_owned() }, Transport::Plain).await.unwrap();
        self.leads(&self.founding_url()).await
    }

    /// Founds, and then serves clients on its own address.
    pub(crate) async fn found_and_open(&self) -> MemberStatus {
        self.found().await;
        self.exec.stop(Duration::from_secs(10)).await.unwrap();
        self.exec.start(&Start::Resume { loopback_only: false, server: None }, Transport::Plain).await.unwrap();
        self.leads(&self.url()).await
    }

    /// Joins the cluster of `seed`, which has added this node.
    pub(crate) async fn join(&self, seed: &Self) {
        let list = seed.word().await.membership.members;
        let name = |m: &quorate_core::observation::Member| match &m.name {
            Some(name) => name.to_string(),
            None if m.peer_url == peer_url(self.address, Transport::Plain) => self.me.to_string(),
            None => m.id.to_string(),
        };
        let initial_cluster = list.iter().filter_map(|m| Some((name(m), m.peer_url.url()?))).collect();
        self.data.prepare(&self.label(1, None)).unwrap();
        self.exec.start(&Start::Join { generation: Generation(1), initial_cluster }, Transport::Plain).await.unwrap();
    }

    pub(crate) async fn leads(&self, url: &str) -> MemberStatus {
        eventually("a leader", async || self.etcd.status(url).await.ok().filter(|s| s.leader.is_some())).await
    }

    pub(crate) async fn word(&self) -> QuorumWord {
        eventually("a quorum's word", async || self.etcd.membership(&self.url(), &self.me).await.ok()).await
    }

    pub(crate) async fn is_running(&self) -> bool {
        matches!(self.exec.state().await.unwrap().process, Process::Running { .. })
    }

    /// How the process ended; waits for it.
    pub(crate) async fn last_exit(&self) -> String {
        eventually("an exit", async || match self.exec.state().await.unwrap().process {
            Process::Stopped { last_exit } => last_exit.filter(|text| text.starts_with("exit status") || text.starts_with("signal")),
            Process::Running { .. } => None,
        })
        .await
    }

    /// The recorded process; 0 if there is none.
    pub(crate) fn pid(&self) -> i32 {
        let bytes = std::fs::read(self.paths.run_dir.join("etcd.json")).unwrap_or_default();
        let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        record["process"]["pid"].as_i64().and_then(|pid| pid.try_into().ok()).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// Sends SIGSTOP and waits until it has taken effect: on a busy machine some of its threads run on for a moment.
    pub(crate) async fn freeze(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.pid());
        let stopped = |task: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        };
        while !std::fs::read_dir(&tasks).unwrap().filter_map(Result::ok).all(stopped) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Live servers on this node's data, found without the adapter's help.
    pub(crate) fn servers(&self) -> Vec<i32> {
        let wanted = format!("--data-dir={}", self.spec.data_dir.display());
        let names = |line: &[u8]| line.split(|b| *b == 0).any(|word| word == wanted.as_bytes());
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        processes.filter(|pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| names(&line))).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for pid in self.servers() {
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }
}

/// Looks again until there is something, for half a minute at most.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found).await.unwrap_or_else(|_| panic!("waited 30 s for {what}"))
}
