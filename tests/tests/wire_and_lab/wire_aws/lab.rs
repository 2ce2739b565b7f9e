//! One region on the wire, and the agent's adapters pointed at it as one of its instances.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use quorate::adapters::aws::{AutoScaling, Ec2, Imds, LoadBalancing, Sts, sdk};
use quorate_core::ids::{GroupName, InstanceId};
use quorate_lab::region::{Call, Caller, Delays, GroupSpec, Region, RegionConfig};
use quorate_lab::wire::{Fault, ImdsServer, RegionServer, Rule, RuleId, Scope};

/// Long for a loopback, short for a test that has to wait for all of it.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

pub(crate) struct Lab {
    pub(crate) server: RegionServer,
    pub(crate) me: InstanceId,
    metadata: ImdsServer,
}

impl Lab {
    /// A region with these groups, in which nothing takes any time, seen from the first instance of the first group.
    pub(crate) async fn start(groups: impl IntoIterator<Item = GroupSpec>) -> Self {
        Self::with_delays(Delays::none(), groups).await
    }

    pub(crate) async fn with_delays(delays: Delays, groups: impl IntoIterator<Item = GroupSpec>) -> Self {
        Self::with_config(RegionConfig { delays, ..Self::config() }, groups).await
    }

    /// A region in which nothing takes any time.
    pub(crate) fn config() -> RegionConfig {
        RegionConfig { delays: Delays::none(), shortest_heartbeat_timeout: Duration::from_secs(1), ..RegionConfig::default() }
    }

    pub(crate) async fn with_config(config: RegionConfig, groups: impl IntoIterator<Item = GroupSpec>) -> Self {
        let server = RegionServer::start(Region::new(config), loopback()).await.unwrap();
        let groups: Vec<_> = groups.into_iter().collect();
        let first = groups[0].name.clone();
        server.region().with(|region, now| groups.into_iter().for_each(|group| region.create_group(group, now).unwrap()));
        let me = members(&server, &first)[0].clone();
        let metadata = server.serve_imds(me.clone(), loopback()).await.unwrap();
        Self { server, me, metadata }
    }

    /// An etcd group of the cluster `prod`.
    pub(crate) fn group(name: &str, size: u32) -> GroupSpec {
        GroupSpec::new(name, size).tag("quorate:cluster", "prod").tag("quorate:role", "etcd")
    }

    pub(crate) fn imds(&self) -> Imds {
        Imds::at(&self.metadata.url(), PATIENCE).unwrap()
    }

    pub(crate) fn metadata_url(&self, path: &str) -> String {
        format!("{}/latest/{path}", self.metadata.url())
    }

    pub(crate) async fn ec2(&self) -> Ec2 {
        Ec2::new(&sdk::load_at(&self.server.url(), &"eu-central-1".into(), &self.imds(), 2 * PATIENCE).await)
    }

    pub(crate) async fn autoscaling(&self) -> AutoScaling {
        AutoScaling::new(&sdk::load_at(&self.server.url(), &"eu-central-1".into(), &self.imds(), 2 * PATIENCE).await)
    }

    pub(crate) async fn load_balancing(&self) -> LoadBalancing {
        LoadBalancing::new(&sdk::load_at(&self.server.url(), &"eu-central-1".into(), &self.imds(), 2 * PATIENCE).await)
    }

    pub(crate) async fn sts(&self) -> Sts {
        Sts::new(&sdk::load_at(&self.server.url(), &"eu-central-1".into(), &self.imds(), 2 * PATIENCE).await)
    }

    pub(crate) fn members(&self, group: &str) -> Vec<InstanceId> {
        members(&self.server, &GroupName::new(group))
    }

    /// A fault in every request for a metadata path.
    pub(crate) fn imds_fault(&self, path: &str, fault: Fault) -> RuleId {
        self.server.faults().add(Rule::new(Scope::path(path), fault))
    }

    /// A fault in every call of an action.
    pub(crate) fn api_fault(&self, action: &str, fault: Fault) -> RuleId {
        self.server.faults().add(Rule::new(Scope::action(action), fault))
    }

    /// The same in the next calls only.
    pub(crate) fn api_fault_times(&self, action: &str, fault: Fault, times: u32) -> RuleId {
        self.server.faults().add(Rule::new(Scope::action(action), fault).times(times))
    }

    pub(crate) fn struck(&self, rule: RuleId) -> u32 {
        self.server.faults().struck(rule)
    }

    pub(crate) fn calls(&self, call: Call) -> u64 {
        self.server.region().lock().calls().of(&Caller::Instance(self.me.clone()), call)
    }

    /// Waits until the region has reached this state; its driver turns every 20 ms.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl FnMut(&Region) -> bool) {
        for _ in 0..500 {
            if is_so(&self.server.region().lock()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain for: {what}");
    }
}

fn members(server: &RegionServer, group: &GroupName) -> Vec<InstanceId> {
    server.region().lock().members(group).map(|instance| instance.id.clone()).collect()
}

pub(crate) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
