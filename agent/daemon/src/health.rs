//! What load balancers ask: plain `/readyz`, `/leader` and `/livez`, 200 or 503, with the reason in the body.
//!
//! Only `/livez` may ever decide whether an instance lives: with quorum lost `/readyz` is 503 on every member, and to terminate them for that would end a
//! cluster that only waits.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use quorate_core::observation::Process;
use quorate_core::report::Phase;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;

use crate::clock::Clock;
use crate::cycle::{Cycle, LastCycle};

/// The routes.
pub fn router(cycles: LastCycle, clock: Clock) -> Router {
    let source = Source { cycles, clock };
    Router::new()
        .route("/readyz", get(async |State(source): State<Source>| source.answer(ready)))
        .route("/livez", get(async |State(source): State<Source>| source.answer(lives)))
        .route("/leader", get(async |State(source): State<Source>| source.answer(leads)))
        .with_state(source)
}

#[derive(Clone)]
struct Source {
    cycles: LastCycle,
    clock: Clock,
}

impl Source {
    fn answer(&self, judge: fn(&Cycle, Timestamp) -> Result<String, String>) -> (StatusCode, String) {
        let judged = match &*self.cycles.borrow() {
            Some(cycle) => judge(cycle, self.clock.now()),
            None => Err("the agent has only just started".to_owned()),
        };
        match judged {
            Ok(message) => (StatusCode::OK, message + "\n"),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
        }
    }
}

/// The agent goes through its cycles, whatever they come to.
fn lives(cycle: &Cycle, now: Timestamp) -> Result<String, String> {
    match cycle.age_if_old(now) {
        Some(age) => Err(format!("the agent has not looked for {} s", age.as_secs())),
        None => Ok(cycle.plan.report.to_string()),
    }
}

/// Whether clients may be sent here. An etcd or a server must vote, answer and know a leader, and a quorum must answer. A worker's Node must be ready. None of
/// them may be on its way out.
fn ready(cycle: &Cycle, now: Timestamp) -> Result<String, String> {
    lives(cycle, now)?;
    let report = &cycle.plan.report;
    let serves = match cycle.seen.me.role {
        Role::Etcd | Role::ControlPlane => report.phase == Phase::Voter && member_serves(cycle),
        Role::Worker => report.phase == Phase::Worker && node_is_ready(cycle),
    };
    if cycle.memory.leaving.is_some() || !serves {
        return Err(report.to_string());
    }
    Ok(report.to_string())
}

/// Whether it is ready and its member leads.
fn leads(cycle: &Cycle, now: Timestamp) -> Result<String, String> {
    ready(cycle, now).and_then(|message| if cycle.leads() { Ok(message) } else { Err(message) })
}

fn member_serves(cycle: &Cycle) -> bool {
    let seen = &cycle.seen;
    let open = matches!(seen.local.process.fresh(), Some(Process::Running { loopback_only: false, .. }));
    let own = seen.etcd.membership.fresh().and_then(|m| m.voters().find(|v| v.name.as_ref() == Some(&seen.me.instance)));
    open && own.is_some_and(|member| cycle.is_healthy(member.id))
}

fn node_is_ready(cycle: &Cycle) -> bool {
    cycle.seen.kubernetes.node.fresh().is_some_and(|node| node.as_ref().is_some_and(|node| node.ready))
}
