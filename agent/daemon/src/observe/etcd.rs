//! The etcd cluster: this node's own member first, then the others if it cannot speak for a quorum.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use quorate_core::charter::State;
use quorate_core::etcd_version::EtcdVersion;
use quorate_core::ids::{EtcdClusterId, MemberId};
use quorate_core::member_url::MemberUrl;
use quorate_core::memory::Memory;
use quorate_core::observation::{EtcdView, Local, Lock, Member, MemberStatus, Membership, Process};
use quorate_core::pausing::Pause;
use quorate_core::reading::Reading;
use quorate_core::rotation;
use quorate_core::text::Foreign;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use super::of_this_cycle;
use crate::adapters::etcd::{EtcdError, QuorumWord};
use crate::clients::{Clients, FoundingUrls};
use crate::config::Settings;
use crate::telemetry::chain;

/// Reading through a quorum takes three calls, each bounded by a second for a healthy member.
const ANSWER: Duration = Duration::from_secs(2);

pub(super) struct EtcdObserver {
    clients: Clients,
    founding: FoundingUrls,
    membership: Reading<Membership>,
    refused: Option<Foreign>,
    busy: Option<Foreign>,
    local_list: Reading<Vec<Member>>,
    lock: Reading<Lock>,
    pause: Reading<Option<Pause>>,
    version: Reading<EtcdVersion>,
    statuses: BTreeMap<MemberId, Reading<MemberStatus>>,
    /// Voters' endpoints that peers or earlier lists named.
    known_urls: BTreeSet<Arc<str>>,
}

impl EtcdObserver {
    pub(super) fn new(settings: &Settings, clients: &Clients) -> Self {
        Self {
            clients: clients.clone(),
            founding: clients.founding_urls(settings),
            membership: Reading::unknown("etcd was not asked yet"),
            refused: None,
            busy: None,
            local_list: Reading::unknown("etcd was not asked yet"),
            lock: Reading::unknown("etcd was not asked yet"),
            pause: Reading::unknown("etcd was not asked yet"),
            version: Reading::unknown("etcd was not asked yet"),
            statuses: BTreeMap::new(),
            known_urls: BTreeSet::new(),
        }
    }

    pub(super) async fn look(&mut self, local: &Local, memory: &Memory, now: Timestamp) {
        let transport = memory.kept.record.as_ref().map_or(Transport::Plain, |record| record.transport);
        let own = self.own_endpoint(local, transport);
        let own_status = match &own {
            Some(url) => self.clients.etcd.status_within(url, own_limit(local, now)).await.map_err(NoWord::from),
            None => Err(NoWord::of("etcd does not run here")),
        };
        self.learn_urls(memory, transport);
        let reloads = local.certificates.fresh().is_some_and(|own| rotation::reloads(memory.kept.loaded, own.trust()));
        let goes = memory.leaving.is_some() || local.shutdown.is_some() || reloads;
        let wanted = memory.kept.record.as_ref().and_then(|r| r.etcd_cluster);
        let found = self.find_quorum(own.as_ref(), own_status.as_ref().ok(), goes, wanted).await;
        self.refused = found.as_ref().err().and_then(|no| no.refused.clone()).or_else(|| own_status.as_ref().err()?.refused.clone());
        self.busy = found.as_ref().err().and_then(|no| no.busy.clone()).or_else(|| own_status.as_ref().err()?.busy.clone());
        self.take_quorum(found.map_err(|no| no.why), now);
        self.version = self.ask_version(own.as_ref()).await.map_or_else(Reading::unknown, |version| Reading::Fresh(version, now));
        self.local_list = match &own {
            Some(url) if self.membership.fresh().is_none() && own_status.is_ok() => {
                of_this_cycle(self.clients.etcd.local_list(url).await.map_err(|e| chain(&e)), None, now)
            }
            _ => Reading::unknown("not asked while a quorum answers or etcd is stopped"),
        };
        self.ask_members(own.as_ref(), own_status.ok(), transport, now).await;
    }

    pub(super) fn view(&self) -> EtcdView {
        EtcdView {
            membership: self.membership.clone(),
            refused: self.refused.clone(),
            busy: self.busy.clone(),
            local_list: self.local_list.clone(),
            statuses: self.statuses.clone(),
            lock: self.lock.clone(),
            pause: self.pause.clone(),
            version: self.version.clone(),
        }
    }

