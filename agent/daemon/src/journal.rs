//! Writes the journal: each decision when it changes and not at every tick, in the words of its report.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::observation::{LocalData, Observation};
use quorate_core::plan::{Outcome, Plan, Step};
use quorate_core::report::{Phase, Report};
use quorate_core::safety::Refusal;
use quorate_core::sources::Change;
use quorate_core::time::Timestamp;
use tracing::{debug, error, info, warn};

use crate::cycle::Cycle;
use crate::messages;
use crate::repeats::Repeats;

/// What is tried again and again is reported again after this.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// A step that is done again is reported again, unless it changes nothing and is therefore repeated endlessly.
const DONE_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What was reported, and when.
#[derive(Debug, Default)]
pub struct Journal {
    /// The phase announced last.
    phase: Option<Phase>,
    /// The wait reported last: it is not news until another was reported.
    wait: String,
    told: BTreeMap<String, Timestamp>,
    /// What is tried and fails again and again.
    troubles: Repeats,
    /// It was reported that the newest snapshot is too old.
    snapshot_overdue: bool,
}

impl Journal {
    /// Reports a decision without a step: what is awaited, or that all is well.
    pub fn waits(&mut self, seen: &Observation, report: &Report, now: Timestamp) {
        let wait = report.to_string();
        if wait == self.wait || !self.is_news(wait.clone(), TELL_AGAIN_AFTER, now) {
            return;
        }
        self.wait = wait;
        // A founder votes before any quorum has confirmed it.
        let votes_alone = report.phase == Phase::Voter && seen.etcd.membership.fresh().is_none();
        let before = if votes_alone { Some(Phase::Voter) } else { self.phase.replace(report.phase) };
        let message_id = messages::of_report(report, before);
        let member = match seen.local.data.last() {
            Some(LocalData::Present(identity)) => identity.member.map(|id| id.to_string()),
            Some(LocalData::Empty) | None => None,
        };
        let (phase, reason) = (report.phase.to_string(), &*report.message);
        macro_rules! tell {
            ($level:ident, $($text:tt)+) => {
                $level!(message_id, quorate.phase = phase, quorate.rule = report.rule.name(), quorate.member_id = member, quorate.reason = reason, $($text)+)
            };
        }
        if report.needs_operator {
            tell!(error, "{report}. An operator must act");
        } else {
            tell!(info, "{report}");
        }
    }

    /// Reports once that the newest snapshot is too old, on the agent beside the leader, which should take them.
    pub fn snapshots(&mut self, cycle: &Cycle) {
        if !cycle.leads() {
            return;
        }
        let overdue = cycle.situation().snapshot_overdue();
        match overdue {
            Some(age) if !self.snapshot_overdue => {
                let interval = cycle.policy.snapshots.interval;
                let reason = format!("the newest snapshot is {} min old, and one is wanted every {} min", minutes(age), minutes(interval));
                error!(message_id = messages::SNAPSHOT_OVERDUE, quorate.reason = reason.as_str(), "{reason}");
            }
            None if self.snapshot_overdue => info!("there is a new snapshot again"),
            _ => {}
        }
        self.snapshot_overdue = overdue.is_some();
    }

    /// Reports that persistent state cannot be stored.
    pub fn forgets(&mut self, what: &str, problem: &str, now: Timestamp) {
        if let Some(again) = self.troubles.news("memory", problem, now) {
            error!("cannot store {what}: {problem}{again}");
        }
    }

    /// Reports sources that have become unreadable, or can be read again.
    pub fn sources(&mut self, changes: &[Change], now: Timestamp) {
        for change in changes {
            match change {
                Change::Unreadable(unreadable) => {
                    let reason = unreadable.message(now);
                    let source = unreadable.source.label();
                    warn!(message_id = messages::SOURCE_UNREADABLE, quorate.source = source, quorate.reason = reason.as_str(), "{reason}");
                }
                Change::Readable(source, after) => {
                    let (label, seconds) = (source.label(), after.as_secs());
                    info!(message_id = messages::SOURCE_READABLE, quorate.source = label, "{source} can be read again, after {seconds} s");
                }
            }
        }
    }

    /// Reports a step that the gate refused.
    pub fn refused(&mut self, plan: &Plan, refusal: &Refusal, now: Timestamp) {
        if let Some(again) = self.troubles.news("gate", &refusal.to_string(), now) {
            error!(message_id = messages::REFUSED, quorate.rule = plan.report.rule.name(), "{}, but {refusal}{again}", plan.report.message);
        }
    }

