//! Why a node has to leave, and announcements about its future that change nothing.

use std::fmt;
use std::time::Duration;

use crate::observation::ScheduledEvent;
use crate::situation::{LeaveReason, LeaveReasons};
use crate::time::Timestamp;

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GroupTerminates => "its group terminates it",
            Self::GroupDetached => "its group detached it",
            Self::GroupRetains => "its group abandoned its termination and retains it until an operator terminates it",
            Self::WarmPool => "it moves to the warm pool",
            Self::Order => "an operator ordered it to leave",
            Self::PowerOff => "its machine powers off",
            Self::RootVolume => "its root volume is replaced",
            Self::SpotTerminates => "EC2 terminates its spot instance",
            Self::SpotStops => "EC2 stops its spot instance",
            Self::SpotHibernates => "EC2 hibernates its spot instance",
            Self::SpotTaken => "EC2 takes its spot instance back",
            Self::Retirement => "EC2 retires its machine",
            Self::ScheduledStop => "EC2 stops its machine for a scheduled event",
            Self::Rebalance => "EC2 recommends a rebalance",
        })
    }
}

impl fmt::Display for LeaveReasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::list(self.all(), " and "))
    }
}

pub(crate) fn is_in_standby() -> String {
    "is in standby and keeps its member".to_owned()
}

pub(crate) fn rebalance_is_recommended(at: Timestamp) -> String {
    format!("EC2 recommended a rebalance at {}, which is only reported", at.utc())
}

pub(crate) fn leaves_before(event: &ScheduledEvent, lead: Duration) -> String {
    format!("EC2 schedules {event}: leaves {} s before it", lead.as_secs())
}

pub(crate) fn outlives(event: &ScheduledEvent) -> String {
    format!("EC2 schedules {event}: keeps its member through it")
}
