//! systemd and logind: whether a shutdown waits for the agent.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::adapters::distribution::permit;
use crate::config::{ServiceSettings, Settings};
use crate::systemd::{Bus, LogindProxy, ManagerProxy, Properties};
use crate::telemetry::chain;

use super::clock;
use super::distribution::Conditions;
use super::finding::Finding;
use super::node::Node;

pub(super) const AGENT: &str = "quorate.service";
pub(super) const SOCKET: &str = "quorate.socket";

/// The names that distributions give to their own etcd units. Debian's starts a cluster of its own, on the same ports, as soon as it is installed.
const OTHERS: [&str; 2] = ["etcd.service", "etcd-member.service"];

/// Starts the agent where an image merged at boot contains it, by the shipped Ignition files: an enabled unit of the image would come too late.
const IMAGE: &str = "quorate-image.service";

/// The first version in which logind says what kind of shutdown it is.
const WITH_METADATA: u32 = 255;

/// The system bus, if this system was booted by systemd (sd_booted(3)).
pub(super) fn bus() -> Option<Bus> {
    Path::new("/run/systemd/system").is_dir().then(Bus::default)
}

/// Where systemd listens for the agent; nowhere if it cannot be asked or the socket is not active.
pub(super) async fn held(bus: Option<&Bus>) -> Vec<SocketAddr> {
    let Some(bus) = bus else { return Vec::new() };
    Properties::of(bus, SOCKET).await.map_or_else(|_| Vec::new(), |unit| listens(&unit))
}

/// The addresses, which systemd shows as kind and address: `Stream` and `[::]:2378`.
fn listens(unit: &Properties) -> Vec<SocketAddr> {
    let active = unit.text("ActiveState") == "active";
    let all = unit.get::<Vec<(String, String)>>("Listen").filter(|_| active).unwrap_or_default();
    all.into_iter().filter(|(kind, _)| kind == "Stream").filter_map(|(_, at)| at.parse().ok()).collect()
}

/// Checks systemd and logind; without the bus nothing can be asked.
pub(super) async fn check(bus: Option<&Bus>, node: &Node, settings: &Settings) -> Vec<Finding> {
    let Some(bus) = bus else { return vec![Finding::skipped("systemd", "systemd does not run here")] };
    let (version, delay, unit, image, clock) =
        tokio::join!(version(bus), delay(bus, settings), Properties::of(bus, AGENT), Properties::of(bus, IMAGE), clock::synchronised(bus));
    let mut findings = vec![version, delay];
    findings.extend(match unit {
        Err(error) => vec![Finding::skipped(AGENT, chain(&error))],
        Ok(unit) => vec![agent(&unit, &image.unwrap_or_default(), node.program(), settings)],
    });
    findings.push(clock);
    findings.extend(others(bus, node, settings).await);
    findings
}

/// Looks for units that are in the way: somebody else's etcd, and the distribution in its other role.
async fn others(bus: &Bus, node: &Node, settings: &Settings) -> Vec<Finding> {
    let etcds = OTHERS.into_iter().filter(|_| node.parts.member);
    let mut found = Vec::new();
    for name in etcds.chain(node.other_unit).filter(|name| node.unit(&settings.service) != Some(name)) {
        let unit = Properties::of(bus, name).await.unwrap_or_default();
        let waits = node.distribution.as_ref().is_some_and(|of| Conditions::of(&unit).name(&permit(&**of, &settings.paths.run_dir)));
        found.extend(other(name, &unit.text("UnitFileState"), &unit.text("ActiveState"), waits, node.program()));
    }
    found
}

/// Judges such a unit. An enabled one does nothing at boot if it `waits` for the agent's permit.
fn other(name: &str, file: &str, active: &str, waits: bool, program: &str) -> Option<Finding> {
    let in_the_way = (file.starts_with("enabled") && !waits) || matches!(active, "active" | "activating" | "reloading");
    let remedy = format!("systemctl mask --now {name}: only quorate starts {program}, and two would meet at the same ports and data");
    in_the_way.then(|| Finding::problem(name, format!("it is {file} and {active}, beside the {program} that quorate runs"), remedy))
}

async fn version(bus: &Bus) -> Finding {
    match bus.call("ask for systemd's version", async |c| ManagerProxy::new(c).await?.version().await).await {
        Err(error) => Finding::skipped("systemd", chain(&error)),
        Ok(text) => judge_version(&text),
    }
}

/// `252.39-1~deb12u1`, `v257`.
fn judge_version(text: &str) -> Finding {
    let digits: String = text.trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
    match digits.parse::<u32>() {
        Ok(number) if number < WITH_METADATA => {
            let how = "a power-off is distinguished from a reboot by the queue of jobs, when the agent is stopped, and not before";
            Finding::ok("systemd", format!("{number}: before {WITH_METADATA} {how}"))
        }
        Ok(number) => Finding::ok("systemd", number.to_string()),
        Err(_) => Finding::skipped("systemd", format!("{text:?} is not a version")),
    }
}

