//! What the last cycle says, as gauges.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use quorate_core::observation::{Alarm, Membership};
use quorate_core::report::Phase;
use quorate_core::sources::Source;
use quorate_core::time::Timestamp;

use crate::cycle::{Cycle, LastCycle};

/// Reads the last cycle on request; before the first one has finished there are no values.
#[derive(Debug)]
pub(super) struct Gauges {
    cycles: LastCycle,
}

impl Gauges {
    pub(super) fn new(cycles: LastCycle) -> Self {
        Self { cycles }
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(cycle) = self.cycles.borrow().clone() else { return Ok(()) };
        let mut writer = Writer { encoder: &mut encoder };
        identity(&mut writer, &cycle)?;
        decision(&mut writer, &cycle)?;
        membership(&mut writer, &cycle)?;
        charter(&mut writer, &cycle)?;
        certificates(&mut writer, &cycle)?;
        writer.sources(&cycle)?;
        snapshots(&mut writer, &cycle)
    }
}

fn identity(w: &mut Writer<'_, '_>, cycle: &Cycle) -> Result<(), Error> {
    let me = &cycle.seen.me;
    let labels = vec![
        ("instance_id", me.instance.to_string()),
        ("cluster", me.cluster.to_string()),
        ("group", me.group.to_string()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    w.metric("agent", "The agent and what it belongs to", &Info::new(labels))
}

fn decision(w: &mut Writer<'_, '_>, cycle: &Cycle) -> Result<(), Error> {
    let report = &cycle.plan.report;
    w.phases(report.phase)?;
    w.flag("needs_operator", "1 while nothing more is done before an operator has acted", report.needs_operator)?;
    w.waits(cycle)?;
    let paused = cycle.memory.kept.pausing.in_force().is_some();
    w.flag("paused", "1 while an operator has paused this node or its cluster", paused)?;
    w.moment("decision_since_timestamp_seconds", "Since when the decision has been the same", Some(cycle.since))?;
    w.moment("last_cycle_timestamp_seconds", "When the last cycle decided", Some(cycle.at))?;
    w.moment(
        "leaving_since_timestamp_seconds",
        "Since when this node has been leaving; absent while it stays",
        cycle.memory.leaving_since(),
    )?;
    let until = report.until.filter(|_| cycle.memory.leaving.is_some());
    w.moment("leave_deadline_timestamp_seconds", "When its leave must have ended; absent while it stays or has no deadline", until)?;
    w.counter("aws_questions", "Questions put to the AWS control plane", cycle.memory.asked.count)
}

fn membership(w: &mut Writer<'_, '_>, cycle: &Cycle) -> Result<(), Error> {
    let etcd = &cycle.seen.etcd;
    let fresh = etcd.membership.fresh();
    let count = |of: fn(&Membership) -> usize| fresh.map(|m| number(of(m)));
    let healthy = |m: &Membership| m.voters().filter(|v| cycle.is_healthy(v.id)).count();
    w.flag("has_quorum", "1 while a quorum of etcd answers this node", fresh.is_some())?;
    w.value("voters", "Voting members; absent while no quorum answers", count(|m| m.voters().count()))?;
    w.value("learners", "Members without a vote; absent while no quorum answers", count(|m| m.members.len() - m.voters().count()))?;
    w.value("voters_healthy", "Voters that answer and know a leader; absent while no quorum answers", fresh.map(|m| number(healthy(m))))?;
    w.alarms(cycle)?;
    let strangers = "Members that belong to no node of this cluster; absent while no quorum answers";
    w.value("strangers", strangers, fresh.map(|_| number(cycle.situation().strangers().count())))?;
    w.value("voters_wanted", "Desired capacity of the cluster's groups; absent while it is not known", wanted(cycle))?;
    w.flag("leads", "1 while this node's member is the leader, by a quorum's word", cycle.leads())
}

fn charter(w: &mut Writer<'_, '_>, cycle: &Cycle) -> Result<(), Error> {
    let record = cycle.memory.kept.record.as_ref();
    w.flag("store_readable", "1 while the store of the charter can be read", cycle.seen.store.fresh().is_some())?;
    w.value("charter_record_number", "Number of the highest charter record known", record.map(|r| float(r.number)))?;
    w.value("charter_generation", "Generation of the cluster by that record", record.map(|r| float(r.generation.0)))
}

fn certificates(w: &mut Writer<'_, '_>, cycle: &Cycle) -> Result<(), Error> {
    let own = cycle.seen.local.certificates.last().filter(|_| cycle.has_tls());
    w.moment(
        "certificates_expire_timestamp_seconds",
        "When this node's certificates end; absent where it has none, or its cluster has no TLS",
        own.map(|own| own.not_after),
    )
}

fn snapshots(w: &mut Writer<'_, '_>, cycle: &Cycle) -> Result<(), Error> {
    let situation = cycle.situation();
    let wanted = situation.record_to_snapshot();
    let listing = cycle.seen.snapshots.stored.last();
    let newest = wanted.and_then(|r| listing?.newest_of(r.generation, r.etcd_cluster?));
    w.moment(
        "snapshot_newest_timestamp_seconds",
        "When the store got the newest snapshot of the current generation, by its own clock; absent if none is known",
        newest.map(|s| s.stored_at),
    )?;
    w.value("snapshot_newest_revision", "The last revision in it", newest.map(|s| float(s.manifest.revision)))?;
    w.value(
        "snapshots_stored",
        "Snapshots in the store, of all generations; absent while it was not listed",
        listing.map(|l| number(l.snapshots.len())),
    )?;
    let interval = wanted.map(|_| cycle.policy.snapshots.interval.as_secs_f64());
    w.value("snapshot_interval_seconds", "One snapshot so often; absent where none are taken", interval)?;
    w.flag("snapshot_overdue", "1 while the newest snapshot is older than twice its interval", situation.snapshot_overdue().is_some())?;
    drills(w, cycle)
}

fn drills(w: &mut Writer<'_, '_>, cycle: &Cycle) -> Result<(), Error> {
    let drills = &cycle.seen.snapshots.drills;
    let proved = drills.proved.as_ref();
    w.moment(
        "snapshot_drill_timestamp_seconds",
        "When a snapshot was last restored on trial here with success; absent if none is known",
        proved.map(|drilled| drilled.at),
    )?;
    w.value("snapshot_drill_revision", "The last revision in it", proved.map(|drilled| float(drilled.revision)))?;
    let failed = drills.last.as_ref().is_some_and(|drilled| drilled.failed.is_some());
    w.flag("snapshot_drill_failed", "1 while the last restore on trial here failed", failed)?;
    w.counter("snapshot_drill_failures", "Restores on trial that failed", drills.failures)?;
    let overdue = cycle.situation().drill_overdue().is_some();
    w.flag("snapshot_drill_overdue", "1 where they are due and none has succeeded for twice their interval", overdue)
}

fn wanted(cycle: &Cycle) -> Option<f64> {
    let groups = cycle.seen.cloud.groups.last()?;
    let sum: usize = groups.iter().map(|group| group.desired as usize).sum();
    Some(number(sum.min(cycle.policy.max_voters)))
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts and record numbers stay far below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}

fn number(value: usize) -> f64 {
    float(value as u64)
}

struct Writer<'w, 'e> {
    encoder: &'w mut DescriptorEncoder<'e>,
}

impl Writer<'_, '_> {
    fn metric(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> Result<(), Error> {
        metric.encode(self.encoder.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    /// Writes one gauge. Without a value it has only a description: absent is not zero.
    fn value(&mut self, name: &str, help: &str, value: Option<f64>) -> Result<(), Error> {
        let described = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        value.map_or(Ok(()), |value| ConstGauge::new(value).encode(described))
    }

    fn flag(&mut self, name: &str, help: &str, set: bool) -> Result<(), Error> {
        self.value(name, help, Some(f64::from(u8::from(set))))
    }

    fn moment(&mut self, name: &str, help: &str, at: Option<Timestamp>) -> Result<(), Error> {
        self.value(name, help, at.map(|at| float(at.0) / 1000.0))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        self.metric(name, help, &ConstCounter::new(value))
    }

    /// One series for each source that was asked.
    fn sources(&mut self, cycle: &Cycle) -> Result<(), Error> {
        let help = "1 while this source of knowledge can be read, 0 while it stays unreadable; absent if it was never asked";
        let mut described = self.encoder.encode_descriptor("source_readable", help, None, MetricType::Gauge)?;
        let sources = &cycle.memory.sources;
        Source::ALL.into_iter().filter_map(|source| Some((source, sources.is_readable(source, cycle.at)?))).try_for_each(
            |(source, readable)| {
                let value = ConstGauge::new(i64::from(readable));
                value.encode(described.encode_family(&[("source", source.label())])?)
            },
        )
    }

    /// One series for each alarm of etcd, which is 1 while any member reports it.
    fn alarms(&mut self, cycle: &Cycle) -> Result<(), Error> {
        let help = "1 while a member of etcd reports this alarm";
        let mut described = self.encoder.encode_descriptor("etcd_alarm", help, None, MetricType::Gauge)?;
        let situation = cycle.situation();
        [("NOSPACE", Alarm::NoSpace), ("CORRUPT", Alarm::Corrupt)].into_iter().try_for_each(|(name, alarm)| {
            let value = ConstGauge::new(i64::from(situation.has_alarm(alarm)));
            value.encode(described.encode_family(&[("alarm", name)])?)
        })
    }

    /// One series for what is awaited, in seconds, and one for a wait that has taken too long.
    fn waits(&mut self, cycle: &Cycle) -> Result<(), Error> {
        let help = "For how many seconds this node has waited, by what it waits for; absent while it waits for nothing";
        let mut described = self.encoder.encode_descriptor("wait_seconds", help, None, MetricType::Gauge)?;
        if let Some(awaits) = cycle.plan.report.awaits {
            let since = cycle.memory.waits.get(&awaits.reason).map_or(cycle.at, |waited| waited.since);
            let value = ConstGauge::new(cycle.at.since(since).as_secs_f64());
            value.encode(described.encode_family(&[("reason", awaits.reason.name())])?)?;
        }
        let help = "1 for a wait that has outlasted its patience, by what is awaited; absent while there is none";
        let mut described = self.encoder.encode_descriptor("wait_overdue", help, None, MetricType::Gauge)?;
        match cycle.plan.report.overdue {
            Some((reason, _)) => ConstGauge::new(1_i64).encode(described.encode_family(&[("reason", reason.name())])?),
            None => Ok(()),
        }
    }

    /// One series for each phase, one of which is 1: a phase that has ended does not linger.
    fn phases(&mut self, now: Phase) -> Result<(), Error> {
        let mut described = self.encoder.encode_descriptor("phase", "1 for the phase that this node is in", None, MetricType::Gauge)?;
        Phase::ALL.into_iter().try_for_each(|phase| {
            let value = ConstGauge::new(i64::from(phase == now));
            value.encode(described.encode_family(&[("phase", phase.to_string())])?)
        })
    }
}