    fn own_endpoint(&self, local: &Local, transport: Transport) -> Option<Arc<str>> {
        match local.process.fresh()? {
            Process::Running { loopback_only: true, .. } => Some(self.founding.with(transport)),
            Process::Running { .. } => Some(self.own_url(transport)),
            Process::Stopped { .. } => None,
        }
    }

    /// Where this node's own member serves clients.
    fn own_url(&self, transport: Transport) -> Arc<str> {
        text(self.clients.me.role.client_url(self.clients.me.address, transport))
    }

    /// Learns where voters may be reached: the addresses of instances that the charter lists.
    fn learn_urls(&mut self, memory: &Memory, transport: Transport) {
        let record = memory.kept.record.as_ref().filter(|r| r.state == State::Established);
        let listed = record.into_iter().flat_map(|r| &r.voters);
        let address = |id| memory.kept.seen.get(id).and_then(|seen| seen.address);
        self.known_urls =
            listed.filter_map(|v| address(&v.instance)).map(|address| text(self.clients.me.role.client_url(address, transport))).collect();
        let members = self.membership.last().into_iter().flat_map(|m| m.voters().filter_map(|v| v.client_url.map(text)));
        self.known_urls.extend(members);
        let own = self.own_url(transport);
        self.known_urls.remove(&own);
    }

    /// Reads through a quorum: through this node's own member if it is a voter with a leader, otherwise through whichever other answers first. A leaving member
    /// asks the others first, because they must manage without it. The answer of the charter's etcd cluster, if known, is preferred to another's: two may
    /// answer after a recovery.
    async fn find_quorum(
        &self,
        own: Option<&Arc<str>>,
        status: Option<&MemberStatus>,
        others_first: bool,
        wanted: Option<EtcdClusterId>,
    ) -> Result<QuorumWord, NoWord> {
        let own = own.filter(|_| status.is_some_and(|s| s.leader.is_some() && !s.learner));
        let is_wanted = |word: &QuorumWord| wanted.is_none_or(|cluster| word.membership.cluster == cluster);
        let first = if others_first { self.ask_others(wanted).await } else { self.ask_own(own).await };
        if first.as_ref().is_ok_and(is_wanted) {
            return first;
        }
        let second = if others_first { self.ask_own(own).await } else { self.ask_others(wanted).await };
        if second.as_ref().is_ok_and(is_wanted) { second } else { first.or_else(|no| second.map_err(|other| no.or(other))) }
    }

    async fn ask_own(&self, own: Option<&Arc<str>>) -> Result<QuorumWord, NoWord> {
        match own {
            Some(url) => ask_one(&self.clients, url).await,
            None => Err(NoWord::of("its own member has no quorum")),
        }
    }

    /// The first answer of the wanted cluster, otherwise the first of any.
    async fn ask_others(&self, wanted: Option<EtcdClusterId>) -> Result<QuorumWord, NoWord> {
        let mut asks: FuturesUnordered<_> = self.known_urls.iter().map(|url| ask_one(&self.clients, url)).collect();
        let mut best = Err(NoWord::of("no voter is known"));
        while let Some(answer) = asks.next().await {
            match answer {
                Ok(found) if wanted.is_none_or(|cluster| found.membership.cluster == cluster) => return Ok(found),
                answer => best = best.or_else(|no| answer.map_err(|other| other.or(no))),
            }
        }
        best
    }

    /// The cluster's version, from the member through which the quorum answered. A distribution itself says which of its releases are compatible.
    async fn ask_version(&self, own: Option<&Arc<str>>) -> Result<EtcdVersion, String> {
        let client = self.clients.etcd_versions.as_ref().ok_or("a distribution brings its own etcd")?;
        let membership = self.membership.fresh().ok_or("no quorum answers")?;
        let via = membership.get(membership.via).filter(|m| m.name.as_ref() != Some(&self.clients.me.instance));
        let url = via
            .map_or_else(|| own.cloned(), |member| member.client_url.map(text))
            .ok_or("the member that answers has no client address yet")?;
        client.ask(&url).await.map_err(|error| chain(&error))
    }

    fn take_quorum(&mut self, found: Result<QuorumWord, String>, now: Timestamp) {
        match found {
            Ok(QuorumWord { membership, lock, pause }) => {
                self.membership = Reading::Fresh(membership, now);
                self.pause = Reading::Fresh(pause, now);
                self.lock = Reading::Fresh(lock, now);
            }
            Err(why) => {
                let before = self.membership.last().cloned().zip(self.membership.at());
                self.membership = of_this_cycle(Err(why.clone()), before.as_ref(), now);
                self.pause = Reading::unknown(why.clone());
                self.lock = Reading::unknown(why);
            }
        }
    }