    /// Reports a step and its outcome.
    pub fn stepped(&mut self, step: &Step, plan: &Plan, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Done => self.done(step, plan, now),
            Outcome::Refused(why) | Outcome::NotOpen(why) | Outcome::Unclear(why) => self.failed(step, plan, why, now),
        }
    }

    /// Reports that AWS knows no such lifecycle action: not yet, or somebody else has ended it.
    pub fn is_early(&self, step: &Step, plan: &Plan) {
        debug!(quorate.step = step.kind(), quorate.rule = plan.report.rule.name(), "{}: not open, is tried again", plan.report.message);
    }

    fn done(&mut self, step: &Step, plan: &Plan, now: Timestamp) {
        let (message, rule) = (&plan.report.message, plan.report.rule.name());
        let again_after = match step {
            // The lock is taken, renewed and given back for a step that is itself reported.
            Step::AcquireLock { .. } | Step::RenewLock { .. } | Step::ReleaseLock { .. } => {
                debug!(quorate.step = step.kind(), quorate.rule = rule, "{message}");
                return;
            }
            Step::Heartbeat { .. } => TELL_AGAIN_AFTER,
            _ => DONE_AGAIN_AFTER,
        };
        if self.is_news(format!("{} {message}", step.kind()), again_after, now) {
            info!(message_id = messages::of_step(step), quorate.step = step.kind(), quorate.rule = rule, "{message}");
        }
    }

    fn failed(&mut self, step: &Step, plan: &Plan, why: &str, now: Timestamp) {
        let Some(again) = self.troubles.news(step.kind(), why, now) else { return };
        let (message, rule) = (&plan.report.message, plan.report.rule.name());
        // A refused one leaves time for two more: no reason for alarm.
        if matches!(step, Step::Heartbeat { .. }) {
            info!(quorate.step = step.kind(), quorate.rule = rule, "{message}, and will again: {why}{again}");
        } else {
            warn!(quorate.step = step.kind(), quorate.rule = rule, "{message}, but it was not accepted: {why}{again}");
        }
    }

    /// Whether this line was not written within the last `again_after`: repeated attempts make one line, not a hundred.
    fn is_news(&mut self, line: String, again_after: Duration, now: Timestamp) -> bool {
        self.told.retain(|_, at| now.since(*at) < TELL_AGAIN_AFTER);
        let before = self.told.get(&line).copied();
        let news = before.is_none_or(|at| now.since(at) >= again_after);
        if news {
            self.told.insert(line, now);
        }
        news
    }
}

fn minutes(duration: Duration) -> u64 {
    duration.as_secs() / 60
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use quorate_core::ids::MemberId;
    use quorate_core::plan::Via;
    use quorate_core::report::RuleId;
    use quorate_core::safety::refusal::MemberFault;

    use super::*;

    /// Lines that are kept.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the journal is told by this.
    fn told(tells: impl FnOnce(&mut Journal)) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || tells(&mut Journal::default()));
        let told = lines.0.lock().unwrap().clone();
        String::from_utf8(told).unwrap()
    }

    #[test]
    fn a_refusal_is_told_with_the_values_that_decided() {
        let (rule, member) = (RuleId::Prune, MemberId(0xb2));
        let report = Report {
            phase: Phase::Voter,
            rule,
            message: "removes i-b, which has departed".into(),
            awaits: None,
            overdue: None,
            until: None,
            needs_operator: false,
        };
        let via = Via { member: MemberId(0xa1), url: "http://10.0.0.1:2379".into() };
        let step = Step::RemoveMember { via, member };
        let why = MemberFault::NoHealthyQuorum { healthy: 1, voters: 2 }.into();
        let refusal = Refusal { step: step.kind(), why };
        let plan = Plan { step: Some(step), report, look_again: Duration::ZERO };
        let told = told(|journal| journal.refused(&plan, &refusal, at(0)));
        let line = "removes i-b, which has departed, but the gate refused remove-member: only 1 of 2 voters would be healthy";
        assert!(told.contains("ERROR") && told.contains(line) && told.contains("quorate.rule=\"prune\""), "{told}");
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(0) + Duration::from_secs(seconds)
    }

    #[test]
    fn a_failure_is_told_once_a_minute_and_a_deed_each_time() {
        let mut journal = Journal::default();
        let mut told = |line: &str, again_after, second| journal.is_news(line.to_owned(), again_after, at(second));
        assert!(told("add-learner refused", TELL_AGAIN_AFTER, 0));
        assert!(!told("add-learner refused", TELL_AGAIN_AFTER, 59));
        assert!(told("add-learner refused", TELL_AGAIN_AFTER, 60));
        assert!(told("start-member", DONE_AGAIN_AFTER, 100));
        assert!(!told("start-member", DONE_AGAIN_AFTER, 101), "a step that changes nothing floods the journal");
        assert!(told("start-member", DONE_AGAIN_AFTER, 103));
    }
}
