//! Elastic Load Balancing: takes this instance out of a target group. One call and one attempt; the next plan decides whether to call again.

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use aws_sdk_elasticloadbalancingv2::{Client, config};
use quorate_core::ids::{InstanceId, TargetGroupArn};
use quorate_core::plan::Outcome;

use super::answers::Whole;
use super::{AwsError, sdk};
use crate::telemetry::chain;

const DEREGISTER: &str = "elasticloadbalancing:DeregisterTargets";

/// The client.
#[derive(Clone, Debug)]
pub struct LoadBalancing {
    acts: Client,
}

impl LoadBalancing {
    /// A client with this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let (retries, patience) = sdk::once(config);
        Self {
            acts: Client::from_conf(
                config::Builder::from(config).retry_config(retries).timeout_config(patience).interceptor(Whole).build(),
            ),
        }
    }

    /// Deregisters an instance: it gets no new connections from then on, and its existing ones end within the group's deregistration delay.
    ///
    /// `Done` also where it is not a target: the API makes no difference. The same holds for a target registered with a port of its own, which stays: the call
    /// would have to name the port (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html>).
    pub async fn deregister(&self, group: &TargetGroupArn, instance: &InstanceId) -> Outcome {
        let target = TargetDescription::builder().id(instance.as_str()).build();
        let request = self.acts.deregister_targets().target_group_arn(group.as_str()).targets(target);
        match request.send().await {
            Ok(_) => Outcome::Done,
            Err(error) => failed(group, &AwsError::new(DEREGISTER, error)),
        }
    }
}

/// Names the group, because there may be several, and what to do about the failure.
fn failed(group: &TargetGroupArn, error: &AwsError) -> Outcome {
    let why = chain(error);
    match error {
        AwsError::Refused { .. } => Outcome::Refused(format!("{why}: correct aws.target_groups, which names {group}")),
        _ if error.refusal().is_some() => Outcome::Refused(format!("{why}; it was about {group}")),
        _ => Outcome::Unclear(format!("{why}; it was about {group}")),
    }
}
