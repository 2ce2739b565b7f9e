//! Which behaviour of the SDK this agent was made for.

use aws_config::BehaviorVersion;

/// Pinned, so an update of the SDK changes no time-out or retry unnoticed.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}
