//! The instances that stand in the way of a founding or a recovery, and whether that can pass on its own: silence is never consent.

use std::fmt;

use crate::charter::Record;
use crate::explain::{Wait, consent};
use crate::ids::InstanceId;
use crate::memory::Order;
use crate::observation::DataClaim;
use crate::policy::Recovery;
use crate::report::Phase;
use crate::situation::Situation;
use crate::time::Timestamp;

use crate::planner::decision::Decision;
use crate::planner::subjects::{loss, no_word, orders};

/// Whether data counts: not that of a generation older than the highest established one, and not a copy that never became a voter's.
pub(in crate::planner) fn counts(s: &Situation<'_>, claim: &DataClaim) -> bool {
    let DataClaim::Holds { generation, voter, .. } = claim else { return false };
    if s.order() == Some(Order::RecoverFresh) || orders::gives_up_data(s) {
        return false;
    }
    let established = s.last_record().and_then(|r| r.ever_established);
    let older = generation.zip(established).is_some_and(|(g, e)| g < e);
    !older && *voter != Some(false)
}

/// One instance does not consent.
pub(in crate::planner) struct Objection {
    who: InstanceId,
    why: String,
    /// It lasts until an operator does something about that instance.
    needs_operator: bool,
}

impl Objection {
    fn new(who: &InstanceId, why: impl Into<String>) -> Self {
        Self { who: who.clone(), why: why.into(), needs_operator: false }
    }

    fn for_an_operator(self) -> Self {
        Self { needs_operator: true, ..self }
    }

    /// The wait for it, which asks for an operator if nothing else ends it.
    pub(in crate::planner) fn holds_up(&self, phase: Phase, wait: Wait) -> Decision {
        Decision { needs_operator: self.needs_operator, ..Decision::wait(phase, wait) }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.who, self.why)
    }
}

/// The first instance that does not consent to a founding, or to a restore.
pub(in crate::planner) fn objector(s: &Situation<'_>, number: u64, since: Option<Timestamp>) -> Option<Objection> {
    s.others().iter().find_map(|id| objection(s, id, number, since))
}

fn objection(s: &Situation<'_>, id: &InstanceId, number: u64, since: Option<Timestamp>) -> Option<Objection> {
    if s.is_gone(id) {
        return None;
    }
    let objection = |why: String| Some(Objection::new(id, why));
    let Some(answer) = s.peer(id) else { return Some(silence(s, id, consent::is_silent())) };
    if since.is_some_and(|moment| !s.heard_since(id, moment)) {
        return objection(consent::was_not_asked_again());
    }
    if let Some(cluster) = answer.quorum {
        return objection(consent::sees_quorum(&cluster));
    }
    if let Some(why) = no_word::why(s, id).filter(|_| !no_word::is_covered_by_order(s)) {
        return objection(why).map(Objection::for_an_operator);
    }
    let differs = |r: &Record| s.record().is_some_and(|ours| ours.number == r.number && ours != r);
    if let Some(record) = answer.record.as_ref().filter(|r| r.number > number || (r.number == number && differs(r))) {
        return objection(consent::remembers_what_the_store_lacks(record));
    }
    match &answer.data {
        DataClaim::None => None,
        DataClaim::Unknown => objection(consent::does_not_know_its_data()),
        claim if counts(s, claim) => objection(consent::holds_data()),
        DataClaim::Holds { .. } => None,
    }
}

/// The objection of a silent instance. It may be booting, or cut off for a while; past the patience with a lost quorum it does not come back on its own.
fn silence(s: &Situation<'_>, id: &InstanceId, why: &str) -> Objection {
    if s.memory.silent_for(id, s.now) < s.policy.quorum_loss_grace {
        return Objection::new(id, why);
    }
    Objection::new(id, consent::is_silent_for_long(why)).for_an_operator()
}

/// The first instance that stands in the way of a recovery: silent, remembering more, or a survivor of unknown applied index.
pub(in crate::planner) fn dissenter(s: &Situation<'_>, record: &Record, since: Option<Timestamp>) -> Option<Objection> {
    s.others().iter().filter(|id| !s.is_gone(id)).find_map(|id| {
        let objection = |why: String| Some(Objection::new(id, why));
        let Some(answer) = s.peer(id) else { return Some(silence(s, id, consent::is_silent_in_a_recovery())) };
        if since.is_some_and(|moment| !s.heard_since(id, moment)) {
            return objection(consent::was_not_asked_again());
        }
        if let Some(why) = no_word::why(s, id).filter(|_| orders::survivor_wanted(s).is_none()) {
            return objection(why).map(Objection::for_an_operator);
        }
        if let Some(cluster) = answer.quorum {
            return objection(consent::sees_quorum(&cluster));
        }
        if let Some(theirs) = answer.record.as_ref().filter(|r| r.number > record.number) {
            return objection(consent::remembers_more(theirs));
        }
        doubt(s, record, id, &answer.data).and_then(objection)
    })
}

/// Why a survivor's own data stands in the way. An operator's choice needs no comparison, but data known to be older is never taken.
fn doubt(s: &Situation<'_>, record: &Record, id: &InstanceId, data: &DataClaim) -> Option<String> {
    let vague = consent::does_not_say_what_it_applied();
    match data {
        DataClaim::None => return None,
        DataClaim::Unknown => return Some(vague),
        // Every promotion is preceded by a record that names the member, so an instance that is not listed never voted.
        claim if !record.lists(id) || !counts(s, claim) => return None,
        DataClaim::Holds { .. } => {}
    }
    if orders::survivor_wanted(s).is_some() {
        let (theirs, mine) = loss::applied(s, id).zip(loss::applied(s, s.me())).filter(|(theirs, mine)| theirs > mine)?;
        return Some(consent::has_applied_more(theirs, mine));
    }
    let no_revision = s.policy.recovery == Recovery::Any && loss::revision(s, id).is_none();
    let too_few = || loss::any_acts(s, record.voters.len(), loss::left_of(s, record));
    match loss::applied(s, id) {
        None => Some(vague),
        Some(_) if no_revision && too_few() => Some(consent::does_not_say_its_revision()),
        Some(_) => None,
    }
}
