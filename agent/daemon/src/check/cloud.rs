//! All questions to AWS and the network, in rounds: who this instance is, what its group's tags say, what the group permits and has, which other instances
//! there are. The questions of one round are asked side by side.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aws_config::SdkConfig;
use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::observation::{Ec2Answer, Ec2State, Me};
use tokio::join;

use crate::adapters::aws::autoscaling::{CLUSTER_TAG, GroupSettings, OwnEntry, STORE_TAG, TagEntry};
use crate::adapters::aws::{AutoScaling, AwsError, Ec2, InstanceIdentity, Witness, sdk};
use crate::adapters::object_store::CharterStore;
use crate::config::Settings;
use crate::config::{cluster_name, store_url};
use crate::telemetry::chain;
use quorate_core::role::Role;

use super::finding::Finding;
use super::node::{self, Node, Parts};
use super::permissions::judge;
use super::{Outside, clock, endpoints, health, hooks, identity, peers, ports, store, systemd, tags};

/// The findings that need the group.
const OF_GROUP: [&str; 5] = ["permissions on the group", "tags", "hooks", "store", "peers"];

const NO_ROLE: &str = "the role of this instance is not known";

const HEALTH: &str = "autoscaling:SetInstanceHealth";

/// The role, if it is known, and all findings about the instance's identity or that need it.
pub(super) async fn check(settings: &Settings, outside: &Outside) -> (Option<Role>, Vec<Finding>) {
    let (found, status) = join!(outside.imds.identity(), outside.imds.status_without_token());
    let mut findings = vec![identity::metadata(&found)];
    findings.extend(identity::without_token(status.ok()));
    let (role, rest) = match found {
        Ok(identity) => Here::new(settings, outside, identity).await.check().await,
        Err(_) => {
            let (role, told) = node::role(settings, None);
            let subjects = ["group", "endpoints", "permissions", "tags", "hooks", "store", "ports", "peers", "clock"];
            (role, [vec![told], skipped(&subjects, "it is not known which instance this is")].concat())
        }
    };
    findings.extend(rest);
    (role, findings)
}

fn skipped(subjects: &[&str], why: &str) -> Vec<Finding> {
    subjects.iter().map(|subject| Finding::skipped(*subject, why)).collect()
}

/// What the first round returned.
struct First {
    entry: Result<Option<OwnEntry>, AwsError>,
    tag: Option<GroupName>,
    instances: Result<BTreeMap<InstanceId, Ec2Answer>, AwsError>,
    endpoints: [Finding; 2],
}

impl First {
    fn entry(&self) -> Option<&OwnEntry> {
        self.entry.as_ref().ok()?.as_ref()
    }

    fn group(&self) -> Option<&GroupName> {
        self.entry().map(|entry| &entry.group).or(self.tag.as_ref())
    }

    fn judge(&self, me: &InstanceId, parts: &Parts, role: Finding) -> Vec<Finding> {
        let mut findings = vec![identity::group(me, &self.entry, self.tag.as_ref()), role];
        findings.extend(self.endpoints.clone());
        findings.push(judge(parts, "ec2:DescribeInstances", &self.instances, false));
        findings.push(judge(parts, "autoscaling:DescribeAutoScalingInstances", &self.entry, false));
        findings
    }
}

/// This instance and its clients.
struct Here<'a> {
    settings: &'a Settings,
    outside: &'a Outside,
    identity: InstanceIdentity,
    autoscaling: AutoScaling,
    ec2: Ec2,
    /// Of the two clients, in that order.
    witnesses: [Witness; 2],
}

impl<'a> Here<'a> {
    async fn new(settings: &'a Settings, outside: &'a Outside, identity: InstanceIdentity) -> Self {
        let aws = config(settings, outside, &identity).await;
        let witnesses = [(); 2].map(|()| Witness::new(outside.clock));
        let [one, two] = witnesses.clone();
        Self {
            settings,
            outside,
            identity,
            autoscaling: AutoScaling::watched(&aws, one),
            ec2: Ec2::watched(&aws, two).of_family(settings.aws.ip_family),
            witnesses,
        }
    }

    fn me(&self) -> &InstanceId {
        &self.identity.instance
    }

