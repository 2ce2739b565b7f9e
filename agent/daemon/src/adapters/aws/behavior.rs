//! Which behaviour of the SDK this agent was made for.

use aws_config::BehaviorVersion;

/// Pinned, so that an update of the SDK changes no time-out and no retry behind our back.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}
