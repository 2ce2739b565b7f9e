//! `quorate-lab up`: keeps a region with a group running, for the unmodified AWS CLI.

use std::path::Path;
use std::time::Duration;

use quorate_core::ids::GroupName;

use crate::demo::timeline::Timeline;
use crate::lab::witness::Witness;
use crate::lab::{AgentSettings, Lab, LabOptions};

/// As long as it takes to type a command or two.
const HOOK_TIMEOUT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(500);

/// Keeps a region running until the caller drops it.
///
/// # Errors
/// It cannot be started.
pub async fn run(size: u8, etcd: Option<&Path>) -> anyhow::Result<()> {
    let timeline = Timeline::begin(false);
    let settings = AgentSettings::defaults().number("timing.prune_grace_s", 6);
    let lab = Lab::start(LabOptions { settings, ..LabOptions::new(etcd)? }).await?;
    let mut spec = lab.group("etcd", "lab", u32::from(size), HOOK_TIMEOUT);
    spec.max = u32::from(size) + 4;
    let group = lab.create_group(spec)?;
    exports(&lab, &timeline);
    let witness = Witness::of(&lab);
    let mut shown = String::new();
    loop {
        let standing = standing(&lab, &group, &witness);
        if standing != shown {
            timeline.tell(&standing);
            shown = standing;
        }
        timeline.during("ctrl-C ends it", String::new, tokio::time::sleep(LOOK)).await;
    }
}

fn exports(lab: &Lab, timeline: &Timeline) {
    timeline.line("# For the AWS CLI, in another terminal:");
    let region = lab.region().lock().config().region.to_string();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", lab.url()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", "lab".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "lab".to_owned()),
        ("AWS_PAGER", String::new()),
    ] {
        timeline.line(format_args!("export {name}={value}"));
    }
    timeline.line("# Try: aws autoscaling start-instance-refresh --auto-scaling-group-name etcd");
    timeline.line("");
}

/// One line: every instance of the group with its state, the voters and the leader.
fn standing(lab: &Lab, group: &GroupName, witness: &Witness) -> String {
    let seen = witness.sightings();
    let (leader, voters) = seen.now.unwrap_or_default();
    let region = lab.region().lock();
    let instance = |one: &crate::region::Instance| {
        let leads = if one.id.as_str() == leader { " leads" } else { "" };
        format!("{} {}{leads}", one.id, one.lifecycle)
    };
    let instances: Vec<_> = region.members(group).map(instance).collect();
    format!("{voters} voters; {}", instances.join(", "))
}
