//! Callers that this node never saw: new servers, and only AWS can say whether they are this cluster's. Any process can call, under any name, so a
//! caller costs only a few questions to AWS, a stranger is remembered as one, and neither pushes a new server out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::InstanceId;
use crate::policy::Policy;
use crate::time::Timestamp;

/// The number of unknown callers remembered at most: a cluster does not launch more servers at once.
const MOST: usize = 16;

/// After this many hurried questions a caller is no instance of the cluster's groups: EC2 and Auto Scaling report a new one after fewer.
const QUESTIONS: u32 = 24;

/// The same number while strangers are known to call.
const QUESTIONS_AMONG_STRANGERS: u32 = 4;

/// AWS is asked in a hurry for callers at most this many times within [`SPELL`], unless they turn out to be instances. Later callers wait for the ordinary
/// look.
const HEEDED: usize = 3;
const SPELL: Duration = Duration::from_secs(3 * 3600);

/// How long strangers are remembered, and how many at most.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
const STRANGERS: usize = 64;

/// A server's agent that asks this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// When it first asked.
    pub first: Timestamp,
    /// When it last asked.
    pub last: Timestamp,
    /// Until when AWS is asked in a hurry about it; none while other callers have used up the allowance.
    pub heeded_until: Option<Timestamp>,
}

/// The current callers, and what is known of earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    callers: BTreeMap<InstanceId, Caller>,
    /// The callers that turned out to be no instance of the cluster, and when.
    strangers: BTreeMap<InstanceId, Timestamp>,
    /// When callers were heeded that have not turned out to be instances.
    heeded: Vec<Timestamp>,
}

impl Callers {
    /// Takes in the callers of this cycle. `listed` is when the groups' list was read last.
    pub(crate) fn absorb(
        &mut self,
        called: &BTreeSet<InstanceId>,
        is_known: impl Fn(&InstanceId) -> bool,
        listed: Option<Timestamp>,
        policy: &Policy,
        now: Timestamp,
    ) {
        self.heeded.retain(|at| now.since(*at) < SPELL);
        self.strangers.retain(|id, at| !is_known(id) && now.since(*at) < REMEMBERED);
        for id in in_no_order(called, now).filter(|id| !is_known(id)) {
            self.note(id, listed, now);
        }
        self.let_go_of_the_known(is_known);
        self.callers.retain(|_, caller| now.since(caller.last) < policy.prune_grace);
        self.evict_strangers(listed, now);
        self.heed(policy, now);
    }

    /// AWS may still report one of them as an instance.
    #[must_use]
    pub fn await_aws(&self, listed: Option<Timestamp>) -> bool {
        self.callers.values().any(|caller| caller.heeded_until.is_some_and(|until| listed.is_none_or(|read| read < until)))
    }

    fn note(&mut self, id: &InstanceId, listed: Option<Timestamp>, now: Timestamp) {
        if self.strangers.contains_key(id) {
            return;
        }
        if !self.callers.contains_key(id) && self.callers.len() >= MOST && !self.make_room(listed) {
            return;
        }
        self.callers.entry(id.clone()).or_insert(Caller { first: now, last: now, heeded_until: None }).last = now;
    }

    /// Drops the caller that has called for longest, if a list read since then does not have it.
    fn make_room(&mut self, listed: Option<Timestamp>) -> bool {
        let is_missing = |caller: &Caller| listed.is_some_and(|read| read > caller.first);
        let longest = self.callers.iter().filter(|(_, caller)| is_missing(caller)).min_by_key(|(_, caller)| caller.first);
        let longest = longest.map(|(id, _)| id.clone());
        longest.is_some_and(|id| self.callers.remove(&id).is_some())
    }

    /// Drops callers that are instances after all, and gives back what they cost.
    fn let_go_of_the_known(&mut self, is_known: impl Fn(&InstanceId) -> bool) {
        let callers = self.callers.len();
        self.callers.retain(|id, caller| !(is_known(id) && caller.heeded_until.is_some()));
        if self.callers.len() < callers {
            self.heeded.pop();
        }
        self.callers.retain(|id, _| !is_known(id));
    }

