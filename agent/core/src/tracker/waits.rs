//! How long this node has been waiting for one thing.

use crate::memory::{Memory, Waited};
use crate::plan::{Plan, Step};
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::wait::WaitReason;

/// A wait has ended once it was last seen more than this many times `stale_after` ago. Until then it continues beside others: an etcd that keeps ending is
/// started, waited for, and found without a quorum by turns.
const ENDS_AFTER: u32 = 5;

/// Records what a decision waits for. A wait begins again when what it waits for makes progress.
pub fn note_wait(memory: &mut Memory, plan: &Plan, policy: &Policy, now: Timestamp) {
    if plan.step.is_some() {
        return;
    }
    let Some(awaits) = plan.report.awaits else {
        memory.waits.clear();
        return;
    };
    memory.waits.retain(|_, waited| now.since(waited.last) <= policy.stale_after * ENDS_AFTER);
    let waited = memory.waits.entry(awaits.reason).or_insert(Waited { since: now, last: now, progress: awaits.progress });
    if awaits.progress > waited.progress {
        waited.since = now;
    }
    (waited.last, waited.progress) = (now, awaits.progress);
}

/// What a decision waits for, if that has outlasted its patience, and since when it has lasted.
#[must_use]
pub fn overdue(memory: &Memory, plan: &Plan, policy: &Policy, now: Timestamp) -> Option<(WaitReason, Timestamp)> {
    let reason = match (&plan.step, plan.report.awaits) {
        (None, Some(awaits)) => awaits.reason,
        // Starting the member is what is done about this wait, again and again.
        (Some(Step::StartMember(..)), _) => WaitReason::EtcdStart,
        (Some(_) | None, _) => return None,
    };
    // A wait that only an operator can end has already called for one.
    let patience = Some(policy.patience(reason)).filter(|patience| !patience.is_zero())?;
    let since = memory.waits.get(&reason)?.since;
    (now.since(since) >= patience).then_some((reason, since))
}