    /// Runs all rounds, and returns the role and all findings.
    async fn check(&self) -> (Option<Role>, Vec<Finding>) {
        let first = self.first().await;
        let settings = match first.group() {
            Some(group) => Some(self.autoscaling.group_settings(group).await),
            None => None,
        };
        let (role, told) = node::role(self.settings, settings.as_ref().and_then(|settings| Some(&*settings.as_ref().ok()?.tags)));
        let node = role.map(|role| Node::of(role, self.settings));
        // Every role's policy permits the calls made so far.
        let parts = node.as_ref().map_or(Parts::of(Role::Etcd), |node| node.parts);
        let mut findings = first.judge(self.me(), parts, told);
        findings.extend(settings.as_ref().map(|found| judge(parts, "autoscaling:DescribeAutoScalingGroups", found, false)));
        findings.extend(match (first.group(), &node) {
            (None, _) => skipped(&OF_GROUP, "it is not known which group this instance is in"),
            (_, None) => skipped(&OF_GROUP, NO_ROLE),
            (Some(group), Some(node)) => self.group(node, group, settings.and_then(Result::ok), first.entry()).await,
        });
        findings.extend(match &node {
            None => skipped(&["ports"], NO_ROLE),
            Some(node) => ports::check(self.identity.address, node, self.settings, &systemd::held(systemd::bus().as_ref()).await),
        });
        findings.push(clock::judge(self.times()));
        (role, findings)
    }

    /// Who this is.
    async fn first(&self) -> First {
        let [of_autoscaling, of_ec2] = &self.witnesses;
        let asked = [self.me().clone()];
        let (entry, tag, instances, autoscaling, ec2) = join!(
            self.autoscaling.own_entry(self.me()),
            self.outside.imds.group_name_tag(),
            self.ec2.describe(&asked),
            self.endpoint("autoscaling", of_autoscaling),
            self.endpoint("ec2", of_ec2),
        );
        First { entry, tag: tag.ok().flatten(), instances, endpoints: [autoscaling, ec2] }
    }

    async fn endpoint(&self, service: &str, witness: &Witness) -> Finding {
        let url = tokio::time::timeout(self.settings.aws.call_timeout, witness.url()).await;
        endpoints::check(service, url.ok().flatten().as_deref()).await
    }

    fn times(&self) -> Option<(&'static str, (quorate_core::time::Timestamp, quorate_core::time::Timestamp))> {
        let [autoscaling, ec2] = &self.witnesses;
        let of = |name, witness: &Witness| witness.seen().times.map(|times| (name, times));
        of("ec2", ec2).or_else(|| of("autoscaling", autoscaling))
    }

    /// What the group permits and has.
    async fn group(&self, node: &Node, group: &GroupName, settings: Option<GroupSettings>, entry: Option<&OwnEntry>) -> Vec<Finding> {
        let parts = node.parts;
        let (hooks, pool, heartbeat, completion, health) = join!(
            self.autoscaling.every_hook(group),
            self.autoscaling.try_warm_pool(group),
            self.autoscaling.try_heartbeat(group, self.me()),
            self.autoscaling.try_completion(group, self.me()),
            self.health(parts, entry),
        );
        let mut findings = vec![
            judge(parts, "autoscaling:DescribeLifecycleHooks", &hooks, false),
            judge(parts, "autoscaling:DescribeWarmPool", &pool, true),
            judge(parts, "autoscaling:RecordLifecycleActionHeartbeat", &heartbeat, true),
            judge(parts, "autoscaling:CompleteLifecycleAction", &completion, true),
        ];
        findings.extend(health);
        match &settings {
            Some(found) => {
                findings.extend(tags::judge(parts.charter, group, &found.tags, &self.settings.cluster));
                findings.extend(parts.member.then(|| health::judge(group, &found.health_checks)));
            }
            None => findings.push(Finding::skipped("tags", "Auto Scaling did not tell them")),
        }
        findings.extend(self.of_members(parts).await);
        match &hooks {
            Ok(hooks) => findings.extend(hooks::judge(parts, hooks, self.settings)),
            Err(_) => findings.push(Finding::skipped("hooks", "Auto Scaling did not tell them")),
        }
        findings.extend(self.cluster(node, group, &settings.map(|found| found.tags).unwrap_or_default()).await);
        findings
    }

    /// What ends an instance although it works, where that could cost the cluster a voter.
    async fn of_members(&self, parts: &Parts) -> Vec<Finding> {
        if !parts.member {
            return Vec::new();
        }
        let (checks, interruptible) = join!(self.ec2.application_checks(self.me()), self.ec2.is_interruptible(self.me()));
        // If EC2 did not say, its permission or its endpoint has a finding.
        let capacity = interruptible.ok().map(health::capacity);
        [health::of_application(&checks)].into_iter().chain(capacity).collect()
    }

