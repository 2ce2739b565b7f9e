//! What the host of the region (the lab or the simulator) has to do to the machines.

use quorate_core::ids::InstanceId;

/// Something to do to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Power it on (for the first time, or again after a stop).
    Launch(InstanceId),
    /// Press its power button: the operating system is to shut down and has until [`Event::PowerOff`].
    Shutdown(InstanceId),
    /// Cut its power. After a termination its disks are gone too.
    PowerOff(InstanceId),
    /// Restart its operating system; disks and address stay.
    Reboot(InstanceId),
    /// Suspend it, with everything that is in its memory, until [`Event::Wake`]. The region learns when it does.
    Hibernate(InstanceId),
    /// Resume where it was suspended; its clock has moved on.
    Wake(InstanceId),
    /// Start it again on another, empty root volume.
    ReplaceRootVolume(InstanceId),
}

impl Event {
    /// The machine that it concerns.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        match self {
            Self::Launch(id) | Self::Shutdown(id) | Self::PowerOff(id) | Self::Reboot(id) => id,
            Self::Hibernate(id) | Self::Wake(id) | Self::ReplaceRootVolume(id) => id,
        }
    }
}
