//! This machine in a story: its disk and its etcd.

use std::net::SocketAddr;
use std::time::Duration;

use quorate_core::certificates::Certificates;
use quorate_core::etcd_version::{EtcdVersion, StartRefusal};
use quorate_core::ids::{EtcdClusterId, Generation, MemberId};
use quorate_core::observation::{
    DataIdentity, Effort, Installed, Listens, Local, LocalData, Process, ReattachedVolume, Shutdown, ShutdownKind, TakenPort,
};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use super::etcd::V35;
use crate::story::words::{Words, authority, named};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Etcd {
    Unknown,
    Stopped,
    Running {
        loopback_only: bool,
    },
    /// It runs and does not answer.
    Frozen,
}

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    data: Option<LocalData>,
    etcd: Etcd,
    ran_this_boot: bool,
    reattached: Option<ReattachedVolume>,
    superseded: bool,
    since: Option<Timestamp>,
    shutdown: Option<Shutdown>,
    /// The binary that is installed, and what it refuses.
    version: Option<EtcdVersion>,
    flag_refused: Option<String>,
    port_taken: Option<SocketAddr>,
    ended: Option<StartRefusal>,
    certificates: Result<Certificates, String>,
    /// How its etcd ended.
    exit: Option<String>,
    /// Its etcd computes, reads and writes.
    works: bool,
    /// A snapshot keeps coming in.
    receives: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            data: Some(LocalData::Empty),
            etcd: Etcd::Stopped,
            ran_this_boot: false,
            reattached: None,
            superseded: false,
            since: None,
            shutdown: None,
            version: Some(V35),
            flag_refused: None,
            port_taken: None,
            ended: None,
            certificates: Err("none were made".to_owned()),
            exit: None,
            works: false,
            receives: false,
        }
    }
}

impl Machine {
    pub(crate) fn set(&mut self, verb: &str, words: &Words<'_>) {
        match verb {
            "disk" => (self.data, self.reattached) = disk(words),
            "binary" => self.set_binary(words),
            "superseded" => self.superseded = words.nth(0) == "kept",
            "reboot" => (self.etcd, self.ran_this_boot, self.shutdown) = (Etcd::Stopped, false, None),
            _ => self.set_process(words),
        }
    }

    /// `binary 3.7`, `binary unknown`, `binary refuses TEXT`, `binary finds-taken 10.0.0.1:2380`, `binary ended flag`, `binary fine`.
    fn set_binary(&mut self, words: &Words<'_>) {
        match words.nth(0) {
            "refuses" => self.flag_refused = Some(words.rest().trim_start_matches("refuses ").to_owned()),
            "finds-taken" => self.port_taken = Some(words.nth(1).parse().unwrap_or_else(|_| words.fail("no address"))),
            "ended" => {
                self.ended = match words.nth(1) {
                    "version" => Some(StartRefusal::Version),
                    "port" => Some(StartRefusal::Port),
                    "flag" => Some(StartRefusal::Flag),
                    _ => words.fail("it ended for its version, a flag or a port"),
                }
            }
            "fine" => (self.flag_refused, self.port_taken, self.ended) = (None, None, None),
            version => self.version = EtcdVersion::parse(version),
        }
    }

    fn observe_binary(&self, now: Timestamp) -> Installed {
        let version = match self.version {
            Some(version) => Reading::Fresh(version, now),
            None => Reading::unknown("etcd: no such file or directory"),
        };
        let taken = |at: SocketAddr| TakenPort {
            at,
            listens: if at.port() == 2380 { Listens::ToPeers } else { Listens::ToClients },
            by: Some("etcd, process 77".to_owned()),
        };
        let stopped = self.etcd == Etcd::Stopped;
        let ports_taken = self.port_taken.filter(|_| stopped).map(taken).into_iter().collect();
        Installed { version, flag_refused: self.flag_refused.clone(), ports_taken, ended: self.ended.filter(|_| stopped) }
    }

    /// The operating system begins to shut down.
    pub(crate) fn shut_down(&mut self, words: &Words<'_>, deadline: Timestamp) {
        let kind = match words.nth(0) {
            "poweroff" => ShutdownKind::PowerOff,
            "reboot" => ShutdownKind::Reboot,
            _ => words.fail("a shutdown is a poweroff or a reboot"),
        };
        self.shutdown = Some(Shutdown { kind, deadline });
    }

    /// Works: half of a processor since the story began.
    fn effort(&self, now: Timestamp) -> Effort {
        let work = if self.works { now.since(Timestamp::default()).as_secs() * 50 } else { 0 };
        Effort { work: Some(work), received: self.receives.then_some(now.0) }
    }

    fn set_process(&mut self, words: &Words<'_>) {
        match words.nth(0) {
            "works" => return self.works = true,
            "idles" => return self.works = false,
            "receives" => return self.receives = true,
            "broken-off" => return self.receives = false,
            _ => {}
        }
        self.exit = words.rest().strip_prefix("stopped ").map(str::to_owned);
        self.etcd = match words.nth(0) {
            "unknown" => Etcd::Unknown,
            "stopped" => Etcd::Stopped,
            "running" => Etcd::Running { loopback_only: false },
            "loopback" => Etcd::Running { loopback_only: true },
            "frozen" => Etcd::Frozen,
            _ => words.fail("a process is stopped, running, loopback or frozen"),
        };
        self.ran_this_boot |= !matches!(self.etcd, Etcd::Stopped | Etcd::Unknown);
    }

