//! The demo: a group forms its cluster, is rolled under load, survives a kill and is scaled in; then the verdict.

pub mod figures;
pub mod floor;
pub mod footprint;
pub mod load;
pub mod plane;
pub mod replacement;
pub mod steady;
pub mod story;
pub mod timeline;
pub mod verdict;

use std::path::{Path, PathBuf};

use anyhow::Context;
use quorate_core::role::Role;

use crate::lab::writer::{Label, Written};
use crate::lab::{AgentSettings, Lab, LabOptions, binaries};
use figures::{Actions, Figures};
use floor::Floor;
use footprint::Footprint;
use load::Load;
use story::{Refresh, Story};
use timeline::{Timeline, seconds};
use verdict::Kind;

/// What the demo is run with.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// How many instances; of a control plane, how many servers.
    pub size: u8,
    /// What they are: etcd members, or servers of a control plane, with workers beside them.
    pub role: Role,
    /// etcd.
    pub etcd: Option<PathBuf>,
    /// Where the figures are written as JSON; `-` is standard output.
    pub json: Option<PathBuf>,
    /// A missed timing is a failure too.
    pub strict: bool,
    /// The agents' `timing.prune_grace_s`.
    pub prune_grace_s: u16,
}

/// The results of the acts.
struct Told {
    bootstrap: std::time::Duration,
    footprints: Vec<Footprint>,
    refresh: Refresh,
    kill_replaced: std::time::Duration,
    written: Written,
    lost: usize,
}

/// The agents have their defaults, except for the wait on a dead instance: a minute of silence would be most of the demo.
fn settings(options: &DemoOptions) -> AgentSettings {
    AgentSettings::defaults().number("timing.prune_grace_s", options.prune_grace_s)
}

/// Runs the demo; returns whether its safety promises held, and if it is strict, whether all did.
///
/// # Errors
/// It could not be run to its end.
pub async fn run(options: &DemoOptions) -> anyhow::Result<bool> {
    let aside = options.json.as_deref() == Some(Path::new("-"));
    let timeline = Timeline::begin(aside);
    let watch = load::Watch::begin()?;
    if options.role == Role::ControlPlane {
        return plane::run(options, &timeline, &watch).await;
    }
    let etcd = binaries::etcd(options.etcd.as_deref())?;
    let version = binaries::etcd_version(&etcd).await?;
    timeline.line(format_args!("A group of {} instances with etcd {version}, in a simulated region.", options.size));
    let floor = timeline.during("the floor: etcd alone", String::new, floor::measure(Some(&etcd), options.size)).await?;
    timeline.tell(format_args!(
        "the floor, etcd alone: {} to bootstrap, {} for a replacement",
        seconds(floor.bootstrap),
        seconds(floor.replace)
    ));
    let calls = timeline.during("24 virtual hours in the simulator", String::new, steady::calls_per_node_and_hour()).await?;
    timeline.tell(format_args!("24 virtual hours: {calls:.1} AWS calls per node and hour"));
    let lab = Lab::start(LabOptions { settings: settings(options), ..LabOptions::new(Some(&etcd))? }).await?;
    let story = Story::begin(&lab, u32::from(options.size), &timeline)?;
    let told = acts(&story, usize::from(options.size), options.prune_grace_s).await?;
    let measured = Measured { etcd_version: version, floor, calls, machine: watch.load()? };
    let mut figures = figures(&story, options, measured, &told);
    let promises = verdict::promises(&figures);
    (figures.safety_held, figures.timing_held) = (verdict::held(&promises, Kind::Safety), verdict::held(&promises, Kind::Timing));
    verdict::show(&promises, &figures.machine, &timeline);
    if let Some(path) = &options.json {
        crate::output::json(path, &figures)?;
    }
    Ok(verdict::passes(&promises, options.strict))
}

async fn acts(story: &Story<'_>, size: usize, grace: u16) -> anyhow::Result<Told> {
    let tell = |what: String| story.timeline.tell(what);
    let bootstrap = story.bootstrap().await?;
    tell(format!("{size} instances vote, {} after the first agent started", seconds(bootstrap)));
    let writer = story.write().await?;
    tell("the write load is on".to_owned());
    let footprints = story.quiet(&writer).await?;
    tell("the agents were watched at rest".to_owned());
    let refresh = story.refresh(&writer).await?;
    tell(format!("every instance was replaced, in {}", seconds(refresh.took)));
    let kill_replaced = story.kill(&writer).await?;
    tell(format!("it is replaced, {} after it died (timing.prune_grace_s = {grace}; by default 60)", seconds(kill_replaced)));
    let left = size.saturating_sub(2).max(1);
    if left < size {
        story.scale_in(left, &writer).await?;
        tell(format!("scaled in to {left}"));
    }
    let written = writer.stop().await;
    story.lab.settled(&story.group, left, std::time::Duration::from_secs(60), None).await.context("after the scale-in")?;
    let addresses: Vec<_> = story.lab.live(&story.group).iter().filter_map(|one| story.lab.address(one).ok()).collect();
    let lost = written.lost(&addresses).await?.len();
    Ok(Told { bootstrap, footprints, refresh, kill_replaced, written, lost })
}

/// What was measured beside the acts.
struct Measured {
    etcd_version: String,
    floor: Floor,
    calls: f64,
    machine: Load,
}

fn figures(story: &Story<'_>, options: &DemoOptions, measured: Measured, told: &Told) -> Figures {
    let Measured { etcd_version, floor, calls, machine } = measured;
    let seen = story.witness.sightings();
    let actions = story.lab.region().lock().action_statistics();
    let gap = |label| told.written.longest(label).map(|gap| gap.length).unwrap_or_default();
    let replacements = &told.refresh.replacements;
    Figures {
        etcd_version,
        size: u32::from(options.size),
        bootstrap: told.bootstrap,
        bootstrap_floor: floor.bootstrap,
        replace: replacements.iter().map(|one| one.join + one.leave).collect(),
        replace_join: replacements.iter().map(|one| one.join).collect(),
        replace_leave: replacements.iter().map(|one| one.leave).collect(),
        replace_floor: floor.replace,
        refresh: told.refresh.took,
        prune_grace_s: options.prune_grace_s,
        kill_replaced: told.kill_replaced,
        acked_writes: told.written.acked(),
        lost_writes: told.lost,
        failed_writes: told.written.failed(),
        hedged_writes: told.written.hedged(),
        gap_graceful: gap(Label::Graceful),
        gap_kill: gap(Label::Kill),
        cluster_ids: seen.clusters.iter().map(ToString::to_string).collect(),
        min_voters: seen.fewest_voters,
        min_voters_refresh: told.refresh.fewest,
        lifecycle_actions: Actions {
            opened: actions.opened,
            completed: actions.completed,
            abandoned: actions.abandoned,
            timed_out: actions.timed_out,
            tried_again: actions.tried_again,
        },
        aws_calls_per_node_per_hour_steady: Some(calls),
        agent_rss_kib: told.footprints.iter().flat_map(|one| one.rss_kib).collect(),
        agent_cpu_permille: told.footprints.iter().map(|one| one.cpu_permille).collect(),
        safety_held: false,
        timing_held: false,
        machine,
    }
}