    fn evict_strangers(&mut self, listed: Option<Timestamp>, now: Timestamp) {
        let is_stranger = |caller: &Caller| caller.heeded_until.zip(listed).is_some_and(|(until, read)| read >= until);
        let found: Vec<InstanceId> = self.callers.iter().filter(|(_, caller)| is_stranger(caller)).map(|(id, _)| id.clone()).collect();
        for id in found {
            self.callers.remove(&id);
            self.strangers.insert(id, now);
        }
        while self.strangers.len() > STRANGERS {
            let oldest = self.strangers.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone());
            if let Some(id) = oldest {
                self.strangers.remove(&id);
            }
        }
    }

    /// Heeds all waiting callers together.
    fn heed(&mut self, policy: &Policy, now: Timestamp) {
        let questions = if self.strangers.is_empty() { QUESTIONS } else { QUESTIONS_AMONG_STRANGERS };
        let waiting = self.callers.values_mut().filter(|caller| caller.heeded_until.is_none());
        if self.heeded.len() >= HEEDED {
            return;
        }
        let mut any = false;
        for caller in waiting {
            caller.heeded_until = Some(now + policy.aws_hurry * questions);
            any = true;
        }
        self.heeded.extend(any.then_some(now));
    }
}

/// The callers in a different order each time, so none comes first by its name.
fn in_no_order(called: &BTreeSet<InstanceId>, now: Timestamp) -> impl Iterator<Item = &InstanceId> {
    let hash = |id: &InstanceId| {
        let seed = 0xcbf2_9ce4_8422_2325 ^ now.0;
        id.as_str().bytes().fold(seed, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let mut called: Vec<&InstanceId> = called.iter().collect();
    called.sort_by_key(|id| hash(id).rotate_left(32));
    called.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> InstanceId {
        InstanceId::parse(text).unwrap()
    }

    /// This many seconds of calls by `called`, with a list that is read every five seconds and never has them.
    fn calls(callers: &mut Callers, seconds: std::ops::Range<u64>, called: impl Fn(u64) -> BTreeSet<InstanceId>) {
        for second in seconds {
            let (now, listed) = (Timestamp(second * 1000), Timestamp(second / 5 * 5000));
            callers.absorb(&called(second), |_| false, Some(listed), &Policy::default(), now);
        }
    }

    #[test]
    fn who_is_in_no_list_is_evicted_and_remembered_as_a_stranger_for_a_while() {
        let (mut callers, hour) = (Callers::default(), 3600);
        calls(&mut callers, 0..110, |_| [id("i-x")].into());
        assert!(callers.callers.contains_key(&id("i-x")) && callers.await_aws(Some(Timestamp(1))));
        calls(&mut callers, 110..hour, |_| [id("i-x")].into());
        assert!(callers.callers.is_empty() && callers.strangers.contains_key(&id("i-x")), "{callers:?}");
        assert_eq!(callers.heeded.len(), 1, "it is not asked for a second time");
        calls(&mut callers, 25 * hour..25 * hour + 2, |_| [id("i-x")].into());
        assert!(callers.callers.contains_key(&id("i-x")), "it may have become one");
    }

    #[test]
    fn invented_names_neither_grow_the_memory_nor_keep_a_new_server_out() {
        let mut callers = Callers::default();
        let invented = |second: u64| (0..4).map(|n| id(&format!("i-0{second}{n}"))).collect::<BTreeSet<_>>();
        calls(&mut callers, 0..3600, invented);
        assert!(callers.callers.len() <= MOST && callers.strangers.len() <= STRANGERS && callers.heeded.len() <= HEEDED);
        calls(&mut callers, 3600..3660, |second| invented(second).into_iter().chain([id("i-new")]).collect());
        assert!(callers.callers.contains_key(&id("i-new")), "{callers:?}");
    }

    #[test]
    fn new_servers_do_not_use_up_what_strangers_may_cost() {
        let mut callers = Callers::default();
        for n in 0..20 {
            let (new, now) = (id(&format!("i-{n}")), Timestamp(n * 60_000));
            callers.absorb(&[new.clone()].into(), |_| false, Some(now), &Policy::default(), now);
            assert!(callers.await_aws(Some(now)), "the server {n}");
            let now = now + Duration::from_secs(5);
            callers.absorb(&[new.clone()].into(), |id| *id == new, Some(now), &Policy::default(), now);
            assert!(callers.callers.is_empty());
        }
    }
}
