//! Where a distribution keeps its configuration and its data.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{Access, access};

use crate::adapters::distribution::Distribution;
use crate::adapters::host::DataDir;
use crate::check::disk::{device, existing};
use crate::check::finding::Finding;
use crate::check::sandbox::Sandbox;
use crate::config::Settings;
use crate::telemetry::chain;

/// Both directories.
pub(in crate::check) fn check(distribution: &dyn Distribution, settings: &Settings, sandbox: &Sandbox) -> Vec<Finding> {
    let kubernetes = &settings.kubernetes;
    let configuration = directory("configuration directory", &kubernetes.config_dir, "kubernetes.config_dir", sandbox);
    vec![configuration, data(distribution, settings, sandbox)]
}

fn data(distribution: &dyn Distribution, settings: &Settings, sandbox: &Sandbox) -> Finding {
    let (name, dir) = ("data directory", &settings.kubernetes.data_dir);
    if let Err(error) = DataDir::new(dir).below(settings.paths.data_mount.clone()).require_mount() {
        return Finding::problem(name, chain(&error), "mount the volume before quorate starts, or correct paths.data_mount");
    }
    let apart = if distribution.is_worker() { None } else { apart(name, distribution) };
    apart.unwrap_or_else(|| directory(name, dir, "kubernetes.data_dir", sandbox))
}

/// Whether a server's directories lie on different file systems: its data is put aside by renaming, which cannot cross one.
fn apart(name: &str, distribution: &dyn Distribution) -> Option<Finding> {
    let place = distribution.data();
    let trash = device(&existing(&place.trash));
    let other = [&place.etcd].into_iter().chain(&place.beside).find(|path| device(&existing(path)) != trash)?;
    let found = format!("{} and {} are on two file systems", other.display(), place.trash.display());
    Some(Finding::problem(name, found, "mount the volume at kubernetes.data_dir, or above: data is put aside by renaming it"))
}

fn directory(name: &str, dir: &Path, key: &str, sandbox: &Sandbox) -> Finding {
    let forbidden = || sandbox.forbids(dir).map(|(found, remedy)| Finding::problem(name, found, remedy));
    match fs::metadata(dir) {
        Ok(data) if !data.is_dir() => Finding::problem(name, format!("{} is not a directory", dir.display()), format!("correct {key}")),
        Ok(_) if access(dir, Access::WRITE_OK).is_err() => {
            let remedy = "make it writable to the user that runs quorate, or run this as that user (root)";
            Finding::problem(name, format!("{} cannot be written", dir.display()), remedy)
        }
        Ok(_) => forbidden().unwrap_or_else(|| Finding::ok(name, dir.display().to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => absent(name, dir, sandbox),
        Err(error) => Finding::problem(name, format!("{}: {error}", dir.display()), "make it readable to the user that runs quorate"),
    }
}

/// Judges a missing directory: systemd lets a unit write only to what exists when it starts.
fn absent(name: &str, dir: &Path, sandbox: &Sandbox) -> Finding {
    let found = format!("{} is not there", dir.display());
    if !sandbox.may_make(dir) {
        let remedy =
            "create it, or run systemd-tmpfiles --create for the default one, before quorate.service starts: the agent may not create it";
        return Finding::problem(name, found, remedy);
    }
    if access(existing(dir).as_path(), Access::WRITE_OK).is_err() {
        return Finding::problem(name, found, "create it, writable to the user that runs quorate, or run this as that user (root)");
    }
    Finding::ok(name, format!("{found} yet: the agent creates it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem};
    use crate::check::node::Node;
    use quorate_core::role::Role;

    #[test]
    fn a_directory_is_there_or_may_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let (here, absent) = (dir.path().join("here"), dir.path().join("absent"));
        fs::create_dir(&here).unwrap();
        let verdict = |path: &Path, sandbox: &Sandbox| directory("data directory", path, "kubernetes.data_dir", sandbox).verdict;
        assert_eq!((verdict(&here, &Sandbox::default()), verdict(&absent, &Sandbox::default())), (Fine, Fine));
        let tight = Sandbox::strict(&[here.to_str().unwrap(), absent.to_str().unwrap()]);
        assert_eq!(
            (verdict(&here, &tight), verdict(&absent, &tight)),
            (Fine, Problem),
            "what is not there when the unit starts is not let out"
        );
        assert_eq!(verdict(&here, &Sandbox::strict(&["/var/lib/rancher/k3s"])), Problem);
        fs::write(&absent, "").unwrap();
        assert_eq!(verdict(&absent, &Sandbox::default()), Problem, "a file is not a directory");
        assert!(!dir.path().join("absent/x").exists());
    }

    #[test]
    fn a_volume_that_is_not_mounted_and_one_that_cuts_the_data_off_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let found = |role, file: &str| {
            let settings = Settings::parse(file).unwrap();
            let distribution = Node::of(role, &settings).distribution.unwrap();
            data(&*distribution, &settings, &Sandbox::default())
        };
        let below = |dir: &Path| format!("[kubernetes]\ndata_dir = {dir:?}\n");
        let mounted = format!("{}[paths]\ndata_mount = {:?}\n", below(&dir.path().join("k3s")), dir.path());
        assert_eq!((found(Role::Worker, &mounted).verdict, found(Role::Worker, &below(dir.path())).verdict), (Problem, Fine));
        // As if a volume were mounted at server/db: a link to another file system.
        fs::create_dir_all(dir.path().join("server/db")).unwrap();
        std::os::unix::fs::symlink("/proc", dir.path().join("server/db/etcd")).unwrap();
        let apart = found(Role::ControlPlane, &below(dir.path()));
        assert!(apart.verdict == Problem && apart.found.contains("two file systems"), "{apart:?}");
        assert_eq!(found(Role::Worker, &below(dir.path())).verdict, Fine, "a worker puts nothing aside");
    }
}
