//! The distribution's unit: whether it exists, has the drop-in that lets only the agent start it, and runs what the settings say.

use std::path::{Path, PathBuf};

use crate::adapters::distribution::Distribution;
use crate::adapters::distribution::permit;
use crate::adapters::service_manager::left;
use crate::check::etcd::ExecStart;
use crate::check::finding::Finding;
use crate::config::Settings;
use crate::systemd::{Bus, Properties};
use crate::telemetry::chain;

use super::refused;

/// What the drop-in should contain.
#[derive(Clone, Debug)]
struct Wanted {
    permit: PathBuf,
    left: PathBuf,
    /// The agent has written the permit.
    is_permitted: bool,
}

/// Everything about it.
pub(super) async fn check(name: &str, distribution: &dyn Distribution, settings: &Settings, bus: Option<&Bus>) -> Vec<Finding> {
    let Some(bus) = bus else {
        return vec![Finding::problem(name, "systemd does not run here", "set service.manager = \"exec\", or boot with systemd")];
    };
    let unit = match Properties::of(bus, name).await {
        Err(error) => return vec![Finding::skipped(name, chain(&error))],
        Ok(properties) => Unit::of(&properties),
    };
    let permit = permit(distribution, &settings.paths.run_dir);
    let wanted = Wanted { is_permitted: permit.exists(), permit, left: left(&settings.paths.state_dir) };
    let judged = judge(name, &unit, &wanted);
    let is_there = unit.load == "loaded";
    let runs = is_there.then(|| runs(name, &unit.command, distribution)).flatten();
    [judged].into_iter().chain(runs).collect()
}

/// `Condition...=` of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::check) struct Conditions(Vec<(bool, PathBuf)>);

/// A condition as the bus has it: its kind, whether it is one of several of which one is enough, whether it is negated, its value, and its last result.
type Condition = (String, bool, bool, String, i32);

impl Conditions {
    pub(in crate::check) fn of(properties: &Properties) -> Self {
        let all: Vec<Condition> = properties.get("Conditions").unwrap_or_default();
        let path =
            |(kind, either, negated, value, _): Condition| (kind == "ConditionPathExists" && !either).then(|| (negated, value.into()));
        Self(all.into_iter().filter_map(path).collect())
    }

    /// Whether the unit starts only while this file exists.
    pub(in crate::check) fn name(&self, file: &Path) -> bool {
        self.0.iter().any(|(negated, path)| !negated && path == file)
    }

    /// Whether the unit starts only while this file does not exist.
    fn exclude(&self, file: &Path) -> bool {
        self.0.iter().any(|(negated, path)| *negated && path == file)
    }
}

/// What systemd says of a unit.
#[derive(Clone, Debug, Default)]
struct Unit {
    load: String,
    file: String,
    active: String,
    restart: String,
    conditions: Conditions,
    is_stale: bool,
    command: Vec<String>,
}

impl Unit {
    fn of(properties: &Properties) -> Self {
        let text = |name| properties.text(name);
        let commands: ExecStart = properties.get("ExecStart").unwrap_or_default();
        Self {
            load: text("LoadState"),
            file: text("UnitFileState"),
            active: text("ActiveState"),
            restart: text("Restart"),
            conditions: Conditions::of(properties),
            is_stale: properties.get("NeedDaemonReload").unwrap_or_default(),
            command: commands
                .into_iter()
                .next()
                .map(|(path, words, ..)| [path].into_iter().chain(words.into_iter().skip(1)).collect())
                .unwrap_or_default(),
        }
    }

    /// What the drop-in lacks.
    fn lacks(&self, wanted: &Wanted) -> Vec<String> {
        let lacks = [
            (!self.conditions.name(&wanted.permit), format!("ConditionPathExists={}", wanted.permit.display())),
            (!self.conditions.exclude(&wanted.left), format!("ConditionPathExists=!{}", wanted.left.display())),
            (self.restart != "no", format!("Restart=no (it is {})", self.restart)),
        ];
        lacks.into_iter().filter_map(|(lacks, what)| lacks.then_some(what)).collect()
    }
}