    /// Reports to the group the health that it has just reported itself, so nothing changes; otherwise it is not tried. A role that never reports health is not
    /// checked.
    async fn health(&self, parts: &Parts, entry: Option<&OwnEntry>) -> Option<Finding> {
        let finding = match entry {
            _ if !parts.reports_health => return None,
            Some(entry) if entry.healthy => judge(parts, HEALTH, &self.autoscaling.confirm_healthy(self.me()).await, false),
            Some(_) => Finding::skipped(
                format!("permission {HEALTH}"),
                "not tried: the group considers this instance unhealthy, and the call would change that",
            ),
            None => Finding::skipped(format!("permission {HEALTH}"), "not tried: no group has this instance"),
        };
        Some(finding)
    }

    /// Which other instances there are.
    async fn cluster(&self, node: &Node, group: &GroupName, tags: &[TagEntry]) -> Vec<Finding> {
        let tagged = tags::value(tags, CLUSTER_TAG).and_then(|text| cluster_name(text).ok());
        let Some(cluster) = self.settings.cluster.name.clone().or(tagged) else {
            let subjects: &[&str] = if node.parts.charter { &["tag on this instance", "store", "peers"] } else { &["peers"] };
            return skipped(subjects, "the cluster's name is not known");
        };
        let (charter, peers) = join!(self.charter(node.parts, group, &cluster, tags), self.peers(node, &cluster));
        [charter, peers].concat()
    }

    /// What founding a cluster relies on, for a role that may found one.
    async fn charter(&self, parts: &Parts, group: &GroupName, cluster: &ClusterName, tags: &[TagEntry]) -> Vec<Finding> {
        if !parts.charter {
            return Vec::new();
        }
        let url = self.settings.cluster.store_url.clone().or_else(|| store_url(tags::value(tags, STORE_TAG)?).ok());
        let (listed, store) = join!(self.ec2.tagged(cluster, parts.role), self.store(parts, group, cluster, url.as_deref()));
        let listed = match &listed {
            Ok(found) => tags::listed(self.me(), cluster.as_str(), found),
            Err(error) => Finding::skipped("tag on this instance", chain(error)),
        };
        [vec![listed], store].concat()
    }

    async fn store(&self, parts: &Parts, group: &GroupName, cluster: &ClusterName, url: Option<&str>) -> Vec<Finding> {
        let Some(url) = url else { return vec![Finding::skipped("store", "none is configured")] };
        if let Some(finding) = store::missing_directory(url) {
            return vec![finding];
        }
        let InstanceIdentity { instance, account, region, address, launched, .. } = self.identity.clone();
        let me = Me { instance, address, group: group.clone(), account, region, cluster: cluster.clone(), role: parts.role, launched };
        match CharterStore::open(Some(url), &self.settings.cluster.store_options, &me, self.settings.policy.call_timeout) {
            Err(error) => vec![Finding::problem("store", chain(&error), "correct quorate:store or store.options")],
            Ok(store) => {
                let reach = async {
                    let endpoint = store.endpoint()?;
                    Some(endpoints::check("s3", Some(endpoint)).await)
                };
                let (reach, found) = join!(reach, store::check(parts, url, &store));
                reach.into_iter().chain(found).collect()
            }
        }
    }

    async fn peers(&self, node: &Node, cluster: &ClusterName) -> Vec<Finding> {
        let ports: Vec<_> = node.parts.reaches.iter().filter_map(|port| node.number(*port, self.settings)).collect();
        match self.addresses(node.parts.role.of_peers(), cluster).await {
            Ok(peers) => peers::check(&peers, &ports, node.parts.whose).await,
            Err(error) => vec![Finding::skipped("peers", chain(&error))],
        }
    }

    /// The cluster's other instances in this role that run, according to EC2.
    async fn addresses(&self, role: Role, cluster: &ClusterName) -> Result<Vec<(InstanceId, IpAddr)>, AwsError> {
        let found = self.autoscaling.groups(cluster, role).await?;
        let others: Vec<_> = found.listed.into_keys().filter(|id| id != self.me()).collect();
        Ok(running(self.ec2.describe(&others).await?))
    }
}

fn running(answers: BTreeMap<InstanceId, Ec2Answer>) -> Vec<(InstanceId, IpAddr)> {
    let at = |(id, answer)| match answer {
        Ec2Answer::Known { state: Ec2State::Running, address: Some(address), .. } => Some((id, address)),
        _ => None,
    };
    answers.into_iter().filter_map(at).collect()
}

async fn config(settings: &Settings, outside: &Outside, identity: &InstanceIdentity) -> SdkConfig {
    let limit = settings.aws.call_timeout;
    match &outside.endpoint {
        Some(url) => sdk::load_at(url, &identity.region, &outside.imds, limit).await,
        None => sdk::load(&identity.region, &outside.imds, limit).await,
    }
}
