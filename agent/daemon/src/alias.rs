//! Keeps the alias of the Kubernetes API pointed at a healthy server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, join_all};
use quorate_core::alias::{Choice, Probes};
use quorate_core::ids::InstanceId;
use quorate_core::observation::Server;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::adapters::host::hosts::{self, HostName, HostsError, Wish};
use crate::cycle::{Cycle, LastCycle};
use crate::rendered;
use crate::systemd::{Bus, BusError, units};
use crate::telemetry::chain;

/// Between two probes of the same server. Two of them fail before its alias moves, which with [`LIMIT`] is done within six seconds.
const PERIOD: Duration = Duration::from_secs(2);

/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_secs(1);

/// The unit that may write the hosts file; this agent's may not.
const UNIT: &str = "quorate-alias.service";

/// Asks the API server at an address for a sign of life.
pub type Probe = Arc<dyn Fn(IpAddr) -> BoxFuture<'static, bool> + Send + Sync>;

/// A server lives that accepts a connection on `port`.
#[must_use]
pub fn by_connection(port: u16) -> Probe {
    Arc::new(move |address| async move { TcpStream::connect(SocketAddr::new(address, port)).await.is_ok() }.boxed())
}

/// The servers that the peers or etcd tell of, and those that were known when they last did.
#[must_use]
pub fn candidates(cycle: &Cycle) -> Vec<Server> {
    let known = cycle.seen.kubernetes.servers.iter().map(|seen| seen.server.clone()).filter(|server| cycle.stays(&server.instance));
    let all: BTreeSet<Server> = rendered::servers(cycle).into_iter().chain(known).collect();
    all.into_iter().collect()
}

/// Who writes the hosts file.
#[derive(Clone, Debug)]
pub enum Writer {
    /// This process: where nothing keeps it from writing, and in the lab.
    Itself,
    /// A unit of systemd's, started over this bus.
    Unit(Bus),
}

/// Why the alias is not where it should be.
#[derive(Debug, thiserror::Error)]
enum AliasError {
    #[error(transparent)]
    Hosts(#[from] HostsError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// The alias, and where it is kept.
#[derive(Debug)]
pub struct Alias {
    alias: HostName,
    hosts_file: PathBuf,
    /// Where the wish is left for [`Writer::Unit`].
    run_dir: PathBuf,
    writer: Writer,
    choice: Choice,
    probes: Probes,
    /// What it points at.
    used: Option<IpAddr>,
    /// The same, if it answered the last time.
    well: Option<IpAddr>,
    told: BTreeMap<&'static str, String>,
}

impl Alias {
    /// The alias in `hosts_file`; what that says already is where it begins.
    #[must_use]
    pub fn new(alias: HostName, hosts_file: PathBuf, run_dir: PathBuf, writer: Writer) -> Self {
        let present = hosts::read(&hosts_file).ok().and_then(|hosts| hosts::address_of(&hosts, &alias));
        let choice = Choice::new(present);
        Self { alias, hosts_file, run_dir, writer, choice, probes: Probes::default(), used: None, well: None, told: BTreeMap::new() }
    }

    /// Keeps it beside the agent's loop, so that a slow cycle holds no move up, until the agent ends.
    pub fn start(mut self, cycles: LastCycle, probe: Probe) {
        tokio::spawn(async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while cycles.has_changed().is_ok() {
                ticks.tick().await;
                let cycle = cycles.borrow().clone();
                if let Some(cycle) = cycle {
                    self.turn(&cycle.seen.me.instance, &candidates(&cycle), &probe).await;
                }
            }
        });
    }

    /// One look: probes the servers, chooses, and has the hosts file follow. While the server in use answers it alone is asked: a fleet of
    /// workers would otherwise ask every server each time. The others are asked from its first failure on, in time for its second.
    pub async fn turn(&mut self, me: &InstanceId, servers: &[Server], probe: &Probe) {
        let used = servers.iter().find(|server| Some(server.address) == self.well);
        let asked: Vec<&Server> = used.map_or_else(|| servers.iter().collect(), |used| vec![used]);
        let answers = join_all(asked.iter().map(|server| timeout(LIMIT, probe(server.address)))).await;
        let answered: BTreeMap<IpAddr, bool> =
            asked.iter().zip(answers).map(|(server, answer)| (server.address, answer.unwrap_or(false))).collect();
        answered.iter().for_each(|(address, answered)| self.probes.note(*address, *answered));
        self.probes.keep_only(servers);
        let servers: Vec<_> = servers.iter().map(|server| (server.clone(), self.probes.is_healthy(server.address))).collect();
        self.follow(me, &servers).await;
        self.well = self.used.filter(|address| answered.get(address) == Some(&true));
    }

    /// The same for a caller that knows already which of the servers are healthy.
    pub async fn follow(&mut self, me: &InstanceId, servers: &[(Server, bool)]) {
        self.used = self.choice.look(me, servers);
        let Some(address) = self.used else { return };
        let outcome = self.point_at(address).await;
        self.tell("write", outcome.err().map(|error| format!("the alias {} does not point at {address}: {}", self.alias, chain(&error))));
    }

    /// The file is read each time: others write it too, such as cloud-init at a boot.
    async fn point_at(&mut self, address: IpAddr) -> Result<(), AliasError> {
        let wish = Wish { address, alias: self.alias.clone() };
        let hosts = hosts::read(&self.hosts_file)?;
        self.tell_foreign(hosts::foreign(&hosts, &self.alias));
        if hosts::with_alias(&hosts, &self.alias, address)? == hosts {
            return Ok(());
        }
        match &self.writer {
            Writer::Itself => drop(hosts::apply(&self.hosts_file, &wish)?),
            Writer::Unit(bus) => {
                wish.write(&Wish::path(&self.run_dir))?;
                units::start(bus, UNIT).await?;
            }
        }
        info!("the alias {} is pointed at {address}", self.alias);
        Ok(())
    }

    fn tell_foreign(&mut self, lines: Vec<usize>) {
        let numbers: Vec<_> = lines.iter().map(ToString::to_string).collect();
        let problem = format!(
            "line {} of {} names {} too, and goes before ours if it comes first: remove it",
            numbers.join(", "),
            self.hosts_file.display(),
            self.alias
        );
        self.tell("foreign", (!lines.is_empty()).then_some(problem));
    }

    /// Warns of what is new.
    fn tell(&mut self, of: &'static str, problem: Option<String>) {
        let Some(problem) = problem else { return drop(self.told.remove(of)) };
        if self.told.get(of) != Some(&problem) {
            warn!("{problem}");
            self.told.insert(of, problem);
        }
    }
}
