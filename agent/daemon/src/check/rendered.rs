//! The files that are rendered from templates: `[[render]]`.

use std::path::Path;

use rustix::fs::{Access, access};

use crate::adapters::host::atomic;
use crate::config::{RenderSettings, ServiceSettings, Settings};
use crate::rendered;
use crate::systemd::{Bus, Properties};
use crate::telemetry::chain;

use super::finding::Finding;
use super::sandbox::Sandbox;

/// Each file, with the first thing that is wrong with it.
pub(super) async fn check(settings: &Settings, sandbox: &Sandbox, bus: Option<&Bus>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &settings.render {
        let found = template(file).or_else(|| directory(file, sandbox));
        let found = match found {
            None => reload(file, &settings.service, bus).await,
            found => found,
        };
        findings.push(found.unwrap_or_else(|| Finding::ok(name(file), format!("from {}", file.template.display()))));
    }
    findings
}

fn name(file: &RenderSettings) -> String {
    format!("rendered {}", file.path.display())
}

fn template(file: &RenderSettings) -> Option<Finding> {
    let error = rendered::parse(&file.template).err()?;
    Some(Finding::problem(name(file), chain(&error), "fix the template, or correct render.template"))
}

fn directory(file: &RenderSettings, sandbox: &Sandbox) -> Option<Finding> {
    // A link is followed, and its target replaced.
    let path = std::fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
    let directory = atomic::parent(&path);
    if !directory.is_dir() {
        let found = format!("there is no directory {}", directory.display());
        return Some(Finding::problem(name(file), found, "create the directory: quorate creates only its own"));
    }
    if let Some((found, remedy)) = sandbox.forbids(directory) {
        return Some(Finding::problem(name(file), found, remedy));
    }
    let is_writable = access(directory, Access::WRITE_OK).is_ok();
    (!is_writable).then(|| unwritable(file, directory))
}

fn unwritable(file: &RenderSettings, directory: &Path) -> Finding {
    let remedy = "make it writable to the user that runs quorate, or run this as that user (root)";
    Finding::problem(name(file), format!("{} cannot be written", directory.display()), remedy)
}

async fn reload(file: &RenderSettings, service: &ServiceSettings, bus: Option<&Bus>) -> Option<Finding> {
    let unit = file.reload_unit.as_deref()?;
    if *service == ServiceSettings::Exec {
        let found = format!("{unit} is not reloaded while service.manager = \"exec\"");
        return Some(Finding::warning(
            name(file),
            found,
            "set service.manager = \"systemd\", or have the program that uses it watch the file",
        ));
    }
    let state = match Properties::of(bus?, unit).await {
        Err(error) => return Some(Finding::skipped(name(file), chain(&error))),
        Ok(properties) => properties.text("LoadState"),
    };
    unit_to_reload(file, unit, &state)
}

fn unit_to_reload(file: &RenderSettings, unit: &str, state: &str) -> Option<Finding> {
    let remedy = format!("install {unit}, unmask it, or correct render.reload_unit");
    (state != "loaded").then(|| Finding::problem(name(file), format!("{unit}, which should be reloaded, is {state}"), remedy))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem, Warning};

    async fn verdict(settings: &str, sandbox: &Sandbox) -> (Verdict, String) {
        let settings = Settings::parse(settings).unwrap();
        let mut found = check(&settings, sandbox, None).await;
        assert_eq!(found.len(), 1);
        let found = found.remove(0);
        (found.verdict, found.found)
    }

    #[tokio::test]
    async fn a_template_that_is_missing_or_broken_is_named_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (template, path) = (dir.path().join("x.j2"), dir.path().join("x"));
        let text = format!("[[render]]\ntemplate = {template:?}\npath = {path:?}\n");
        let anywhere = Sandbox::default();
        assert_eq!(verdict(&text, &anywhere).await.0, Problem);
        fs::write(&template, "{% for x in members %}").unwrap();
        let (worse, found) = verdict(&text, &anywhere).await;
        assert!(worse == Problem && found.contains("is broken"), "{found}");
        fs::write(&template, "{{ members | length }}\n").unwrap();
        assert_eq!(verdict(&text, &anywhere).await.0, Fine);
        assert!(!path.exists());
        assert_eq!(verdict(&format!("{text}reload_unit = \"nginx.service\"\n"), &anywhere).await.0, Warning, "exec reloads nothing");
    }

    #[tokio::test]
    async fn a_directory_that_is_missing_or_read_only_for_the_agent_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let template = dir.path().join("x.j2");
        fs::write(&template, "x").unwrap();
        let text = |path: &Path| format!("[[render]]\ntemplate = {template:?}\npath = {path:?}\n");
        assert_eq!(verdict(&text(&dir.path().join("absent/x")), &Sandbox::default()).await.0, Problem);
        let here = text(&dir.path().join("x"));
        let (worse, found) = verdict(&here, &Sandbox::strict(&["/var/lib/quorate"])).await;
        assert!(worse == Problem && found.ends_with("is read-only for quorate.service"), "{found}");
        assert_eq!(verdict(&here, &Sandbox::strict(&[dir.path().to_str().unwrap()])).await.0, Fine);
    }

    #[test]
    fn a_unit_to_reload_has_to_be_there() {
        let file = RenderSettings { template: "/t".into(), path: "/p".into(), reload_unit: None };
        assert_eq!(unit_to_reload(&file, "nginx.service", "loaded"), None);
        assert_eq!(unit_to_reload(&file, "nginx.service", "not-found").unwrap().verdict, Problem);
    }
}
