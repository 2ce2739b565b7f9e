//! This machine in a story: its disk and its etcd.

use quorate_core::ids::{EtcdClusterId, Generation, MemberId};
use quorate_core::observation::{DataIdentity, Local, LocalData, MovedVolume, Process, Shutdown, ShutdownKind};
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use crate::story::words::{Words, named};

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
    moved: Option<MovedVolume>,
    superseded: bool,
    since: Option<Timestamp>,
    shutdown: Option<Shutdown>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            data: Some(LocalData::Empty),
            etcd: Etcd::Stopped,
            ran_this_boot: false,
            moved: None,
            superseded: false,
            since: None,
            shutdown: None,
        }
    }
}

impl Machine {
    pub(crate) fn set(&mut self, verb: &str, words: &Words<'_>) {
        match verb {
            "disk" => (self.data, self.moved) = disk(words),
            "superseded" => self.superseded = words.nth(0) == "kept",
            "reboot" => (self.etcd, self.ran_this_boot, self.shutdown) = (Etcd::Stopped, false, None),
            _ => self.set_process(words),
        }
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

    fn set_process(&mut self, words: &Words<'_>) {
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
        let identity = DataIdentity { cluster: ids.map(|i| i.0), member: ids.map(|i| i.1), generation: Some(generation) };
        self.data = Some(LocalData::Present(identity));
    }

    /// What another instance wrote is this one's now.
    pub(crate) fn adopt(&mut self) {
        self.data = self.moved.take().map(|moved| LocalData::Present(moved.data));
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

    pub(crate) fn is_on_loopback(&self) -> bool {
        self.etcd == Etcd::Running { loopback_only: true }
    }

    pub(crate) fn observe(&self, now: Timestamp) -> Local {
        let data = self.data.clone();
        Local {
            data: data.map_or_else(|| Reading::unknown("/var/lib/etcd is not mounted"), |data| Reading::Fresh(data, now)),
            moved: self.moved.clone(),
            ran_this_boot: self.ran_this_boot,
            superseded: self.superseded,
            shutdown: self.shutdown,
            process: self.observe_process(now),
        }
    }

    fn observe_process(&self, now: Timestamp) -> Reading<Process> {
        let since = self.since.unwrap_or_default();
        match self.etcd {
            Etcd::Unknown => Reading::unknown("systemd does not answer"),
            Etcd::Stopped => Reading::Fresh(Process::Stopped { last_exit: None }, now),
            Etcd::Running { loopback_only } => Reading::Fresh(Process::Running { since, loopback_only }, now),
            Etcd::Frozen => Reading::Fresh(Process::Running { since, loopback_only: false }, now),
        }
    }
}

/// `from i-c generation 1 member c1` is another instance's; whatever else is this one's.
fn disk(words: &Words<'_>) -> (Option<LocalData>, Option<MovedVolume>) {
    match (words.after("from"), data(words)) {
        (Some(owner), Some(LocalData::Present(data))) => (None, Some(MovedVolume { owner: named(owner), data })),
        (_, data) => (data, None),
    }
}

/// `empty`, `unknown`, `generation 1 member a1 cluster e1`, `generation 1 unwritten`, or `unlabelled member a1`.
fn data(words: &Words<'_>) -> Option<LocalData> {
    match words.nth(0) {
        "unknown" => return None,
        "empty" => return Some(LocalData::Empty),
        _ => {}
    }
    let member = words.after("member").map(|word| words.member_id(word));
    let cluster = member.map(|_| words.cluster_id(words.after("cluster").unwrap_or("e1")));
    Some(LocalData::Present(DataIdentity { cluster, member, generation: words.generation() }))
}
