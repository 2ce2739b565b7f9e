//! The alias of the API: one line in the hosts file, and which unit may write it.

use std::path::Path;

use rustix::fs::{Access, access};

use crate::adapters::host::atomic;
use crate::adapters::host::hosts::{self, HostName};
use crate::config::{ServiceSettings, Settings};
use crate::systemd::{Bus, Properties};
use crate::telemetry::chain;

use super::finding::Finding;
use super::node::Node;
use super::sandbox::Sandbox;

const NAME: &str = "alias";
const UNIT: &str = crate::alias::UNIT;

/// Nothing if no alias is set, or for a role that has none.
pub(super) async fn check(node: &Node, settings: &Settings, bus: Option<&Bus>) -> Vec<Finding> {
    let (Some(alias), Some(_)) = (&settings.kubernetes.alias, &node.distribution) else { return Vec::new() };
    let file = &settings.kubernetes.hosts_file;
    let writer = match (&settings.service, bus) {
        (ServiceSettings::Exec, _) => itself(file),
        (ServiceSettings::Systemd { .. }, Some(bus)) => match Properties::of(bus, UNIT).await {
            Err(error) => Some(Finding::skipped(NAME, chain(&error))),
            Ok(unit) => by_unit(&unit.text("LoadState"), &Sandbox::of(UNIT, &unit), file),
        },
        // That systemd does not run is reported for the unit that it should run.
        (ServiceSettings::Systemd { .. }, None) => None,
    };
    vec![writer.unwrap_or_else(|| in_file(alias, file))]
}

fn itself(file: &Path) -> Option<Finding> {
    let remedy = "run quorate as a user that may write it (root), or remove kubernetes.alias";
    let is_writable = access(atomic::parent(file), Access::WRITE_OK).is_ok();
    (!is_writable).then(|| Finding::problem(NAME, format!("{} cannot be written", file.display()), remedy))
}

fn by_unit(state: &str, sandbox: &Sandbox, file: &Path) -> Option<Finding> {
    if state != "loaded" {
        let remedy = "install the package, which contains it, or unmask it: the agent itself may not write there";
        return Some(Finding::problem(NAME, format!("{UNIT}, which writes {}, is {state}", file.display()), remedy));
    }
    sandbox.forbids(atomic::parent(file)).map(|(found, remedy)| Finding::problem(NAME, found, remedy))
}

/// What the file says of the alias. Somebody else's line takes precedence over ours if it comes first.
fn in_file(alias: &HostName, file: &Path) -> Finding {
    let bytes = match hosts::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return Finding::problem(NAME, chain(&error), "make it readable, or correct kubernetes.hosts_file"),
    };
    if let Some(line) = hosts::foreign(&bytes, alias).first() {
        let found = format!("line {line} of {} names {alias} too, and takes precedence over quorate's if it comes first", file.display());
        return Finding::warning(NAME, found, "remove the name from that line");
    }
    match hosts::address_of(&bytes, alias) {
        Some(address) => Finding::ok(NAME, format!("{alias} is at {address} in {}", file.display())),
        None => Finding::ok(NAME, format!("{alias} is not in {} yet: it comes once a server is known", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem, Warning};
    use quorate_core::role::Role;

    #[test]
    fn the_unit_has_to_be_there_and_may_write_the_file() {
        let hosts = Path::new("/etc/hosts");
        assert_eq!(by_unit("not-found", &Sandbox::default(), hosts).unwrap().verdict, Problem);
        assert_eq!(by_unit("loaded", &Sandbox::strict(&["/etc"]), hosts), None);
        assert_eq!(by_unit("loaded", &Sandbox::strict(&["/etc"]), Path::new("/srv/hosts")).unwrap().verdict, Problem);
    }

    #[tokio::test]
    async fn another_line_with_the_name_is_told_and_none_is_looked_for_without_an_alias() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hosts");
        let settings = |text: &str| Settings::parse(&format!("[kubernetes]\nhosts_file = {file:?}\n{text}")).unwrap();
        let of = async |role, settings: &Settings| check(&Node::of(role, settings), settings, None).await;
        let with_alias = settings("alias = \"api.internal\"\n");
        assert_eq!((of(Role::Worker, &settings("")).await, of(Role::Etcd, &with_alias).await), (vec![], vec![]));
        for (text, expected, message) in [
            ("", Fine, "is not in"),
            ("10.0.0.4 api.internal # quorate\n", Fine, "is at 10.0.0.4"),
            ("10.0.0.9 api.internal\n10.0.0.4 api.internal # quorate\n", Warning, "line 1"),
        ] {
            std::fs::write(&file, text).unwrap();
            let found = of(Role::Worker, &with_alias).await.remove(0);
            assert!(found.verdict == expected && found.found.contains(message), "{found:?}");
        }
    }
}
