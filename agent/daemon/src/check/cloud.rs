//! Everything that is asked of AWS and of the network, in three rounds: who this is, what its group says, who else is there. What a
//! round asks, it asks side by side.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aws_config::SdkConfig;
use quorate_core::ids::{ClusterName, GroupName, InstanceId};
use quorate_core::observation::{Ec2Answer, Ec2State, Me};
use tokio::join;

use crate::adapters::aws::autoscaling::{CLUSTER_TAG, OwnEntry, STORE_TAG, TagEntry};
use crate::adapters::aws::{AutoScaling, AwsError, Ec2, InstanceIdentity, Witness, sdk};
use crate::adapters::object_store::CharterStore;
use crate::config::Settings;
use crate::identity::{Role, cluster_name, store_url};
use crate::telemetry::chain;

use super::finding::Finding;
use super::permissions::judge;
use super::{Outside, clock, endpoints, hooks, identity, peers, ports, store, tags};

const HEALTH: &str = "autoscaling:SetInstanceHealth";

/// All findings that need the instance's identity, and that itself.
pub(super) async fn check(settings: &Settings, outside: &Outside) -> Vec<Finding> {
    let (found, status) = join!(outside.imds.identity(), outside.imds.status_without_token());
    let mut findings = vec![identity::metadata(&found)];
    findings.extend(identity::without_token(status.ok()));
    match found {
        Ok(identity) => findings.extend(Here::new(settings, outside, identity).await.check().await),
        Err(_) => {
            let subjects = ["group", "endpoints", "permissions", "tags", "hooks", "store", "ports", "peers", "clock"];
            findings.extend(subjects.map(|subject| Finding::skipped(subject, "it is not known which instance this is")));
        }
    }
    findings
}

