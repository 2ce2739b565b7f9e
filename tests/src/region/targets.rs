//! Target groups of load balancers: the registered targets, and those that were taken out, with the caller and the time.

use quorate_core::ids::{InstanceId, TargetGroupArn};
use quorate_core::time::Timestamp;

use super::{Api, ApiError, Call, Caller, Ec2State, Region};

/// A target: an instance on one of its ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegisteredTarget {
    /// The instance.
    pub instance: InstanceId,
    /// The port that it is sent to.
    pub port: u16,
}

/// A target that was taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deregistered {
    /// What was registered.
    pub target: RegisteredTarget,
    /// When.
    pub at: Timestamp,
    /// The caller.
    pub by: Caller,
}

/// A target group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: TargetGroupArn,
    /// The port of a target that is registered without one of its own.
    pub port: u16,
    /// The registered targets.
    pub targets: Vec<RegisteredTarget>,
    /// Former targets, in the order in which they were taken out. Their last connections are not modelled.
    pub deregistered: Vec<Deregistered>,
}

impl TargetGroup {
    /// Whether an instance is registered, on any port.
    #[must_use]
    pub fn has(&self, instance: &InstanceId) -> bool {
        self.targets.iter().any(|target| target.instance == *instance)
    }

    fn target(&self, (instance, port): &(InstanceId, Option<u16>)) -> RegisteredTarget {
        RegisteredTarget { instance: instance.clone(), port: port.unwrap_or(self.port) }
    }
}

impl Region {
    /// The target group of that ARN.
    #[must_use]
    pub fn target_group(&self, arn: &TargetGroupArn) -> Option<&TargetGroup> {
        self.target_groups.iter().find(|group| group.arn == *arn)
    }
}

impl Api<'_> {
    /// Makes a target group whose targets are instances.
    pub fn create_target_group(&mut self, name: &str, port: u16) -> TargetGroupArn {
        self.count(Call::CreateTargetGroup);
        let id = self.region.identities.target_group();
        let (region, account) = (&self.region.config.region, &self.region.config.account);
        let arn = TargetGroupArn::new(&format!("arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{id}"));
        self.region.target_groups.push(TargetGroup { arn: arn.clone(), port, targets: Vec::new(), deregistered: Vec::new() });
        arn
    }

    /// Registers instances, each with a port of its own or the target group's. Those registered already stay.
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`; `InvalidTarget` when one is not running, and then none is registered.
    pub fn register_targets(&mut self, arn: &TargetGroupArn, targets: &[(InstanceId, Option<u16>)]) -> Result<(), ApiError> {
        self.count(Call::RegisterTargets);
        let index = self.target_group_index(arn)?;
        let runs = |id: &InstanceId| self.region.instance(id).is_some_and(|instance| instance.ec2 == Ec2State::Running);
        if let Some((id, _)) = targets.iter().find(|(id, _)| !runs(id)) {
            let message = format!("The following targets are not in a running state and cannot be registered: '{id}'");
            return Err(ApiError::new("InvalidTarget", message));
        }
        let group = &mut self.region.target_groups[index];
        for target in targets.iter().map(|target| group.target(target)).collect::<Vec<_>>() {
            if !group.targets.contains(&target) {
                group.targets.push(target);
            }
        }
        Ok(())
    }

    /// Deregisters instances. One that is no target on that port, or on the target group's if none is named, is silently passed over
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html>).
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`; `ValidationError` for what is no ARN of a target group.
    pub fn deregister_targets(&mut self, arn: &TargetGroupArn, targets: &[(InstanceId, Option<u16>)]) -> Result<(), ApiError> {
        self.count(Call::DeregisterTargets);
        let (index, at, by) = (self.target_group_index(arn)?, self.region.now, self.caller);
        let group = &mut self.region.target_groups[index];
        for target in targets.iter().map(|target| group.target(target)).collect::<Vec<_>>() {
            if let Some(place) = group.targets.iter().position(|known| *known == target) {
                group.targets.remove(place);
                group.deregistered.push(Deregistered { target, at, by: by.clone() });
            }
        }
        Ok(())
    }

    fn target_group_index(&self, arn: &TargetGroupArn) -> Result<usize, ApiError> {
        if !arn.as_str().starts_with("arn:aws:elasticloadbalancing:") || !arn.as_str().contains(":targetgroup/") {
            return Err(ApiError::validation(format!("'{arn}' is not a valid target group ARN")));
        }
        let index = self.region.target_groups.iter().position(|group| group.arn == *arn);
        index.ok_or_else(|| ApiError::new("TargetGroupNotFound", "One or more target groups not found"))
    }
}
