//! The secrets that nodes join with: whether they exist, and only root can read them.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use crate::adapters::distribution::named_by;
use crate::check::finding::Finding;
use crate::check::node::Parts;
use crate::config::KubernetesSettings;

const ROOT: u32 = 0;

/// Checks this role's token; servers may have the workers' too.
pub(super) fn check(settings: &KubernetesSettings, parts: &Parts) -> Vec<Finding> {
    let mut findings = vec![match &settings.token_file {
        None => {
            let found = "kubernetes.token_file is not set: the agent does not start without it";
            Finding::problem("token", found, "name the file that holds the secret with which every node of the cluster joins")
        }
        Some(file) => judge("token", file, "kubernetes.token_file", &look(file)),
    }];
    let of_agents = settings.agent_token_file.as_ref().filter(|_| parts.member);
    findings.extend(of_agents.map(|file| judge("agent token", file, "kubernetes.agent_token_file", &look(file))));
    findings.extend(settings.token_file.as_ref().filter(|_| !parts.member).and_then(|file| pin(&fs::read_to_string(file).ok()?)));
    findings
}

/// Whether a token names the cluster's authority. Without it, a worker gives its token to anything that answers at a server's address.
fn pin(token: &str) -> Option<Finding> {
    const NAME: &str = "authority";
    match named_by(token) {
        _ if token.trim().is_empty() => None,
        Some(hash) => Some(Finding::ok(NAME, format!("the token names the cluster's: {hash}"))),
        None => Some(Finding::ok(
            NAME,
            "the token names none, as K10HASH::... does; a join names the one that the store publishes, and if this node may not read \
             published/endpoints.json it believes anything that answers at a server's address",
        )),
    }
}

/// What was found out about a file.
#[derive(Clone, Copy, Debug)]
struct Secret {
    is_file: bool,
    mode: u32,
    owner: u32,
    is_empty: bool,
}

fn look(path: &Path) -> io::Result<Secret> {
    let data = fs::metadata(path)?;
    let is_empty = data.is_file() && fs::read(path)?.trim_ascii().is_empty();
    Ok(Secret { is_file: data.is_file(), mode: data.mode() & 0o7777, owner: data.uid(), is_empty })
}

/// `key` is the setting that names the file. The user that runs this may own it too, if that is not root.
fn judge(name: &str, file: &Path, key: &str, found: &io::Result<Secret>) -> Finding {
    let path = file.display();
    let problem = |what: String, remedy: String| Finding::problem(name, what, remedy);
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            problem(format!("{path} is not there"), format!("write the token into it, mode 0600, before quorate starts, or correct {key}"))
        }
        Err(error) => problem(format!("{path}: {error}"), "run this as root".to_owned()),
        Ok(secret) if !secret.is_file => problem(format!("{path} is not a file"), format!("correct {key}")),
        Ok(secret) if secret.is_empty => {
            problem(format!("{path} is empty"), "write the token into it: what should have fetched it failed".into())
        }
        Ok(Secret { mode, .. }) if mode & 0o077 != 0 => {
            problem(format!("{path} can be read or written by others, mode {mode:04o}"), format!("chmod 600 {path}, and rotate the token"))
        }
        Ok(Secret { owner, .. }) if *owner != ROOT && *owner != geteuid().as_raw() => {
            problem(format!("{path} belongs to user {owner}"), format!("chown root {path}, and rotate the token"))
        }
        Ok(secret) => Finding::ok(name, format!("{path}, mode {:04o}", secret.mode)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem};
    use crate::config::Settings;
    use quorate_core::role::Role;

    fn of(found: io::Result<Secret>) -> Verdict {
        judge("token", Path::new("/etc/quorate/token"), "kubernetes.token_file", &found).verdict
    }

    const GOOD: Secret = Secret { is_file: true, mode: 0o600, owner: ROOT, is_empty: false };

    #[test]
    fn a_token_is_roots_alone_and_not_empty() {
        assert_eq!((of(Ok(GOOD)), of(Ok(Secret { mode: 0o400, ..GOOD }))), (Fine, Fine));
        for mode in [0o640, 0o604, 0o620, 0o602, 0o601, 0o644] {
            assert_eq!(of(Ok(Secret { mode, ..GOOD })), Problem, "{mode:o}");
        }
        assert_eq!((of(Ok(Secret { is_empty: true, ..GOOD })), of(Ok(Secret { is_file: false, ..GOOD }))), (Problem, Problem));
        assert_eq!((of(Ok(Secret { owner: 65_534, ..GOOD })), of(Err(ErrorKind::NotFound.into()))), (Problem, Problem));
    }

    #[test]
    fn a_file_is_looked_at_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert_eq!(look(&path).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, " \n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let found = look(&path).unwrap();
        assert!(found.is_empty && found.is_file && found.mode == 0o640 && found.owner == geteuid().as_raw());
        fs::write(&path, "secret\n").unwrap();
        assert!(!look(&path).unwrap().is_empty && !look(dir.path()).unwrap().is_file);
    }

    #[test]
    fn a_token_that_names_no_authority_is_said() {
        let hash = "ab".repeat(32);
        let found = |token: &str| pin(token).map(|finding| finding.found);
        assert!(found(&format!("K10{hash}::node:secret\n")).unwrap().ends_with(&hash));
        assert!(found("secret").unwrap().starts_with("the token names none"));
        assert_eq!(found(" \n"), None, "it is reported as empty already");
    }

    #[test]
    fn servers_may_have_two_tokens_and_no_role_goes_without() {
        let count = |file: &str, role| check(&Settings::parse(file).unwrap().kubernetes, Parts::of(role)).len();
        let both = "[kubernetes]\ntoken_file = \"/absent/a\"\nagent_token_file = \"/absent/b\"\n";
        assert_eq!((count(both, Role::ControlPlane), count(both, Role::Worker)), (2, 1));
        let none = check(&Settings::parse("").unwrap().kubernetes, Parts::of(Role::Worker));
        assert!(none.len() == 1 && none[0].verdict == Problem && none[0].found.starts_with("kubernetes.token_file is not set"));
    }
}
