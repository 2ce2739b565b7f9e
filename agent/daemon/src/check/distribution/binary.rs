//! The distribution's program: whether it exists and is executable, and which release it is.

use std::path::Path;

use rustix::fs::{Access, access};

use crate::adapters::distribution::Distribution;
use crate::adapters::service_manager::banner;
use crate::check::finding::Finding;
use crate::check::node::Parts;
use crate::telemetry::chain;

use super::releases::{self, Release};

/// Checks the file, and asks it for its release. Known faults of releases concern servers only.
pub(super) async fn check(distribution: &dyn Distribution, parts: &Parts) -> Vec<Finding> {
    let (name, program, path) = (format!("{} binary", distribution.name()), distribution.name(), distribution.binary());
    if let Some((found, remedy)) = unusable(path) {
        return vec![Finding::problem(name, found, remedy)];
    }
    let remedy = format!("install {program} for this machine, or correct kubernetes.binary");
    match banner::ask(path).await {
        Err(error) => vec![Finding::problem(name, chain(&error), remedy)],
        Ok(banner) => match Release::parse(program, &banner) {
            None => vec![Finding::problem(name, format!("{} does not say which release of {program} it is", path.display()), remedy)],
            Some(release) => {
                let is = Finding::ok(name, format!("{} is {program} {release}", path.display()));
                [is].into_iter().chain(parts.member.then(|| releases::judge(program, release))).collect()
            }
        },
    }
}

fn unusable(path: &Path) -> Option<(String, &'static str)> {
    if !path.is_file() {
        return Some((format!("{} is not there", path.display()), "install it into the image, or set kubernetes.binary"));
    }
    let is_executable = access(path, Access::EXEC_OK).is_ok();
    (!is_executable).then(|| (format!("{} cannot be executed", path.display()), "chmod 755 it; its file system must not be mounted noexec"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_has_to_be_there_and_executable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k3s");
        assert!(unusable(&path).unwrap().0.ends_with("k3s is not there"));
        assert!(unusable(dir.path()).is_some(), "a directory is not a program");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(unusable(&path).unwrap().0.ends_with("cannot be executed"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(unusable(&path), None);
    }
}
