//! EC2's application status checks: HTTP probes tied to instances by tag. Auto Scaling terminates and replaces an instance that they call impaired, with no
//! setting of the group's own (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/use-application-status-checks-auto-scaling-group.html>).

use aws_sdk_ec2::types::{AggregationStatusEnum, ApplicationStatusCheckResponseObject};
use quorate_core::ids::InstanceId;

use super::{AwsError, Ec2};

const STATUS: &str = "ec2:DescribeApplicationStatus";
const CHECKS: &str = "ec2:DescribeApplicationStatusChecks";

/// An application status check that counts for an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationCheck {
    /// Its id.
    pub id: String,
    /// What it asks for.
    pub path: String,
    /// Where.
    pub port: Option<i32>,
}

impl Ec2 {
    /// The checks that count for this instance. Those that are excluded from its status are left out: nothing is replaced because of them.
    ///
    /// # Errors
    /// A call failed; not every role may make it, and not every region has it.
    pub async fn application_checks(&self, instance: &InstanceId) -> Result<Vec<ApplicationCheck>, AwsError> {
        let of_instance = self.ids_of_checks(instance).await?;
        if of_instance.is_empty() {
            return Ok(Vec::new());
        }
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let request = self.client.describe_application_status_checks();
            let request = request.set_application_status_check_ids(Some(of_instance.clone())).set_next_token(token);
            let page = request.send().await.map_err(|error| AwsError::new(CHECKS, error))?;
            found.extend(page.application_status_checks().iter().filter_map(counted));
            token = following(page.next_token());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn ids_of_checks(&self, instance: &InstanceId) -> Result<Vec<String>, AwsError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let request = self.client.describe_application_status().instance_ids(instance.as_str()).set_next_token(token);
            let page = request.send().await.map_err(|error| AwsError::new(STATUS, error))?;
            let instances = page.application_statuses().into_iter().flat_map(|all| all.instances());
            let own = instances.filter(|one| one.instance_id() == Some(instance.as_str())).filter_map(|one| one.application_status());
            let ids = own.flat_map(|status| status.details()).filter_map(|detail| detail.application_status_check_id());
            found.extend(ids.map(str::to_owned));
            token = following(page.next_token());
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}

/// The SDK has no paginator for these calls.
fn following(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}

fn counted(check: &ApplicationStatusCheckResponseObject) -> Option<ApplicationCheck> {
    if check.aggregation() == Some(&AggregationStatusEnum::Excluded) {
        return None;
    }
    let (id, path) = (check.application_status_check_id()?.to_owned(), check.path().unwrap_or("/").to_owned());
    Some(ApplicationCheck { id, path, port: check.port() })
}
