//! What IMDS says of an instance's own future: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html>.

use std::fmt;
use std::sync::Arc;

use crate::reading::Reading;
use crate::time::Timestamp;

/// What EC2 does with a spot instance that it takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpotAction {
    /// It ends, with its disks.
    Terminate,
    /// It stops, and is silent until EC2 starts it again, if ever.
    Stop,
    /// Its memory is written to its disk, and it is likewise silent. It gets no two minutes' notice.
    Hibernate,
    /// Anything else: the set is open, and no value in it is good news.
    Other,
}

impl SpotAction {
    /// Parses IMDS's word.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "terminate" => Self::Terminate,
            "stop" => Self::Stop,
            "hibernate" => Self::Hibernate,
            _ => Self::Other,
        }
    }
}

/// `spot/instance-action`: about two minutes ahead, best effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpotNotice {
    /// What will be done.
    pub action: SpotAction,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for SpotNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let does = match self.action {
            SpotAction::Terminate => "terminates",
            SpotAction::Stop => "stops",
            SpotAction::Hibernate => "hibernates",
            SpotAction::Other => "takes back",
        };
        write!(f, "EC2 {does} this spot instance at {}", self.at.utc())
    }
}

/// What a scheduled event does to the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventCode {
    /// `instance-reboot`: the operating system reboots.
    InstanceReboot,
    /// `system-reboot`: the host reboots, and the instance with it.
    SystemReboot,
    /// `system-maintenance`: network or power may fail for a moment.
    SystemMaintenance,
    /// `instance-retirement`: the instance stops or ends.
    InstanceRetirement,
    /// `instance-stop`: the instance stops.
    InstanceStop,
    /// Anything else, as IMDS spells it.
    Other(Arc<str>),
}

impl EventCode {
    /// Parses IMDS's word.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "instance-reboot" => Self::InstanceReboot,
            "system-reboot" => Self::SystemReboot,
            "system-maintenance" => Self::SystemMaintenance,
            "instance-retirement" => Self::InstanceRetirement,
            "instance-stop" => Self::InstanceStop,
            other => Self::Other(Arc::from(other)),
        }
    }
}

impl fmt::Display for EventCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InstanceReboot => "instance-reboot",
            Self::SystemReboot => "system-reboot",
            Self::SystemMaintenance => "system-maintenance",
            Self::InstanceRetirement => "instance-retirement",
            Self::InstanceStop => "instance-stop",
            Self::Other(code) => code,
        })
    }
}

/// Where a scheduled event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// It is to come, or is under way.
    Active,
    /// It is over, which EC2 reports late.
    Completed,
    /// It will not come.
    Canceled,
    /// Anything else.
    Other,
}

impl EventState {
    /// Parses IMDS's word.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "completed" => Self::Completed,
            "canceled" => Self::Canceled,
            _ => Self::Other,
        }
    }
}

/// One of `events/maintenance/scheduled`, announced days ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledEvent {
    /// Its id, such as `instance-event-0d59937288b749b32`.
    pub id: Arc<str>,
    /// What it does.
    pub code: EventCode,
    /// Where it stands.
    pub state: EventState,
    /// The earliest start.
    pub not_before: Timestamp,
    /// The latest end, which EC2 may leave open.
    pub not_after: Option<Timestamp>,
    /// The latest time to which the start may be postponed.
    pub not_before_deadline: Option<Timestamp>,
}

impl fmt::Display for ScheduledEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) from {}", self.code, self.id, self.not_before.utc())
    }
}

/// What IMDS says of this instance's future, besides its target state.
#[derive(Clone, Debug)]
pub struct Notices {
    /// A spot interruption; `None` inside is 404: none is announced.
    pub spot: Reading<Option<SpotNotice>>,
    /// When EC2 recommended to rebalance; `None` inside is 404.
    pub rebalance: Reading<Option<Timestamp>>,
    /// Scheduled events, including those that are over.
    pub scheduled: Reading<Vec<ScheduledEvent>>,
}

impl Notices {
    /// Nothing was read yet, and why.
    #[must_use]
    pub fn unknown(why: &'static str) -> Self {
        Self { spot: Reading::unknown(why), rebalance: Reading::unknown(why), scheduled: Reading::unknown(why) }
    }
}
