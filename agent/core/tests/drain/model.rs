//! A model of an API server with one node, its pods and their disruption budgets.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::drain::{self, Ending, Escalation, Limits, Owner, Pod, Progress, Step, Verdict, View};
use quorate_core::ids::PodId;
use quorate_core::plan::Outcome;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

/// What a pod's disruption budget says to an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    /// Yes.
    Allows,
    /// 429, always.
    Never,
    /// 429 until then.
    From(Duration),
    /// 500 for ever: two budgets match the pod.
    Broken,
}

/// A pod and its budget.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pod: Pod,
    budget: Budget,
}

impl Spec {
    pub(crate) fn new(n: u64) -> Self {
        let text = |s: String| Arc::from(s.as_str());
        let id = PodId { namespace: text("default".into()), name: text(format!("pod-{n}")), uid: text(format!("uid-{n}")) };
        let pod = Pod {
            id,
            owner: Owner::Controller,
            mirror: false,
            finished: false,
            critical: false,
            local_data: false,
            grace: Duration::from_secs(5),
            deleted_at: None,
        };
        Self { pod, budget: Budget::Allows }
    }

    pub(crate) fn grace(mut self, seconds: u64) -> Self {
        self.pod.grace = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn owner(mut self, owner: Owner) -> Self {
        self.pod.owner = owner;
        self
    }

    pub(crate) fn mirror(mut self) -> Self {
        self.pod.mirror = true;
        self
    }

    pub(crate) fn finished(mut self) -> Self {
        self.pod.finished = true;
        self
    }

    pub(crate) fn critical(mut self) -> Self {
        self.pod.critical = true;
        self
    }

    pub(crate) fn local_data(mut self) -> Self {
        self.pod.local_data = true;
        self
    }

    pub(crate) fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// How a drain ended.
pub(crate) struct End {
    pub(crate) done: bool,
    pub(crate) message: String,
    pub(crate) took: Duration,
}

struct Bound {
    spec: Spec,
    gone_at: Option<Timestamp>,
}

pub(crate) struct Api {
    now: Timestamp,
    schedulable: Option<bool>,
    pods: Vec<Bound>,
    arrivals: Vec<(Timestamp, Spec)>,
    away: Vec<Range<Timestamp>>,
    last: Option<(Vec<Pod>, Timestamp)>,
    pub(crate) steps: Vec<Step>,
    /// What was done although it never should be.
    pub(crate) wrongs: Vec<String>,
}

const START: Timestamp = Timestamp(1_000_000);

pub(crate) fn limits(budget: Duration, escalation: Escalation) -> Limits {
    Limits { end: START + budget, retry: Duration::from_secs(5), batch: 100, patience_without_api: Duration::from_secs(30), escalation }
}

impl Api {
    /// Pods of the same name are the same pod.
    pub(crate) fn new(specs: impl IntoIterator<Item = Spec>, schedulable: bool) -> Self {
        let mut pods: Vec<Bound> = Vec::new();
        for spec in specs {
            if pods.iter().all(|bound| bound.spec.pod.id != spec.pod.id) {
                pods.push(Bound { spec, gone_at: None });
            }
        }
        Self {
            now: START,
            schedulable: Some(schedulable),
            pods,
            arrivals: Vec::new(),
            away: Vec::new(),
            last: None,
            steps: Vec::new(),
            wrongs: Vec::new(),
        }
    }

    pub(crate) fn arrives(&mut self, after: Duration, spec: Spec) {
        self.arrivals.push((START + after, spec));
    }

    pub(crate) fn away(&mut self, during: Range<Duration>) {
        self.away.push(START + during.start..START + during.end);
    }

    pub(crate) fn without_node(&mut self) {
        self.schedulable = None;
    }

    pub(crate) fn left(&self) -> Vec<&str> {
        self.pods.iter().map(|bound| &*bound.spec.pod.id.name).collect()
    }

    /// Runs until the drain says that it has ended, with a look each second and after each step.
    pub(crate) fn drain(&mut self, limits: &Limits) -> End {
        let mut progress = Progress::new(self.now);
        loop {
            self.pass();
            let view = self.view();
            progress.absorb(&view);
            let took = self.now.since(START);
            match drain::plan(&view, &progress, limits, self.now) {
                Verdict::Done { message } => return End { done: true, message, took },
                Verdict::GaveUp { message } => return End { done: false, message, took },
                Verdict::Goes { step: Some(step), .. } => {
                    self.take(&step, &mut progress, limits);
                    self.now = self.now + Duration::from_millis(50);
                }
                Verdict::Goes { step: None, .. } => self.now = self.now + Duration::from_secs(1),
            }
            assert!(took < Duration::from_secs(7200), "the drain never ends");
        }
    }

    fn is_away(&self) -> bool {
        self.away.iter().any(|span| span.contains(&self.now))
    }

    fn pass(&mut self) {
        let now = self.now;
        self.pods.retain(|bound| bound.gone_at.is_none_or(|at| at > now));
        let (due, later) = std::mem::take(&mut self.arrivals).into_iter().partition(|(at, _)| *at <= now);
        self.arrivals = later;
        self.pods.extend(Vec::into_iter(due).map(|(_, spec)| Bound { spec, gone_at: None }));
    }

    fn view(&mut self) -> View {
        if self.is_away() {
            let stale = self.last.clone().map(|(pods, at)| Reading::Stale(pods, at));
            return View {
                schedulable: Reading::unknown("connection refused"),
                pods: stale.unwrap_or_else(|| Reading::unknown("connection refused")),
            };
        }
        let pods: Vec<Pod> = self.pods.iter().map(|bound| bound.spec.pod.clone()).collect();
        self.last = Some((pods.clone(), self.now));
        View { schedulable: Reading::Fresh(self.schedulable, self.now), pods: Reading::Fresh(pods, self.now) }
    }

    fn take(&mut self, step: &Step, progress: &mut Progress, limits: &Limits) {
        if self.is_away() {
            self.wrongs.push(format!("{step:?} on an old list"));
        }
        if self.now >= limits.end {
            self.wrongs.push(format!("{step:?} after the end"));
        }
        match step {
            Step::Cordon => self.schedulable = self.schedulable.map(|_| false),
            Step::Evict(endings) => self.end(endings, false, progress),
            Step::Delete(endings) => self.end(endings, true, progress),
        }
        self.steps.push(step.clone());
    }

    fn end(&mut self, endings: &[Ending], past_budget: bool, progress: &mut Progress) {
        if self.schedulable == Some(true) {
            self.wrongs.push("a pod was to end before the node was cordoned".to_owned());
        }
        for ending in endings {
            let outcome = self.end_one(ending, past_budget);
            progress.note(ending, &outcome, self.now);
        }
    }

    fn end_one(&mut self, ending: &Ending, past_budget: bool) -> Outcome {
        let now = self.now;
        let Some(bound) = self.pods.iter_mut().find(|bound| bound.spec.pod.id == ending.pod) else { return Outcome::Done };
        let pod = &mut bound.spec.pod;
        if pod.mirror || (pod.owner == Owner::DaemonSet && !pod.finished) {
            self.wrongs.push(format!("{} was to end", pod.id));
            return Outcome::Done;
        }
        let refused = match bound.spec.budget {
            _ if past_budget => None,
            Budget::Allows => None,
            Budget::From(after) if now >= START + after => None,
            Budget::From(_) | Budget::Never => Some("429 Too Many Requests"),
            Budget::Broken => Some("500 This pod has more than one PodDisruptionBudget"),
        };
        if let Some(why) = refused {
            return Outcome::Refused(why.to_owned());
        }
        let grace = ending.grace.unwrap_or(pod.grace).min(pod.grace);
        pod.deleted_at.get_or_insert(now);
        bound.gone_at.get_or_insert(now + grace);
        Outcome::Done
    }
}
