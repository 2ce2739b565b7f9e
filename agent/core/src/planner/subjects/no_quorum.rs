//! Why there is no quorum's word, as an operator wants to hear it: a member refuses this agent, which members are silent, or none leads.

use crate::explain::serving::no_quorum;
use crate::observation::Member;
use crate::situation::Situation;

/// The end of a sentence such as "no quorum answers: i-b, i-c are silent".
pub(in crate::planner) fn why(s: &Situation<'_>) -> String {
    if let Some(words) = &s.seen.etcd.refused {
        return no_quorum::refused(words);
    }
    let Some(last) = s.seen.etcd.membership.last() else {
        let why = || s.seen.etcd.membership.why_not_fresh().into_owned();
        return s.seen.etcd.busy.as_ref().map_or_else(why, no_quorum::busy);
    };
    let name = |m: &Member| s.instance_of(m).map_or_else(|| m.id.to_string(), |instance| instance.to_string());
    let silent: Vec<String> = last.voters().filter(|m| s.status(m.id).is_none()).map(name).collect();
    let leaderless = last.voters().filter_map(|m| s.status(m.id)).all(|status| status.leader.is_none());
    match silent.as_slice() {
        [] if leaderless => no_quorum::no_leader(),
        [] => s.seen.etcd.busy.as_ref().map_or_else(no_quorum::no_answer_in_time, no_quorum::busy),
        silent => match &s.seen.etcd.busy {
            Some(words) => no_quorum::silent_and_busy(silent, words),
            None => no_quorum::silent(silent),
        },
    }
}
