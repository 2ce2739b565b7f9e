//! The version of the SDK's behaviour that this agent is built for.

use aws_config::BehaviorVersion;

/// The SDK's behaviour version, pinned so an update of the SDK changes no time-out or retry unnoticed.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}
