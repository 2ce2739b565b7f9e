//! TLS: a member of a cluster with TLS is neither added nor started without certificates that are good now, and such a cluster is only founded with a store,
//! which keeps its authority.

use std::time::Duration;

use crate::authority::AuthorityHash;
use crate::charter::{Record, State};
use crate::explain::{Message, Wait, certificates as explain};
use crate::plan::Step;
use crate::situation::Situation;
use crate::transport::Transport;

use crate::planner::decision::Decision;

/// How long before their end a serving node calls an operator. They are renewed at half of their life, days earlier.
const CALLS_BEFORE: Duration = Duration::from_secs(48 * 3600);

/// The decision as it was, or the wait in its place.
pub(in crate::planner) fn guard(s: &Situation<'_>, decision: Decision) -> Decision {
    let Some(wait) = decision.step.as_ref().and_then(|step| obstacle(s, step)) else { return decision };
    Decision::wait(decision.phase, wait).until(decision.until).again_in(s.policy.retry / 2)
}

/// The authority of this node's own certificates, where its cluster has TLS.
pub(in crate::planner) fn own_authority(s: &Situation<'_>) -> Option<AuthorityHash> {
    s.seen.local.certificates.fresh().filter(|_| s.transport() == Transport::Tls).map(|own| own.authority)
}

/// What an operator has to know while the node serves.
pub(in crate::planner) fn trouble(s: &Situation<'_>) -> Option<Message> {
    let own = s.seen.local.certificates.last().filter(|_| s.ways().runs_etcd && s.transport() == Transport::Tls)?;
    let left = own.not_after.since(s.now);
    (left < CALLS_BEFORE.min(own.not_after.since(own.not_before) / 3)).then(|| explain::end_soon(own.not_after, left))
}

fn obstacle(s: &Situation<'_>, step: &Step) -> Option<Wait> {
    if !s.ways().runs_etcd {
        return None;
    }
    match step {
        Step::StartMember(_, Transport::Tls) => lacking(s),
        Step::AddLearner { .. } if s.transport() == Transport::Tls => lacking(s),
        Step::CreateRecord(record) if record.transport == Transport::Tls => match record.state {
            State::Founding { .. } if !s.has_store() => Some(explain::need_a_store()),
            State::Established if record.authority.is_none() => lacking(s),
            State::Founding { .. } | State::Established | State::Retired { .. } => None,
        },
        _ => None,
    }
}

fn lacking(s: &Situation<'_>) -> Option<Wait> {
    let own = &s.seen.local.certificates;
    let Some(own) = own.fresh() else { return Some(explain::are_missing(&own.why_not_fresh())) };
    own.fit(s.last_record().and_then(Record::trust), s.now).err().map(explain::are_unfit)
}
