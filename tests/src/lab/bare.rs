//! etcd alone: members started and joined by direct calls, with no agent, no region and no polling.

use std::future::Future;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use etcd_client::{Client, Error, MemberAddOptions};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::processes::MARK;
use super::root::Root;
use super::subnet::Subnet;
use super::url::http;
use super::{binaries, etcd};

/// Before a refused change is tried again. etcd refuses one until its members were connected for five seconds.
const AGAIN: Duration = Duration::from_millis(20);
/// etcd's words, with no code of their own.
const ADDRESS_IS_TAKEN: &str = "Peer URLs already exists";
const LIMIT: Duration = Duration::from_secs(60);

/// A cluster without agents. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Bare {
    etcd: PathBuf,
    members: Vec<Running>,
    subnet: Subnet,
    /// Dropped last: it clears up.
    root: Root,
}

struct Running {
    id: u64,
    client: Client,
    process: Child,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "member {:x}", self.id)
    }
}

impl Bare {
    /// Nothing yet.
    ///
    /// # Errors
    /// etcd is missing, or there is no network or directory.
    pub fn new(etcd: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self { etcd: binaries::etcd(etcd)?, members: Vec::new(), subnet: Subnet::claim()?, root: Root::create()? })
    }

    /// The addresses of the members that were started, in their order.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        (0..).zip(&self.members).map(|(number, _)| self.subnet.host(number)).collect()
    }

    /// Kills the process of a member; the others still list it.
    pub fn kill(&mut self, number: usize) {
        if let Some(member) = self.members.get_mut(number) {
            // One that has ended need not be killed.
            let _ = member.process.start_kill();
        }
    }

    /// Starts the first member.
    ///
    /// # Errors
    /// It never answers.
    pub async fn seed(&mut self) -> anyhow::Result<()> {
        let peers = format!("{}={}", name(0), self.peer_url(0));
        let process = self.spawn(0, "new", &peers)?;
        let client = etcd::client(self.subnet.host(0), Duration::from_secs(1)).await?;
        let id = retry("the first member", || async { etcd::list(client.clone()).await }).await?.member.0;
        self.members.push(Running { id, client, process });
        Ok(())
    }

    /// Adds a learner, starts it and promotes it.
    ///
    /// # Errors
    /// It never votes.
    pub async fn join(&mut self) -> anyhow::Result<()> {
        let number = u8::try_from(self.members.len())?;
        let through = self.members.first().context("there is no member")?.client.clone();
        let (url, options) = (self.peer_url(number), MemberAddOptions::new().with_is_learner());
        let is_at_url = |member: &etcd_client::Member| member.peer_urls().contains(&url);
        let add = async || through.clone().member_add([url.clone()], Some(options.clone())).await;
        change("a learner to be added", add, async || members(&through).await.is_ok_and(|all| all.iter().any(is_at_url))).await?;
        let all = retry("the members to be listed", || members(&through)).await?;
        let id = all.iter().find(|member| is_at_url(member)).context("the learner was removed")?.id();
        let peers: Vec<_> = all.iter().map(|member| peer(member, id, &name(number))).collect();
        let process = self.spawn(number, "existing", &peers.join(","))?;
        let client = etcd::client(self.subnet.host(number), Duration::from_secs(1)).await?;
        let votes = |member: &etcd_client::Member| member.id() == id && !member.is_learner();
        let promote = async || through.clone().member_promote(id).await;
        change("the learner to be promoted", promote, async || members(&through).await.is_ok_and(|all| all.iter().any(votes))).await?;
        self.members.push(Running { id, client, process });
        Ok(())
    }

    /// Waits until etcd would let another member in. It refuses one until all voters have been connected for five seconds, and only then reports
    /// that the first member's own address is taken.
    ///
    /// # Errors
    /// It keeps refusing.
    pub async fn settled(&self) -> anyhow::Result<()> {
        let first = self.members.first().context("there is no member")?.client.clone();
        let (url, options) = (self.peer_url(0), MemberAddOptions::new().with_is_learner());
        retry("the voters to be connected for five seconds", || async {
            match first.clone().member_add([url.clone()], Some(options.clone())).await {
                Err(Error::GRpcStatus(status)) if status.message().ends_with(ADDRESS_IS_TAKEN) => Ok(()),
                answer => answer.map(drop),
            }
        })
        .await
    }

    /// Moves the lead from the first member to the second, and removes the first.
    ///
    /// # Errors
    /// etcd keeps refusing it.
    pub async fn remove_first(&mut self) -> anyhow::Result<()> {
        let [old, next, ..] = self.members.as_slice() else { bail!("one member cannot be removed") };
        let leads = async || next.client.clone().status().await.is_ok_and(|status| status.leader() == next.id);
        change("the lead to be handed over", async || old.client.clone().move_leader(next.id).await, leads).await?;
        let is_out = async || members(&next.client).await.is_ok_and(|all| all.iter().all(|member| member.id() != old.id));
        change("the first member to be removed", async || next.client.clone().member_remove(old.id).await, is_out).await
    }

    fn spawn(&self, number: u8, state: &str, peers: &str) -> anyhow::Result<Child> {
        let directory = self.root.path().join(name(number));
        let (peer, client) = (self.peer_url(number), client_url(self.subnet.host(number)));
        let mut command = Command::new(&self.etcd);
        command.env_clear().env(MARK, &directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.arg("--name").arg(name(number)).arg("--data-dir").arg(&directory);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--initial-cluster", peers, "--initial-cluster-state", state, "--initial-cluster-token", "bare"]);
        command.process_group(0).kill_on_drop(true).spawn().with_context(|| format!("cannot run {}", self.etcd.display()))
    }

    fn peer_url(&self, number: u8) -> String {
        http(self.subnet.host(number), 2380)
    }
}

fn name(number: u8) -> String {
    format!("bare-{number}")
}

fn client_url(address: IpAddr) -> String {
    http(address, 2379)
}

/// A member that never started has no name: the new one gets the name given here.
fn peer(member: &etcd_client::Member, new: u64, name: &str) -> String {
    let name = if member.id() == new { name } else { member.name() };
    format!("{name}={}", member.peer_urls().join(","))
}

async fn members(through: &Client) -> Result<Vec<etcd_client::Member>, Error> {
    Ok(through.clone().member_list().await?.members().to_vec())
}

/// The same for a change that may be done although its answer is lost, and that etcd refuses to do twice.
async fn change<T>(what: &str, act: impl AsyncFn() -> Result<T, Error>, is_done: impl AsyncFn() -> bool) -> anyhow::Result<()> {
    let act_or_see = || async {
        match act().await {
            Err(error) if !is_done().await => Err(error),
            _ => Ok(()),
        }
    };
    retry(what, act_or_see).await
}

/// Tries until it succeeds.
async fn retry<T, F, A>(what: &str, mut act: F) -> anyhow::Result<T>
where
    F: FnMut() -> A,
    A: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + LIMIT;
    loop {
        match act().await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() >= deadline => return Err(error).context(format!("waited {} s for {what}", LIMIT.as_secs())),
            Err(_) => sleep(AGAIN).await,
        }
    }
}
