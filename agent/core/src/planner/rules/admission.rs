//! Keeping the lock for the server that is being admitted.

use crate::explain;
use crate::plan::LockPurpose;
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::admission;

/// Keeps the lock for the server that is being admitted.
pub(in crate::planner) fn admit(s: &Situation<'_>) -> Option<Decision> {
    let Some(admission) = &s.memory.servers.admission else { return admission::prepare(s) };
    Some(
        Decision::wait(Phase::Voter, explain::duties::admits(&admission.instance))
            .again_in(s.policy.retry / 2)
            .under_lock(LockPurpose::AdmitServer),
    )
}