    pub(crate) fn start(&mut self, loopback_only: bool, now: Timestamp) {
        (self.etcd, self.ran_this_boot, self.since) = (Etcd::Running { loopback_only }, true, Some(now));
    }

    pub(crate) fn stop(&mut self) {
        self.etcd = Etcd::Stopped;
    }

    pub(crate) fn clear(&mut self) {
        self.data = Some(LocalData::Empty);
    }

    pub(crate) fn hold(&mut self, generation: Generation, ids: Option<(EtcdClusterId, MemberId)>) {
        let (cluster, member) = (ids.map(|i| i.0), ids.map(|i| i.1));
        let identity = DataIdentity { cluster, member, generation: Some(generation), version: self.version };
        self.data = Some(LocalData::Present(identity));
    }

    /// Data that another instance wrote is now this one's.
    pub(crate) fn adopt(&mut self) {
        self.data = self.reattached.take().map(|moved| LocalData::Present(moved.data));
    }

    pub(crate) fn keep_superseded(&mut self, kept: bool) {
        self.superseded = kept;
    }

    /// This node's member, while its etcd runs and answers.
    pub(crate) fn answering_member(&self) -> Option<MemberId> {
        let member = match &self.data {
            Some(LocalData::Present(identity)) => identity.member,
            Some(LocalData::Empty) | None => None,
        };
        member.filter(|_| matches!(self.etcd, Etcd::Running { .. }))
    }

    /// `certificates of a for 168h`, perhaps `in 24h`, or `certificates none WHY`.
    pub(crate) fn set_certificates(&mut self, words: &Words<'_>, now: Timestamp) {
        self.certificates = match words.nth(0) {
            "of" => {
                let not_before = now + words.after("in").map_or(Duration::ZERO, |word| words.duration(word));
                let life = words.after("for").map_or(Duration::from_secs(168 * 3600), |word| words.duration(word));
                Ok(Certificates {
                    authority: authority(words.nth(1)),
                    also: words.after("also").map(authority),
                    next: words.after("next").map(authority),
                    not_before,
                    not_after: not_before + life,
                })
            }
            _ => Err(words.rest().trim_start_matches("none ").to_owned()),
        };
    }

    pub(crate) fn is_on_loopback(&self) -> bool {
        self.etcd == Etcd::Running { loopback_only: true }
    }

    pub(crate) fn observe(&self, now: Timestamp) -> Local {
        let data = self.data.clone();
        Local {
            data: data.map_or_else(|| Reading::unknown("/var/lib/etcd is not mounted"), |data| Reading::Fresh(data, now)),
            reattached: self.reattached.clone(),
            ran_this_boot: self.ran_this_boot,
            superseded: self.superseded,
            shutdown: self.shutdown,
            process: self.observe_process(now),
            effort: self.effort(now),
            certificates: match &self.certificates {
                Ok(own) => Reading::Fresh(*own, now),
                Err(why) => Reading::unknown(why.clone()),
            },
            etcd: self.observe_binary(now),
        }
    }

    fn observe_process(&self, now: Timestamp) -> Reading<Process> {
        let since = self.since.unwrap_or_default();
        match self.etcd {
            Etcd::Unknown => Reading::unknown("systemd does not answer"),
            Etcd::Stopped => Reading::Fresh(Process::Stopped { last_exit: self.exit.clone() }, now),
            Etcd::Running { loopback_only } => Reading::Fresh(Process::Running { since, loopback_only }, now),
            Etcd::Frozen => Reading::Fresh(Process::Running { since, loopback_only: false }, now),
        }
    }
}

/// `from i-c generation 1 member c1` is another instance's data; everything else is this one's.
fn disk(words: &Words<'_>) -> (Option<LocalData>, Option<ReattachedVolume>) {
    match (words.after("from"), data(words)) {
        (Some(owner), Some(LocalData::Present(data))) => (None, Some(ReattachedVolume { owner: named(owner), data })),
        (_, data) => (data, None),
    }
}

/// `empty`, `unknown`, `generation 1 member a1 cluster e1 version 3.5`, `generation 1 unwritten`, or `unlabelled member a1`.
fn data(words: &Words<'_>) -> Option<LocalData> {
    match words.nth(0) {
        "unknown" => return None,
        "empty" => return Some(LocalData::Empty),
        _ => {}
    }
    let member = words.after("member").map(|word| words.member_id(word));
    let cluster = member.map(|_| words.cluster_id(words.after("cluster").unwrap_or("e1")));
    let version = words.after("version").map_or(Some(V35), EtcdVersion::parse);
    Some(LocalData::Present(DataIdentity { cluster, member, generation: words.generation(), version }))
}