fn judge(name: &str, unit: &Unit, wanted: &Wanted) -> Finding {
    if unit.load != "loaded" {
        let remedy = format!("install it, unmask it, or name the unit that runs it as service.unit; `systemctl status {name}` tells more");
        return Finding::problem(name, format!("it is {}", unit.load), remedy);
    }
    let lacks = unit.lacks(wanted);
    if !lacks.is_empty() {
        let found = format!(
            "it lacks {}: something other than quorate may start it, with another server's or no server's address",
            lacks.join(" and ")
        );
        return Finding::problem(name, found, drop_in(name, unit));
    }
    if matches!(unit.active.as_str(), "active" | "activating" | "reloading") && !wanted.is_permitted {
        let found = format!("it is {}, and quorate did not start it: {} is not there", unit.active, wanted.permit.display());
        return Finding::problem(name, found, format!("systemctl stop {name}; quorate starts it as its charter says"));
    }
    let harmless = "; it starts only while quorate permits it, so being enabled changes nothing";
    let note = if unit.file.starts_with("enabled") { harmless } else { "" };
    Finding::ok(name, format!("{}, {}{note}", unit.file, unit.active))
}

fn drop_in(name: &str, unit: &Unit) -> String {
    match unit.is_stale {
        true => "systemctl daemon-reload: its files have changed since systemd read them".to_owned(),
        false => {
            let path = format!("/usr/lib/systemd/system/{name}.d/10-quorate.conf");
            format!(
                "install the package's drop-in {path}, make sure that none in /etc or /run replaces it, and run systemctl daemon-reload"
            )
        }
    }
}

