//! An instance of a group that has all that it should have, until a test takes something away.

use std::time::Duration;

use quorate::adapters::aws::Imds;
use quorate::check::{self, Finding, Outside, Report, Verdict};
use quorate::clock::Clock;
use quorate::config::Settings;
use quorate_lab::lab::binaries;
use quorate_lab::lab::subnet::Subnet;
use quorate_lab::region::{ActionResult, Delays, GroupSpec, HookSpec, LifecycleState, RegionConfig, Transition};
use tempfile::TempDir;

use crate::wire_aws::lab::{Lab, PATIENCE};

/// Several rounds of calls that all time out take less.
const BOUND: Duration = Duration::from_secs(30);

pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) subnet: Subnet,
    pub(crate) dir: TempDir,
    pub(crate) settings: Settings,
    /// In place of the region's endpoint.
    pub(crate) endpoint: Option<String>,
}

pub(crate) fn hook(name: &str, transition: Transition, timeout: u64) -> HookSpec {
    let result = if transition == Transition::Launching { ActionResult::Abandon } else { ActionResult::Continue };
    HookSpec::new(name, transition).timeout(Duration::from_secs(timeout)).default_result(result)
}

/// Two instances, one of them a peer; their launch hooks are open.
pub(crate) fn group(dir: &TempDir) -> GroupSpec {
    Lab::group("etcd", 2)
        .tag("quorate:store", &format!("file://{}", dir.path().join("store").display()))
        .hook(hook("quorate-launch", Transition::Launching, 300))
        .hook(hook("quorate-terminate", Transition::Terminating, 300))
}

impl Scene {
    pub(crate) async fn good() -> Self {
        Self::of(group).await
    }

    pub(crate) async fn of(group: impl FnOnce(&TempDir) -> GroupSpec) -> Self {
        Self::with("", group).await
    }

    /// The same with further settings.
    pub(crate) async fn with(further: &str, group: impl FnOnce(&TempDir) -> GroupSpec) -> Self {
        Self::among(|_| further.to_owned(), |dir| vec![group(dir)]).await
    }

    /// An instance of the first of these groups.
    pub(crate) async fn among(further: impl FnOnce(&TempDir) -> String, groups: impl FnOnce(&TempDir) -> Vec<GroupSpec>) -> Self {
        let (subnet, dir) = (Subnet::claim().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(dir.path().join("store")).unwrap();
        let config = RegionConfig {
            addresses: subnet.instances(),
            delays: Delays::none(),
            shortest_heartbeat_timeout: Duration::from_secs(1),
            ..RegionConfig::default()
        };
        let lab = Lab::with_config(config, groups(&dir)).await;
        // What the region does on its own is done before a test looks.
        lab.until("all instances run", |region| region.instances().iter().all(|one| one.powered && is_settled(one.lifecycle))).await;
        let settings = settings(&dir, &further(&dir));
        Self { lab, subnet, dir, settings, endpoint: None }
    }

    pub(crate) async fn check(&self) -> Report {
        let endpoint = self.endpoint.clone().or_else(|| Some(self.lab.server.url()));
        let outside = Outside { imds: self.lab.imds(), endpoint, clock: Clock::start() };
        tokio::time::timeout(BOUND, check::run(&self.settings, None, &outside)).await.expect("the check hangs")
    }

    /// Without a metadata service.
    pub(crate) async fn check_without_imds(&self) -> Report {
        let imds = Imds::at("http://127.0.0.1:1", PATIENCE).unwrap();
        let outside = Outside { imds, endpoint: Some(self.lab.server.url()), clock: Clock::start() };
        tokio::time::timeout(BOUND, check::run(&self.settings, None, &outside)).await.expect("the check hangs")
    }

    /// Everything that a call could have changed.
    pub(crate) fn state(&self) -> String {
        let region = self.lab.server.region().lock();
        let instances: Vec<_> = region.instances().iter().map(|one| (&one.id, one.ec2, one.lifecycle, one.health, one.powered)).collect();
        let groups: Vec<_> =
            region.groups().iter().map(|one| (&one.name, &one.hooks, &one.tags, one.sizes, one.activities.len())).collect();
        format!("{instances:?} {groups:?} {:?}", region.actions())
    }
}

fn is_settled(state: LifecycleState) -> bool {
    matches!(state, LifecycleState::PendingWait | LifecycleState::InService)
}

fn settings(dir: &TempDir, further: &str) -> Settings {
    let etcd = binaries::etcd(None).unwrap();
    let tool = binaries::restore_tool(&etcd).map(|tool| format!("restore_tool = {tool:?}\n")).unwrap_or_default();
    let path = |name: &str| dir.path().join(name);
    let text = format!(
        "[aws]\ncall_timeout_s = 1\nimds_timeout_s = 0.4\n[etcd]\nbinary = {etcd:?}\n{tool}[paths]\nstate_dir = {:?}\nrun_dir = {:?}\n\
         data_dir = {:?}\n{further}",
        path("state"),
        path("run"),
        path("data/etcd")
    );
    Settings::parse(&text).unwrap()
}

/// The only finding of this name.
pub(crate) fn finding<'a>(report: &'a Report, name: &str) -> &'a Finding {
    let found: Vec<_> = report.findings.iter().filter(|finding| finding.name == name).collect();
    assert_eq!(found.len(), 1, "findings named {name:?} in\n{report}");
    found[0]
}

pub(crate) fn problems(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|finding| finding.verdict == Verdict::Problem).map(|finding| finding.name.as_str()).collect()
}
