//! A distribution's server joins an established cluster: a voter's agent admits it, and it then adds its own member as it starts.

use crate::charter::State;
use crate::explain::joining as explain;
use crate::ids::{Generation, InstanceId};
use crate::memory::BackoffKey;
use crate::plan::{Start, Step};
use crate::report::Phase;
use crate::situation::Situation;

use crate::planner::decision::Decision;
use crate::planner::subjects::{admission, joining};

/// The joiner's own steps, while its disk is empty. Until its server has started it has no credentials to read etcd with.
pub(in crate::planner) fn decide(s: &Situation<'_>) -> Option<Decision> {
    let record = s.record()?;
    if record.state != State::Established || !s.disk_is_empty() || s.runs() {
        return None;
    }
    let membership = s.membership().filter(|m| Some(m.cluster) == record.etcd_cluster);
    let settled = membership.and_then(|membership| joining::settle_own_entries(s, membership));
    Some(settled.unwrap_or_else(|| start(s, record.generation)))
}

/// The wait for a voter to admit this node. Servers that have all been away for a long time may be lost with their data: none is left to admit another.
fn awaits_admission(s: &Situation<'_>) -> Decision {
    let voters: Vec<&InstanceId> = s.record().into_iter().flat_map(|r| &r.voters).map(|v| &v.instance).collect();
    if voters.is_empty() || voters.iter().any(|id| s.peer(id).is_some()) {
        return Decision::wait(Phase::Joining, explain::awaits_admission()).again_in(s.policy.retry);
    }
    let lasting = voters.iter().all(|id| s.memory.silent_for(id, s.now) >= s.policy.quorum_loss_grace);
    let wait = if lasting { explain::nobody_has_admitted_for_long(&voters) } else { explain::nobody_admits(&voters) };
    Decision { needs_operator: lasting, ..Decision::wait(Phase::Joining, wait).again_in(s.policy.retry) }
}

/// The wait for its own old member to be removed. The others believe a server that says its data is gone only where no other process can speak for it.
fn awaits_own_removal(s: &Situation<'_>) -> Decision {
    if s.policy.network_trusted {
        return Decision::wait(Phase::Joining, explain::awaits_own_removal()).again_in(s.policy.retry);
    }
    Decision::halt(Phase::Joining, explain::nobody_takes_its_word()).again_in(s.policy.retry)
}

fn start(s: &Situation<'_>, generation: Generation) -> Decision {
    if s.memory.waits(BackoffKey::Start, s.now) {
        return Decision::wait(Phase::Joining, explain::started_server_just_now()).again_in(s.policy.retry);
    }
    if s.record().is_some_and(|r| r.lists(s.me())) {
        return awaits_own_removal(s);
    }
    let Some((host, server)) = admission::admitted_by(s) else {
        if joining::is_spare(s) {
            return joining::spare(s);
        }
        return awaits_admission(s);
    };
    let step = Step::StartMember(Start::JoinServer { generation, server }, s.transport());
    Decision::act(Phase::Joining, step, explain::starts_server(host))
}
