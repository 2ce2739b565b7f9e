//! SELinux: whether it would let systemd start the agent as an ordinary service.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustix::io::Errno;

use super::finding::Finding;

const NAME: &str = "SELinux";
/// Here only where the kernel has SELinux and a policy is loaded.
const ENFORCE: &str = "/sys/fs/selinux/enforce";
const LABEL: &str = "security.selinux";
/// What Fedora's policy, which Amazon Linux and RHEL have too, calls a program that systemd runs unconfined.
const UNCONFINED: &str = "bin_t";

/// What SELinux does with what its policy does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Permissive,
    Enforcing,
}

/// Checks the label of this program.
pub(super) fn check() -> Finding {
    let mode = match fs::read_to_string(ENFORCE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return judge_none(),
        Err(error) => return Finding::skipped(NAME, format!("cannot read {ENFORCE}: {error}")),
        Ok(text) if text.trim() == "0" => Mode::Permissive,
        Ok(_) => Mode::Enforcing,
    };
    match std::env::current_exe().and_then(|program| Ok((label(&program)?, program))) {
        Ok((label, program)) => judge(mode, &program, label.as_deref()),
        Err(error) => Finding::skipped(NAME, format!("cannot read the label of this program: {error}")),
    }
}

fn judge_none() -> Finding {
    Finding::ok(NAME, "this kernel runs without it")
}

/// Such as `system_u:object_r:bin_t:s0`; none if the file system has none for this file.
fn label(program: &Path) -> std::io::Result<Option<String>> {
    let mut bytes = [0; 256];
    match rustix::fs::getxattr(program, LABEL, &mut bytes) {
        Ok(read) => Ok(Some(String::from_utf8_lossy(&bytes[..read]).trim_end_matches('\0').to_owned())),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn judge(mode: Mode, program: &Path, label: Option<&str>) -> Finding {
    let kind = label.and_then(|label| label.split(':').nth(2)).unwrap_or("unlabeled");
    let (labelled, program) = (kind == UNCONFINED, program.display());
    let found = format!("{program} is {kind}");
    match mode {
        Mode::Permissive => Finding::ok(NAME, format!("permissive, so it refuses nothing; {found}")),
        Mode::Enforcing if labelled => Finding::ok(NAME, format!("enforcing; {found}, which systemd runs unconfined")),
        Mode::Enforcing => {
            let remedy = format!(
                "run restorecon -v {program}; an extension image needs its labels from scripts/package, which sets them where fakeroot is installed"
            );
            Finding::warning(NAME, format!("enforcing; {found}, not {UNCONFINED}: systemd may not be allowed to run it"), remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Warning};

    #[test]
    fn an_enforcing_policy_wants_the_label_of_a_program() {
        let program = Path::new("/usr/bin/quorate");
        for (mode, label, expected) in [
            (Mode::Enforcing, Some("system_u:object_r:bin_t:s0"), Fine),
            (Mode::Enforcing, Some("system_u:object_r:unlabeled_t:s0"), Warning),
            (Mode::Enforcing, Some("unconfined_u:object_r:user_home_t:s0"), Warning),
            (Mode::Enforcing, None, Warning),
            (Mode::Permissive, None, Fine),
            (Mode::Permissive, Some("system_u:object_r:usr_t:s0"), Fine),
        ] {
            assert_eq!(judge(mode, program, label).verdict, expected, "{mode:?} {label:?}");
        }
        assert!(judge(Mode::Enforcing, program, Some("system_u:object_r:usr_t:s0")).found.contains("/usr/bin/quorate is usr_t"));
    }

    #[test]
    fn a_file_system_without_labels_is_no_failure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(label(file.path()).is_ok());
    }
}