/// This instance, and whom it asks.
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
        Self { settings, outside, identity, autoscaling: AutoScaling::watched(&aws, one), ec2: Ec2::watched(&aws, two), witnesses }
    }

    fn me(&self) -> &InstanceId {
        &self.identity.instance
    }

    /// The first round.
    async fn check(&self) -> Vec<Finding> {
        let [of_autoscaling, of_ec2] = &self.witnesses;
        let asked = [self.me().clone()];
        let (entry, tag, instances, autoscaling, ec2) = join!(
            self.autoscaling.own_entry(self.me()),
            self.outside.imds.group_name_tag(),
            self.ec2.describe(&asked),
            self.endpoint("autoscaling", of_autoscaling),
            self.endpoint("ec2", of_ec2),
        );
        let tag = tag.ok().flatten();
        let mut findings = vec![identity::group(self.me(), &entry, tag.as_ref()), autoscaling, ec2];
        findings.push(judge("ec2:DescribeInstances", &instances, false));
        findings.push(judge("autoscaling:DescribeAutoScalingInstances", &entry, false));
        let entry = entry.ok().flatten();
        match entry.as_ref().map(|entry| entry.group.clone()).or(tag) {
            Some(group) => findings.extend(self.group(&group, entry.as_ref()).await),
            None => {
                let rest = ["permissions on the group", "tags", "hooks", "store", "peers"];
                findings.extend(rest.map(|subject| Finding::skipped(subject, "it is not known which group this instance is in")));
            }
        }
        findings.extend(ports::check(self.identity.address, self.settings));
        findings.push(clock::judge(self.times()));
        findings
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

    /// The second round.
    async fn group(&self, group: &GroupName, entry: Option<&OwnEntry>) -> Vec<Finding> {
        let (tags, hooks, heartbeat, completion, health) = join!(
            self.autoscaling.tag_entries(group),
            self.autoscaling.every_hook(group),
            self.autoscaling.try_heartbeat(group, self.me()),
            self.autoscaling.try_completion(group, self.me()),
            self.health(entry),
        );
        let mut findings = vec![
            judge("autoscaling:DescribeAutoScalingGroups", &tags, false),
            judge("autoscaling:DescribeLifecycleHooks", &hooks, false),
            judge("autoscaling:RecordLifecycleActionHeartbeat", &heartbeat, true),
            judge("autoscaling:CompleteLifecycleAction", &completion, true),
            health,
        ];
        match &tags {
            Ok(tags) => findings.extend(tags::judge(group, tags, &self.settings.cluster)),
            Err(_) => findings.push(Finding::skipped("tags", "Auto Scaling did not tell them")),
        }
        match &hooks {
            Ok(hooks) => findings.extend(hooks::judge(hooks, self.settings)),
            Err(_) => findings.push(Finding::skipped("hooks", "Auto Scaling did not tell them")),
        }
        findings.extend(self.cluster(group, tags.as_deref().unwrap_or_default()).await);
        findings
    }

    /// Tells the group what it has just said itself, so that nothing changes; else it is not tried.
    async fn health(&self, entry: Option<&OwnEntry>) -> Finding {
        match entry {
            Some(entry) if entry.healthy => judge(HEALTH, &self.autoscaling.confirm_healthy(self.me()).await, false),
            Some(_) => Finding::skipped(
                format!("permission {HEALTH}"),
                "not tried: the group takes this instance for unhealthy, and that would change",
            ),
            None => Finding::skipped(format!("permission {HEALTH}"), "not tried: no group has this instance"),
        }
    }

    /// The third round.
    async fn cluster(&self, group: &GroupName, tags: &[TagEntry]) -> Vec<Finding> {
        let tagged = tags::value(tags, CLUSTER_TAG).and_then(|text| cluster_name(text).ok());
        let Some(cluster) = self.settings.cluster.name.clone().or(tagged) else {
            let rest = ["tag on this instance", "store", "peers"];
            return rest.map(|subject| Finding::skipped(subject, "the cluster's name is not known")).into();
        };
        let url = self.settings.cluster.store_url.clone().or_else(|| store_url(tags::value(tags, STORE_TAG)?).ok());
        let (listed, store, peers) =
            join!(self.ec2.tagged(&cluster, Role::Etcd), self.store(group, &cluster, url.as_deref()), self.peers(&cluster));
        let listed = match &listed {
            Ok(found) => tags::listed(self.me(), cluster.as_str(), found),
            Err(error) => Finding::skipped("tag on this instance", chain(error)),
        };
        [vec![listed], store, peers].concat()
    }

    async fn store(&self, group: &GroupName, cluster: &ClusterName, url: Option<&str>) -> Vec<Finding> {
        let Some(url) = url else { return vec![Finding::skipped("store", "none is configured")] };
        if let Some(finding) = store::missing_directory(url) {
            return vec![finding];
        }
        let InstanceIdentity { instance, account, region, address, launched, .. } = self.identity.clone();
        let me = Me { instance, address, group: group.clone(), account, region, cluster: cluster.clone(), role: Role::Etcd, launched };
        match CharterStore::open(Some(url), &self.settings.cluster.store_options, &me, self.settings.policy.call_timeout) {
            Err(error) => vec![Finding::problem("store", chain(&error), "correct quorate:store or cluster.store_options")],
            Ok(store) => {
                let reach = async {
                    let endpoint = store.endpoint()?;
                    Some(endpoints::check("s3", Some(endpoint)).await)
                };
                let (reach, found) = join!(reach, store::check(url, &store));
                reach.into_iter().chain(found).collect()
            }
        }
    }

    async fn peers(&self, cluster: &ClusterName) -> Vec<Finding> {
        match self.addresses(cluster).await {
            Ok(peers) => peers::check(&peers, [self.settings.peer_port, 2379, 2380]).await,
            Err(error) => vec![Finding::skipped("peers", chain(&error))],
        }
    }

    /// The others of the cluster that EC2 says are running.
    async fn addresses(&self, cluster: &ClusterName) -> Result<Vec<(InstanceId, IpAddr)>, AwsError> {
        let (_, listed) = self.autoscaling.groups(cluster, Role::Etcd).await?;
        let others: Vec<_> = listed.into_keys().filter(|id| id != self.me()).collect();
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
