//! The journal's message ids of important events. The catalog explains each, with its remedy (`journalctl -x`); an id never changes its meaning.

use quorate_core::plan::Step;
use quorate_core::report::{Phase, Report, RuleId};

/// The agent runs and knows who it is.
pub const STARTED: &str = "fe9f080fc2b64e01839513268af4f844";
/// This node has joined.
pub const JOINED: &str = "8a160f5fb3ad4189a4c667f315f2ecc5";
/// This node promoted a learner.
pub const PROMOTED: &str = "44254620c7eb4507938e8aebdd04f638";
/// This node begins to leave.
pub const LEAVING: &str = "17fccaabf846417caca76f4abcc4bd9c";
/// This node has left.
pub const LEFT: &str = "aa20aba361604ee285cdac82caee9095";
/// A lifecycle hook was completed.
pub const HOOK_COMPLETED: &str = "e5f3a34af5574c8db2645cf5f6276056";
/// The gate refused a step.
pub const REFUSED: &str = "86b4c6e3720e4c558281e05fb0d73bbd";
/// Nothing more is done until an operator has acted.
pub const HALTED: &str = "668067cef7c841b7b9f162f39695257f";
/// Quorum is lost for good.
pub const QUORUM_LOST: &str = "82cdc1bd3e9c413c9dd87cb2973f0ea4";
/// The charter vanished or cannot be trusted.
pub const CHARTER_BROKEN: &str = "9bd4669f78084814b6de3e8f44c7c176";
/// The member does not stay up.
pub const MEMBER_BROKEN: &str = "d4b8bcc09307478db3e8551344e72a63";
/// The machine shuts down, or EC2 has announced something.
pub const NOTICE_RECEIVED: &str = "736b5d33a2c2447ea8bfd2425bc9c6f9";

/// EC2 takes this spot instance back.
pub const SPOT_NOTICE: &str = "c59c7ae0718f444089675b79bd654a48";

/// A source of observations stays unreadable.
pub const SOURCE_UNREADABLE: &str = "0c2b6a0f5e8d4b0c9a4f8f1f3a6be7d1";

/// It can be read again.
pub const SOURCE_READABLE: &str = "4be1d7c2a9b34d5ea2f6707c58c1d93f";

/// A wait has outlasted its patience.
pub const WAITS_TOO_LONG: &str = "cacb047a60264f8f9b12d0362243c446";

/// A snapshot is in the store.
pub const SNAPSHOT_TAKEN: &str = "32833106536e45df80b2d002cc92d33d";

/// A snapshot could not be taken.
pub const SNAPSHOT_FAILED: &str = "f08db22fd293456ab170fab23d90fbac";

/// The newest snapshot is older than twice its interval.
pub const SNAPSHOT_OVERDUE: &str = "f3faa8e879ea47238ad5cfbc1d74bd1c";

/// A restore drill succeeded.
pub const SNAPSHOT_DRILLED: &str = "d5ffafd8c069496eb80c5f58c12c7614";

/// A restore drill failed.
pub const SNAPSHOT_DRILL_FAILED: &str = "9e36f80ffb71485b99efe9af2c0d62a1";

/// The message id of a report whose predecessor was in the phase `before`; none for most.
#[must_use]
pub fn of_report(report: &Report, before: Option<Phase>) -> Option<&'static str> {
    let enters = |phase| report.phase == phase && before != Some(phase);
    match report.rule {
        _ if report.overdue.is_some() => Some(WAITS_TOO_LONG),
        RuleId::BrokenCharter | RuleId::VanishedRecord => Some(CHARTER_BROKEN),
        RuleId::Recover if report.needs_operator => Some(QUORUM_LOST),
        RuleId::Resume | RuleId::BrokenMember if report.needs_operator => Some(MEMBER_BROKEN),
        _ if report.needs_operator => Some(HALTED),
        _ if matches!(report.phase, Phase::Voter | Phase::Worker) && before.is_some_and(is_outside) => Some(JOINED),
        _ if enters(Phase::Leaving) => Some(LEAVING),
        _ if enters(Phase::Left) => Some(LEFT),
        _ => None,
    }
}

/// Whether the node is not a voter yet, or no longer: an agent that was restarted, or came back from a reboot, has not joined again.
fn is_outside(phase: Phase) -> bool {
    match phase {
        Phase::Warm
        | Phase::Waiting
        | Phase::Founding
        | Phase::Joining
        | Phase::Learner
        | Phase::Spare
        | Phase::Left
        | Phase::Recovering => true,
        Phase::Starting | Phase::Voter | Phase::Worker | Phase::Resting | Phase::Leaving | Phase::Halted => false,
    }
}

/// The message id of a completed step.
#[must_use]
pub fn of_step(step: &Step) -> Option<&'static str> {
    match step {
        Step::Promote { .. } => Some(PROMOTED),
        Step::CompleteHook { .. } => Some(HOOK_COMPLETED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!("../../../systemd/message-ids");
    const CATALOG: &str = include_str!("../../../systemd/usr/lib/systemd/catalog/quorate.catalog");

    #[test]
    fn every_id_is_the_tables_and_the_catalogs() {
        for (name, id) in [
            ("started", STARTED),
            ("joined", JOINED),
            ("promoted", PROMOTED),
            ("leaving", LEAVING),
            ("left", LEFT),
            ("hook_completed", HOOK_COMPLETED),
            ("refused", REFUSED),
            ("halted", HALTED),
            ("waits_too_long", WAITS_TOO_LONG),
            ("quorum_lost", QUORUM_LOST),
            ("charter_broken", CHARTER_BROKEN),
            ("member_broken", MEMBER_BROKEN),
            ("notice_received", NOTICE_RECEIVED),
            ("spot_notice", SPOT_NOTICE),
            ("source_unreadable", SOURCE_UNREADABLE),
            ("source_readable", SOURCE_READABLE),
            ("snapshot_taken", SNAPSHOT_TAKEN),
            ("snapshot_failed", SNAPSHOT_FAILED),
            ("snapshot_overdue", SNAPSHOT_OVERDUE),
            ("snapshot_drilled", SNAPSHOT_DRILLED),
            ("snapshot_drill_failed", SNAPSHOT_DRILL_FAILED),
        ] {
            assert!(TABLE.lines().any(|line| line == format!("{name} {id}")), "{name}");
            assert!(CATALOG.contains(&format!("-- {id}")), "{name}");
        }
    }

    #[test]
    fn a_phase_is_announced_when_it_begins() {
        let report = |phase, rule, needs_operator| Report {
            phase,
            rule,
            message: "".into(),
            awaits: None,
            overdue: None,
            until: None,
            needs_operator,
        };
        let serves = report(Phase::Voter, RuleId::Serve, false);
        assert_eq!(of_report(&serves, Some(Phase::Learner)), Some(JOINED));
        assert_eq!(of_report(&serves, Some(Phase::Voter)), None);
        assert_eq!(of_report(&serves, None), None, "the agent was restarted beside its member");
        assert_eq!(of_report(&report(Phase::Leaving, RuleId::Leave, false), Some(Phase::Voter)), Some(LEAVING));
        assert_eq!(of_report(&report(Phase::Recovering, RuleId::Recover, true), None), Some(QUORUM_LOST));
        assert_eq!(of_report(&report(Phase::Halted, RuleId::Found, true), None), Some(HALTED));
    }
}