/// Ends every wait if the step gets the node on. A step that is repeated while the node waits does not.
pub(super) fn end_waits(memory: &mut Memory, step: &Step) {
    let gets_on = match step {
        Step::CreateRecord(_)
        | Step::PutDataAside { .. }
        | Step::AdoptData { .. }
        | Step::RestoreOwnData { .. }
        | Step::RestoreSnapshot { .. }
        | Step::AddLearner { .. }
        | Step::Promote { .. }
        | Step::RemoveMember { .. }
        | Step::UpdatePeerUrl { .. }
        | Step::MoveLeader { .. }
        | Step::ForgetOrder
        | Step::SetPause { .. }
        | Step::ClearPause { .. } => true,
        Step::Heartbeat { .. }
        | Step::CompleteHook { .. }
        | Step::StartMember(..)
        | Step::StopMember(_)
        | Step::FetchSnapshot { .. }
        | Step::DropSuperseded
        | Step::AcquireLock { .. }
        | Step::RenewLock { .. }
        | Step::ReleaseLock { .. }
        | Step::ReportUnhealthy
        | Step::Node(_)
        | Step::TakeSnapshot(_)
        | Step::DrillSnapshot { .. }
        | Step::PruneSnapshots { .. }
        | Step::DeregisterTarget { .. } => false,
    };
    if gets_on {
        memory.waits.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::ids::InstanceId;
    use crate::memory::PersistentState;
    use crate::plan::{AsideReason, Start};
    use crate::report::{Phase, Report, RuleId};
    use crate::wait::Awaited;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(1_000_000) + Duration::from_secs(seconds)
    }

    /// A look at `second` that waits for `awaits`, or for nothing.
    fn look(memory: &mut Memory, second: u64, awaits: Option<(WaitReason, Option<u64>)>) -> Option<(WaitReason, Timestamp)> {
        let awaits = awaits.map(|(reason, progress)| Awaited { reason, progress });
        let report = Report {
            phase: Phase::Voter,
            rule: RuleId::None,
            message: "".into(),
            awaits,
            overdue: None,
            until: None,
            needs_operator: false,
        };
        let plan = Plan { step: None, report, look_again: Duration::ZERO };
        note_wait(memory, &plan, &Policy::default(), at(second));
        overdue(memory, &plan, &Policy::default(), at(second))
    }

    fn memory() -> Memory {
        Memory::new(PersistentState::new(InstanceId::parse("i-a").unwrap()), at(0))
    }

    #[test]
    fn each_reason_has_a_name_a_patience_and_somebody_who_can_do_something() {
        let names: BTreeSet<_> = WaitReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), WaitReason::ALL.len());
        for reason in WaitReason::ALL {
            assert!(Policy::default().patience(*reason) <= Duration::from_secs(25 * 3600), "{reason} never calls an operator");
            assert!(reason.meaning().len() > 10 && reason.remedy().len() > 10, "{reason} says too little");
        }
    }

    #[test]
    fn a_wait_that_outlasts_its_patience_is_overdue_until_it_ends() {
        let mut memory = memory();
        let quorum = Some((WaitReason::Quorum, None));
        for second in (0..900).step_by(2) {
            assert_eq!(look(&mut memory, second, quorum), None, "after {second} s");
        }
        assert_eq!(look(&mut memory, 900, quorum), Some((WaitReason::Quorum, at(0))));
        assert_eq!(look(&mut memory, 902, None), None);
        assert_eq!(look(&mut memory, 904, quorum), None, "a wait that ended begins again");
    }

    #[test]
    fn two_waits_by_turns_go_on_and_a_step_ends_neither() {
        let mut memory = memory();
        for second in (0..900).step_by(10) {
            look(&mut memory, second, Some((WaitReason::EtcdStart, None)));
            look(&mut memory, second + 4, Some((WaitReason::Quorum, None)));
            let mut start = Plan {
                step: Some(Step::ReportUnhealthy),
                report: Report {
                    phase: Phase::Starting,
                    rule: RuleId::Resume,
                    message: "".into(),
                    awaits: None,
                    overdue: None,
                    until: None,
                    needs_operator: false,
                },
                look_again: Duration::ZERO,
            };
            start.report.message = "starts".into();
            note_wait(&mut memory, &start, &Policy::default(), at(second + 8));
        }
        assert_eq!(look(&mut memory, 902, Some((WaitReason::EtcdStart, None))), Some((WaitReason::EtcdStart, at(0))));
        let mut memory = self::memory();
        look(&mut memory, 0, Some((WaitReason::Lock, None)));
        look(&mut memory, 600, Some((WaitReason::Quorum, None)));
        assert_eq!(look(&mut memory, 900, Some((WaitReason::Lock, None))), None, "a wait that has not been seen for long has ended");
    }

    #[test]
    fn what_gets_the_node_on_ends_its_waits_and_a_start_in_vain_does_not() {
        let mut memory = memory();
        look(&mut memory, 0, Some((WaitReason::EtcdStart, None)));
        end_waits(&mut memory, &Step::StartMember(Start::Alone, crate::transport::Transport::Plain));
        assert_eq!(memory.waits.len(), 1);
        end_waits(&mut memory, &Step::PutDataAside { why: AsideReason::GaveUpJoin });
        assert!(memory.waits.is_empty());
    }

    #[test]
    fn progress_of_what_is_awaited_begins_the_wait_again() {
        let mut memory = memory();
        for second in (0..7200).step_by(10) {
            assert_eq!(look(&mut memory, second, Some((WaitReason::Fetch, Some(second)))), None);
        }
        for second in (7200..8080).step_by(10) {
            assert_eq!(look(&mut memory, second, Some((WaitReason::Fetch, Some(7190)))), None, "after {second} s");
        }
        assert!(look(&mut memory, 8090, Some((WaitReason::Fetch, Some(7190)))).is_some());
    }
}
