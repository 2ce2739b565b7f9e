//! etcd itself: its binary, its release, the tool that a recovery needs, and how it starts.

use std::fs;
use std::path::Path;

use crate::adapters::host::RestoreTool;
use crate::adapters::service_manager;
use crate::config::{Settings, UNIT};
use crate::systemd::{Bus, Properties};
use crate::telemetry::chain;

use super::finding::Finding;
use super::releases::{self, Release};
use super::start::{self, Start};

/// Everything about etcd. There is a `bus` if systemd runs.
pub(super) async fn check(settings: &Settings, bus: Option<&Bus>) -> Vec<Finding> {
    let mut findings = binary(&settings.etcd.binary).await;
    findings.extend(flags(settings).await);
    findings.push(restore_tool(settings));
    findings.push(running(settings));
    if let Some(unit) = settings.service.unit(UNIT) {
        findings.extend(match bus {
            None => {
                vec![Finding::problem("etcd's unit", "systemd does not run here", "set service.manager = \"exec\", or boot with systemd")]
            }
            Some(bus) => etcds_unit(bus, unit, &settings.paths.run_dir.join("etcd.env")).await,
        });
    }
    findings
}

async fn binary(etcd: &Path) -> Vec<Finding> {
    let name = "etcd binary";
    let remedy = "install etcd 3.5.32 or later, or set etcd.binary";
    match service_manager::banner::ask(etcd).await {
        Err(error) => vec![Finding::problem(name, chain(&error), remedy)],
        Ok(banner) => match Release::parse(&banner) {
            None => vec![Finding::problem(name, format!("{} does not say which release it is", etcd.display()), remedy)],
            Some(release) => vec![Finding::ok(name, format!("{} is etcd {release}", etcd.display())), releases::judge(release)],
        },
    }
}

/// Tries the operator's flags without starting anything. A binary that is not etcd is reported elsewhere.
async fn flags(settings: &Settings) -> Option<Finding> {
    let name = "etcd's own flags";
    let etcd = &settings.etcd;
    let (version, refused) = service_manager::try_settings(&etcd.binary, &etcd.flags(), &etcd.env).await.ok()?;
    Some(match refused {
        None => Finding::ok(name, format!("etcd {version} accepts all that it would get")),
        Some(message) => {
            let remedy =
                "remove it from etcd.extra_args and etcd.env, or install an etcd that knows it: quorate does not start etcd with it";
            Finding::problem(name, format!("etcd {version} refuses them: {message}"), remedy)
        }
    })
}

fn restore_tool(settings: &Settings) -> Finding {
    let name = "restore tool";
    let remedy = "install etcdutl beside etcd (etcdctl before 3.5), or set etcd.restore_tool: without it no cluster that lost its quorum is recovered";
    match &settings.etcd.restore_tool {
        Some(tool) if tool.is_absolute() && !tool.is_file() => Finding::warning(name, format!("{} is not there", tool.display()), remedy),
        Some(tool) => Finding::ok(name, tool.display().to_string()),
        None => match RestoreTool::beside(&settings.etcd.binary) {
            Ok(_) => Finding::ok(name, "beside etcd"),
            Err(error) => Finding::warning(name, chain(&error), remedy),
        },
    }
}

/// Checks the flags of the running etcd. The settings cannot turn strict-reconfig-check off: they refuse the flag, and its variable in the environment.
fn running(settings: &Settings) -> Finding {
    let name = "etcd's flags";
    match service_manager::started(&settings.paths.data_dir, &settings.etcd.binary) {
        Err(error) => Finding::skipped(name, chain(&error)),
        Ok(None) => {
            Finding::ok(name, "etcd does not run yet; quorate starts it with strict-reconfig-check and without a configuration file")
        }
        Ok(Some(found)) => match found.environment {
            None => Finding::skipped(name, format!("the environment of process {} cannot be read: run this as root", found.pid)),
            Some(environment) => start::judge("the etcd that runs", &Start::new(found.arguments, environment)),
        },
    }
}

