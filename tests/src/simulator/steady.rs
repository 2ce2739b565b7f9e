//! A quiet day: three voters with the default policy and nothing going wrong, to count what they cost.

use std::time::Duration;

use quorate_core::policy::Policy;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;

use super::etcd_model::Rule;
use super::schedule::{Schedule, Weather};
use super::world::World;
use crate::region::Delays;

/// Time that the cluster has to form before counting begins.
const TO_FORM: Duration = Duration::from_secs(600);

/// Calls to the AWS control plane that each of three voters makes per hour in steady state.
#[must_use]
pub fn steady_aws_calls(hours: u32) -> f64 {
    let mut world = World::new(1, quiet(hours), None, false);
    world.run_until(Timestamp(0) + TO_FORM);
    let before = world.stats.aws_calls;
    world.run_until(Timestamp(0) + TO_FORM + Duration::from_secs(3600) * hours);
    (world.stats.aws_calls - before) as f64 / 3.0 / f64::from(hours.max(1))
}

fn quiet(hours: u32) -> Schedule {
    let end = Timestamp(0) + TO_FORM + Duration::from_secs(3600) * (hours + 1);
    Schedule {
        role: Role::Etcd,
        sizes: vec![3],
        hooks: true,
        launch_timeout: Duration::from_secs(600),
        terminate_timeout: Duration::from_secs(600),
        launch_before_terminate: true,
        retain_on_abandon: false,
        reuse_addresses: false,
        delays: Delays::default(),
        boot: (1000, 5000),
        rule: Rule::QuorumOfMore,
        catch_up: 1000,
        writes: 0,
        listing: Duration::from_secs(60),
        policy: Policy { network_trusted: true, ..Policy::default() },
        weather: Weather::fair(),
        faults: Vec::new(),
        calm: end,
        end,
    }
}