    /// Every member is asked directly: its list entry says nothing of its health.
    async fn ask_members(&mut self, own: Option<&Arc<str>>, own_status: Option<MemberStatus>, transport: Transport, now: Timestamp) {
        let mut statuses = BTreeMap::new();
        if let Some(status) = own_status {
            statuses.insert(status.member, Reading::Fresh(status, now));
        }
        let own_url = self.own_url(transport);
        let list = self.membership.last().map(|m| &m.members).or(self.local_list.last());
        let others: Vec<(MemberId, Arc<str>)> = list
            .into_iter()
            .flatten()
            .filter(|m| !statuses.contains_key(&m.id))
            .filter_map(|m| m.client_url.map(|url| (m.id, text(url))))
            .filter(|(_, url)| own.is_some() || *url != own_url)
            .collect();
        let asks = others.iter().map(|(_, url)| self.clients.etcd.status(url));
        for ((id, _), answer) in others.iter().zip(join_all(asks).await) {
            let reading = match answer {
                Ok(status) if status.member == *id => Reading::Fresh(status, now),
                Ok(status) => Reading::unknown(format!("another member, {}, answers at its address", status.member)),
                Err(error) => Reading::unknown(chain(&error)),
            };
            statuses.insert(*id, reading);
        }
        self.statuses = statuses;
    }
}

/// The time limit for this node's own member. An etcd that was just started accepts connections but does not answer until it is ready, so it is asked briefly
/// and soon again.
fn own_limit(local: &Local, now: Timestamp) -> Duration {
    match local.process.fresh() {
        Some(Process::Running { since, .. }) if now.since(*since) < STARTING => STARTING_ANSWER,
        _ => STATUS_ANSWER,
    }
}

const STARTING: Duration = Duration::from_secs(5);
const STARTING_ANSWER: Duration = Duration::from_millis(250);
const STATUS_ANSWER: Duration = Duration::from_secs(1);

fn text(url: MemberUrl) -> Arc<str> {
    url.to_string().into()
}

/// Why a member gave no quorum's word.
struct NoWord {
    why: String,
    /// Its own words, if it refuses this agent.
    refused: Option<Foreign>,
    /// The same, if it only has too much to do now.
    busy: Option<Foreign>,
}

impl NoWord {
    fn of(why: impl Into<String>) -> Self {
        Self { why: why.into(), refused: None, busy: None }
    }

    /// This reason, unless only the other is a refusal, or a lasting one.
    fn or(self, other: Self) -> Self {
        let weight = |no: &Self| (no.refused.is_some(), no.busy.is_some());
        if weight(&other) > weight(&self) { other } else { self }
    }
}

impl From<EtcdError> for NoWord {
    fn from(error: EtcdError) -> Self {
        let (refused, busy) = (error.refuses_for_good(), error.refuses_for_now());
        Self { refused: refused.map(Foreign::from), busy: busy.map(Foreign::from), why: chain(&error) }
    }
}

async fn ask_one(clients: &Clients, url: &str) -> Result<QuorumWord, NoWord> {
    match tokio::time::timeout(ANSWER, clients.etcd.membership(url, &clients.me.instance)).await {
        Ok(result) => result.map_err(NoWord::from),
        Err(_) => Err(NoWord::of(format!("{url} did not answer within {} s", ANSWER.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> NoWord {
        EtcdError::Refused { url: "http://10.0.0.1:2379".into(), operation: "Range", message: message.into() }.into()
    }

    #[test]
    fn a_refusal_is_told_before_a_rate_and_a_rate_before_silence() {
        let words = |no: &NoWord| (no.refused.as_ref().map(ToString::to_string), no.busy.as_ref().map(ToString::to_string));
        let (auth, busy, silent) = ("etcdserver: user name is empty", "etcdserver: too many requests", || NoWord::of("did not answer"));
        assert_eq!(words(&silent().or(refused(busy))), (None, Some(busy.to_owned())));
        assert_eq!(words(&refused(busy).or(silent())), (None, Some(busy.to_owned())));
        assert_eq!(words(&refused(busy).or(refused(auth))), (Some(auth.to_owned()), None));
    }
}
