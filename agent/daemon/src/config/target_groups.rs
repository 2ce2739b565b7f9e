//! `aws.target_groups`: the ARNs of target groups, as Elastic Load Balancing spells them
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html>).

use quorate_core::ids::TargetGroupArn;

use super::Refusal;

const KEY: &str = "aws.target_groups";
const REMEDY: &str = "give the ARN of a target group, arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID";

/// Checks all of them, in the operator's order.
///
/// # Errors
/// The first that is not a target group's ARN, or is listed twice.
pub(super) fn parse(raw: &[String]) -> Result<Vec<TargetGroupArn>, Refusal> {
    let mut groups: Vec<TargetGroupArn> = Vec::new();
    for arn in raw {
        if !is_target_group(arn) {
            return Err(Refusal::value(KEY, format!("{arn:?}"), REMEDY));
        }
        if groups.iter().any(|known| known.as_str() == arn) {
            return Err(Refusal::value(KEY, format!("{arn:?}"), "name each target group once"));
        }
        groups.push(TargetGroupArn::parse(arn).map_err(|error| Refusal::value(KEY, error, REMEDY))?);
    }
    Ok(groups)
}

/// The partition is `aws`, `aws-cn`, `aws-us-gov` or a future one.
fn is_target_group(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let [prefix, partition, service, region, account, resource] = parts.as_slice() else { return false };
    let named = *prefix == "arn" && is_plain(partition) && *service == "elasticloadbalancing" && is_plain(region);
    named && account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit()) && is_resource(resource)
}

/// `targetgroup/NAME/ID`; the name has at most 32 characters, and the id is hexadecimal.
fn is_resource(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let [kind, name, id] = parts.as_slice() else { return false };
    let hex = !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    *kind == "targetgroup" && is_plain(name) && name.len() <= 32 && hex
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