/// `ExecStart=` as the bus has it: path, arguments, whether failure is ignored, and when it ran last.
pub(super) type ExecStart = Vec<(String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32)>;

/// `EnvironmentFile=` as the bus has it: path, and whether it may be missing.
type EnvironmentFiles = Vec<(String, bool)>;

async fn etcds_unit(bus: &Bus, unit: &str, file: &Path) -> Vec<Finding> {
    let name = "etcd's unit";
    let properties = match Properties::of(bus, unit).await {
        Err(error) => return vec![Finding::skipped(name, chain(&error))],
        Ok(properties) => properties,
    };
    if properties.text("LoadState") != "loaded" {
        let remedy = "install the package's units, or set service.unit to the unit that runs etcd";
        return vec![Finding::problem(name, format!("{unit} is {}", properties.text("LoadState")), remedy)];
    }
    let mut findings = vec![reads(unit, properties.get("EnvironmentFiles"), file)];
    let commands: ExecStart = properties.get("ExecStart").unwrap_or_default();
    let arguments = commands.into_iter().next().map(|command| command.1).unwrap_or_default();
    // What quorate writes into the file takes precedence over Environment= (systemd.exec(5)), and strict-reconfig-check is in it.
    let ours = "ETCD_STRICT_RECONFIG_CHECK=true".to_owned();
    let environment = properties.get::<Vec<String>>("Environment").unwrap_or_default();
    let judged = start::judge(unit, &Start::new(arguments, environment.into_iter().chain([ours])));
    // A good result adds nothing to what the running etcd showed.
    findings.extend(Some(judged).filter(|finding| finding.remedy.is_some()));
    findings.extend(user(unit, &properties.text("User"), properties.get("DynamicUser").unwrap_or_default()));
    findings
}

/// Whether the unit reads the file. If the bus does not say, there is nothing to report.
fn reads(unit: &str, files: Option<EnvironmentFiles>, file: &Path) -> Finding {
    let name = "etcd's unit";
    if files.is_none_or(|files| files.iter().any(|(path, _)| Path::new(path) == file)) {
        return Finding::ok(name, unit);
    }
    let remedy = format!("give it EnvironmentFile={}, as the drop-ins in /usr/share/doc/quorate/examples do", file.display());
    Finding::problem(name, format!("{unit} does not read what quorate writes for it"), remedy)
}

fn user(unit: &str, user: &str, dynamic: bool) -> Option<Finding> {
    let name = "etcd's user";
    if user.is_empty() {
        return Some(Finding::warning(name, format!("{unit} runs etcd as root"), "give it a User= of its own"));
    }
    let known = dynamic || user.parse::<u32>().is_ok() || is_known(user);
    let remedy = "run systemd-sysusers, or add the user: without it systemd cannot start the unit";
    (!known).then(|| Finding::problem(name, format!("{unit} runs etcd as {user}, which is not in /etc/passwd"), remedy))
}

fn is_known(user: &str) -> bool {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    text.lines().any(|line| line.split(':').next() == Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem};

    #[test]
    fn a_unit_that_does_not_read_the_agents_file_is_a_problem() {
        let verdict = |files| reads("etcd.service", files, Path::new("/run/quorate/etcd.env")).verdict;
        let file = |path: &str| (path.to_owned(), true);
        assert_eq!(verdict(Some(vec![file("/etc/default/etcd"), file("/run/quorate/etcd.env")])), Fine);
        assert_eq!(verdict(Some(vec![file("/etc/default/etcd")])), Problem);
        assert_eq!(verdict(None), Fine, "unknown is not missing");
    }

    #[test]
    fn etcd_runs_as_a_user_that_there_is() {
        let verdict = |name, dynamic| user("etcd.service", name, dynamic).map(|finding| finding.verdict);
        assert_eq!((verdict("root", false), verdict("nobody-of-this-name", true)), (None, None));
        assert_eq!(verdict("nobody-of-this-name", false), Some(Problem));
        assert_eq!(verdict("", false), Some(crate::check::Verdict::Warning));
    }
}