/// Compares what the unit runs with the settings: a flag takes precedence over every file.
fn runs(name: &str, command: &[String], distribution: &dyn Distribution) -> Option<Finding> {
    let what = format!("{name} command");
    // If the bus does not say, there is nothing to report.
    let (program, rest) = command.split_first()?;
    let wanted = distribution.arguments();
    let role = wanted.first()?.to_string_lossy();
    let Some((_, arguments)) = rest.split_first().filter(|(first, _)| **first == *role) else {
        let remedy = format!("install the unit again for this role: it has to run `{} {role}`", distribution.name());
        return Some(Finding::problem(what, format!("it runs {}", command.join(" ")), remedy));
    };
    if let Err(error) = distribution.check_arguments(name, arguments) {
        return Some(refused(what, &error));
    }
    let another = Path::new(program) != distribution.binary();
    another.then(|| {
        let found = format!("it runs {program}, but kubernetes.binary is {}", distribution.binary().display());
        Finding::warning(what, found, "make both the same: the release shown here is that of kubernetes.binary")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Warning};
    use crate::check::node::Node;
    use quorate_core::role::Role;

    fn wanted(is_permitted: bool) -> Wanted {
        Wanted { permit: "/run/quorate/k3s.permit".into(), left: "/var/lib/quorate/left".into(), is_permitted }
    }

    fn good() -> Unit {
        let condition = |negated, path: &str| (negated, PathBuf::from(path));
        Unit {
            load: "loaded".into(),
            file: "disabled".into(),
            active: "inactive".into(),
            restart: "no".into(),
            conditions: Conditions(vec![condition(false, "/run/quorate/k3s.permit"), condition(true, "/var/lib/quorate/left")]),
            is_stale: false,
            command: vec![],
        }
    }

    fn of(unit: &Unit) -> Verdict {
        judge("k3s.service", unit, &wanted(true)).verdict
    }

    #[test]
    fn a_unit_with_our_drop_in_is_well_and_may_be_enabled() {
        assert_eq!(of(&good()), Fine);
        let enabled = judge("k3s.service", &Unit { file: "enabled".into(), ..good() }, &wanted(true));
        assert!(enabled.verdict == Fine && enabled.found.contains("being enabled changes nothing"), "{enabled:?}");
        assert_eq!(of(&Unit { load: "not-found".into(), ..good() }), Problem);
        assert_eq!(of(&Unit { load: "masked".into(), ..good() }), Problem);
    }

    #[test]
    fn each_part_of_the_drop_in_is_missed() {
        let without = |at: usize| {
            let mut unit = good();
            unit.conditions.0.remove(at);
            judge("k3s.service", &unit, &wanted(true))
        };
        for (found, lacks) in [
            (without(0), "lacks ConditionPathExists=/run/quorate/k3s.permit:"),
            (without(1), "lacks ConditionPathExists=!/var/lib/quorate/left:"),
            (judge("k3s.service", &Unit { restart: "always".into(), ..good() }, &wanted(true)), "lacks Restart=no (it is always):"),
        ] {
            assert!(found.verdict == Problem && found.found.contains(lacks), "{found:?}");
            assert!(found.remedy.unwrap().contains("k3s.service.d/10-quorate.conf"));
        }
        let mut swapped = good();
        swapped.conditions.0.iter_mut().for_each(|(negated, _)| *negated = !*negated);
        assert_eq!(of(&swapped), Problem);
        let stale = judge("k3s.service", &Unit { restart: "always".into(), is_stale: true, ..good() }, &wanted(true));
        assert!(stale.remedy.unwrap().starts_with("systemctl daemon-reload"));
    }

    #[test]
    fn conditions_are_read_as_the_bus_has_them() {
        let condition = |kind: &str, either, negated| (kind.to_owned(), either, negated, "/run/quorate/k3s.permit".to_owned(), 0);
        let of = |condition: Condition| Conditions::of(&Properties::only("Conditions", zbus::Variant::new(vec![condition])));
        let permit = &wanted(true).permit;
        let plain = of(condition("ConditionPathExists", false, false));
        assert!(plain.name(permit) && !plain.exclude(permit) && !plain.name(Path::new("/run/other")));
        let negated = of(condition("ConditionPathExists", false, true));
        assert!(!negated.name(permit) && negated.exclude(permit));
        for other in [condition("ConditionPathExists", true, false), condition("ConditionPathIsDirectory", false, false)] {
            assert!(!of(other.clone()).name(permit), "{other:?}");
        }
    }

    #[test]
    fn one_that_runs_without_a_permit_was_started_by_somebody_else() {
        let running = Unit { active: "active".into(), ..good() };
        let verdict = |is_permitted| judge("k3s.service", &running, &wanted(is_permitted)).verdict;
        assert_eq!((verdict(true), verdict(false)), (Fine, Problem));
        assert_eq!(judge("k3s.service", &good(), &wanted(false)).verdict, Fine, "before the first start there is none");
    }

    #[test]
    fn a_unit_runs_the_program_of_its_role_without_a_word_on_the_cluster() {
        let settings = Settings::parse("").unwrap();
        let verdict = |role, line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            runs("x.service", &words, &*Node::of(role, &settings).distribution.unwrap()).map(|found| found.verdict)
        };
        assert_eq!(verdict(Role::ControlPlane, "/usr/local/bin/k3s server"), None);
        assert_eq!(verdict(Role::Worker, "/usr/local/bin/k3s agent --config /etc/rancher/k3s/config.yaml"), None);
        assert_eq!(verdict(Role::Worker, ""), None, "unknown is not wrong");
        assert_eq!(verdict(Role::Worker, "/usr/local/bin/k3s server"), Some(Problem));
        assert_eq!(verdict(Role::ControlPlane, "/usr/local/bin/k3s"), Some(Problem));
        assert_eq!(verdict(Role::ControlPlane, "/usr/local/bin/k3s server --cluster-init"), Some(Problem));
        assert_eq!(verdict(Role::ControlPlane, "/opt/k3s server"), Some(Warning));
    }
}
