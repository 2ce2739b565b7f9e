//! Keeps the alias of the Kubernetes API pointed at a healthy server.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use quorate_core::alias::Choice;
use quorate_core::ids::InstanceId;
use quorate_core::observation::Server;
use tracing::{info, warn};

use crate::adapters::host::hosts::{self, HostName, HostsError, Wish};
use crate::cycle::{Cycle, LastCycle};
use crate::systemd::{Bus, BusError, units};
use crate::telemetry::chain;

/// The unit that may write the hosts file; this agent's may not.
pub(crate) const UNIT: &str = "quorate-alias.service";

/// The servers that stay, each with whether its API answers. The loop asks them every cycle, and after two failures in a row a server counts as silent, so the
/// alias moves within three cycles.
#[must_use]
pub fn candidates(cycle: &Cycle) -> Vec<(Server, bool)> {
    let servers = cycle.seen.kubernetes.servers.iter().filter(|seen| cycle.stays(&seen.server.instance));
    servers.map(|seen| (seen.server.clone(), seen.healthy)).collect()
}

/// What writes the hosts file.
#[derive(Clone, Debug)]
pub enum Writer {
    /// This process, where it may write the file, and in the lab.
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
    /// Where the wish is written for [`Writer::Unit`].
    run_dir: PathBuf,
    writer: Writer,
    choice: Choice,
    told: BTreeMap<&'static str, String>,
}

impl Alias {
    /// The alias in `hosts_file`, starting from what the file says already.
    #[must_use]
    pub fn new(alias: HostName, hosts_file: PathBuf, run_dir: PathBuf, writer: Writer) -> Self {
        let present = hosts::read(&hosts_file).ok().and_then(|hosts| hosts::address_of(&hosts, &alias));
        let choice = Choice::new(present);
        Self { alias, hosts_file, run_dir, writer, choice, told: BTreeMap::new() }
    }

    /// Keeps the alias current until the agent ends, beside the loop, which never waits for the write.
    pub fn start(mut self, mut cycles: LastCycle) {
        tokio::spawn(async move {
            while cycles.changed().await.is_ok() {
                let cycle = cycles.borrow_and_update().clone();
                if let Some(cycle) = cycle {
                    self.follow(&cycle.seen.me.instance, &candidates(&cycle)).await;
                }
            }
        });
    }

    /// Chooses one of these servers, each with whether it is healthy, and has the hosts file follow.
    pub async fn follow(&mut self, me: &InstanceId, servers: &[(Server, bool)]) {
        let Some(address) = self.choice.look(me, servers) else { return };
        let outcome = self.point_at(address).await;
        self.tell("write", outcome.err().map(|error| format!("the alias {} does not point at {address}: {}", self.alias, chain(&error))));
    }

    /// Points the alias at this address. The file is read each time: others write it too, such as cloud-init at boot.
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

    /// Warns of a new problem.
    fn tell(&mut self, of: &'static str, problem: Option<String>) {
        let Some(problem) = problem else { return drop(self.told.remove(of)) };
        if self.told.get(of) != Some(&problem) {
            warn!("{problem}");
            self.told.insert(of, problem);
        }
    }
}
