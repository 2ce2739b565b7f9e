//! Calls of etcd: each one reaches whatever listens at its URL's address by now.

use std::sync::Arc;

use quorate_core::ids::MemberId;
use quorate_core::member_url::MemberUrl;
use quorate_core::pausing::Pause;
use quorate_core::plan::{LockPurpose, Outcome, Via};

use super::{Fate, no_answer};
use crate::simulator::world::World;

impl World {
    /// The host that answers at that URL, if the call gets there.
    fn called(&mut self, n: usize, via: &Via) -> Option<(usize, Fate)> {
        let fate = self.fate();
        if !self.has_credentials(n) {
            return None;
        }
        let host = self.listening(n, &via.url)?;
        (fate != Fate::LostBefore).then_some((host, fate))
    }

    /// The host whose client port `n` reaches at that URL.
    pub(super) fn listening(&self, n: usize, url: &Arc<str>) -> Option<usize> {
        let there = |h: &usize| {
            let server = &self.etcd.servers[*h];
            let serves = if *h == n { self.etcd.serves(*h) } else { self.etcd.serves_remote(*h) };
            serves && *server.client_url.to_string() == **url && self.reaches(n, *h)
        };
        (0..self.nodes.len()).find(there)
    }

    pub(super) fn acquire_lock(&mut self, n: usize, via: &Via, purpose: LockPurpose) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let me = self.nodes[n].me.instance.clone();
        let result = self.etcd.acquire(host, (&me, purpose.words()), self.policy.lock_ttl, self.now, &self.network);
        self.outcome(fate, result)
    }

    pub(super) fn renew_lock(&mut self, n: usize, via: &Via) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let result = self.etcd.renew(host, &self.nodes[n].me.instance, self.now, &self.network);
        self.outcome(fate, result)
    }

    pub(super) fn release_lock(&mut self, n: usize, via: &Via) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let result = self.etcd.release(host, &self.nodes[n].me.instance, &self.network);
        self.outcome(fate, result)
    }

    pub(super) fn set_pause(&mut self, n: usize, via: &Via, pause: Option<&Pause>) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let result = self.etcd.set_pause(host, pause, &self.network);
        self.outcome(fate, result)
    }

    pub(super) fn add_learner(&mut self, n: usize, via: &Via, url: &MemberUrl) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let result = self.etcd.add_learner(host, url, self.now, &self.network);
        self.stats.joined += u64::from(result.is_ok());
        self.outcome(fate, result)
    }

    pub(super) fn promote(&mut self, n: usize, via: &Via, member: MemberId) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let result = self.etcd.promote(host, member, self.now, &self.network);
        self.stats.promoted += u64::from(result.is_ok());
        self.outcome(fate, result)
    }

    pub(super) fn remove_member(&mut self, n: usize, via: &Via, member: MemberId) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let own = self.etcd.member_id(n) == Some(member);
        let result = self.etcd.remove(host, member, self.now, &self.network);
        if result.is_ok() {
            *(if own { &mut self.stats.left } else { &mut self.stats.pruned }) += 1;
            self.stats.strangers_removed += u64::from(self.by_hand.contains(&member));
        }
        self.outcome(fate, result)
    }

    pub(super) fn move_leader(&mut self, n: usize, via: &Via, to: MemberId) -> Outcome {
        let Some((host, fate)) = self.called(n, via) else { return no_answer() };
        let result = self.etcd.move_leader(host, to, &self.network);
        self.stats.stood_in += u64::from(result.is_ok() && self.etcd.member_id(n) == Some(to));
        self.outcome(fate, result)
    }
}