async fn delay(bus: &Bus, settings: &Settings) -> Finding {
    match bus.call("ask logind for its delay", async |c| LogindProxy::new(c).await?.inhibit_delay_max_usec().await).await {
        Err(error) => Finding::skipped("logind", chain(&error)),
        Ok(micros) => judge_delay(Duration::from_micros(micros), settings.policy.shutdown_budget),
    }
}

fn judge_delay(delay: Duration, budget: Duration) -> Finding {
    let found = format!("delays a shutdown by at most {delay:?}");
    if delay >= budget {
        return Finding::ok("logind", found);
    }
    let remedy = "install zz-quorate.conf into /usr/lib/systemd/logind.conf.d, check that none sorts after it, and run systemctl kill -s HUP systemd-logind";
    Finding::warning("logind", format!("{found}, but leaving may take timing.shutdown_budget_s, {budget:?}"), remedy)
}

fn agent(unit: &Properties, image: &Properties, program: &str, settings: &Settings) -> Finding {
    if unit.text("LoadState") != "loaded" {
        return Finding::warning(AGENT, format!("it is {}", unit.text("LoadState")), "install the package, which contains it");
    }
    let stop = unit.get::<u64>("TimeoutStopUSec").map(Duration::from_micros);
    if let Some(stop) = stop.filter(|stop| *stop < settings.policy.shutdown_budget) {
        let found =
            format!("TimeoutStopSec= is {stop:?}, but leaving may take timing.shutdown_budget_s, {:?}", settings.policy.shutdown_budget);
        return Finding::warning(AGENT, found, "give it a longer one in a drop-in");
    }
    if settings.service == ServiceSettings::Exec && unit.text("KillMode") != "process" {
        let remedy = "set service.manager = \"systemd\", or give quorate.service a drop-in with KillMode=process";
        return Finding::problem(AGENT, format!("KillMode={} stops {program} with the agent", unit.text("KillMode")), remedy);
    }
    match unit.text("UnitFileState").as_str() {
        "disabled" if image.text("UnitFileState") == "enabled" => {
            Finding::ok(AGENT, format!("started by {IMAGE}, {}", unit.text("ActiveState")))
        }
        "disabled" => Finding::warning(AGENT, "it is not started at boot", "systemctl enable quorate.service"),
        "masked" => Finding::problem(AGENT, "it is masked", "systemctl unmask quorate.service"),
        state => Finding::ok(AGENT, format!("{state}, {}", unit.text("ActiveState"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Skipped, Warning};

    #[test]
    fn an_older_systemd_is_told() {
        assert!(judge_version("252.39-1~deb12u1").found.contains("queue of jobs"));
        assert_eq!(judge_version("257").found, "257");
        assert_eq!(judge_version("v255.4").found, "255");
        assert_eq!(judge_version("").verdict, Skipped);
    }

    #[test]
    fn logind_has_to_wait_for_the_whole_budget() {
        let secs = Duration::from_secs;
        assert_eq!(judge_delay(secs(5), secs(300)).verdict, Warning);
        assert_eq!(judge_delay(secs(300), secs(300)).verdict, Fine);
    }

    #[test]
    fn an_etcd_beside_ours_is_in_the_way_while_it_runs_or_would_at_the_next_boot() {
        for (file, active, waits, expected) in [
            ("enabled", "inactive", false, true),
            ("enabled", "inactive", true, false),
            ("enabled", "active", true, true),
            ("disabled", "active", false, true),
            ("disabled", "inactive", false, false),
            ("masked", "inactive", false, false),
            ("", "inactive", false, false),
        ] {
            assert_eq!(other("etcd.service", file, active, waits, "etcd").is_some(), expected, "{file} {active}");
        }
    }

    #[test]
    fn where_systemd_listens_for_the_agent_is_read_while_it_does() {
        let listen = vec![("Stream".to_owned(), "[::]:2378".to_owned()), ("Stream".to_owned(), "/run/x".to_owned())];
        let unit = |active: &str| {
            let unit = Properties::only("Listen", zbus::Variant::new(listen.clone()));
            unit.with("ActiveState", zbus::Variant::new(active.to_owned()))
        };
        assert_eq!(listens(&unit("active")), ["[::]:2378".parse().unwrap()]);
        assert_eq!(listens(&unit("failed")), []);
    }

    #[test]
    fn a_unit_that_is_not_there_is_told() {
        assert_eq!(agent(&Properties::default(), &Properties::default(), "etcd", &Settings::parse("").unwrap()).verdict, Warning);
    }

    #[test]
    fn what_starts_the_agent_at_boot_is_the_unit_itself_or_that_of_an_image() {
        let text = |name: &str, value: &str| Properties::only(name, zbus::Variant::new(value.to_owned()));
        for (file, image, expected) in
            [("enabled", "", Fine), ("disabled", "", Warning), ("disabled", "enabled", Fine), ("disabled", "disabled", Warning)]
        {
            let unit = text("LoadState", "loaded").with("UnitFileState", zbus::Variant::new(file.to_owned()));
            let settings = Settings::parse("service.manager = \"systemd\"").unwrap();
            assert_eq!(agent(&unit, &text("UnitFileState", image), "etcd", &settings).verdict, expected, "{file} {image}");
        }
    }
}
