//! Finds an etcd server among the processes, by its name and its data directory.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::adapters::service_manager::ServiceError;
use crate::adapters::service_manager::exec::proc::{self, process_dir, words};

/// How a process was started, as the kernel keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Its number.
    pub pid: i32,
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Its environment, `NAME=value`; `None` if it cannot be read.
    pub environment: Option<Vec<String>>,
}

/// How the etcd that runs on `data_dir` was started, if one does.
///
/// # Errors
/// `/proc` cannot be read.
pub fn started(data_dir: &Path, binary: &Path) -> Result<Option<CommandLine>, ServiceError> {
    let texts = |words: Vec<Vec<u8>>| words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>();
    let found = proc::find(|pid| is_server(pid, binary) && runs_on(pid, data_dir))?;
    Ok(found.map(|id| id.pid).map(|pid| CommandLine {
        pid,
        arguments: words(pid, "cmdline").map(texts).unwrap_or_default(),
        environment: words(pid, "environ").map(texts),
    }))
}

/// Whether this process names `data_dir` as its data directory, on its command line or in its environment.
pub(super) fn runs_on(pid: i32, data_dir: &Path) -> bool {
    words(pid, "cmdline").and_then(|line| data_dir_of(pid, &line)).is_some_and(|found| is_same(&found, data_dir))
}

/// Whether it is an etcd server by its name. etcd's tools accept `--data-dir` too.
pub(super) fn is_server(pid: i32, binary: &Path) -> bool {
    let Some(program) = words(pid, "cmdline").and_then(|line| line.into_iter().next()) else { return false };
    let name = Path::new(OsStr::from_bytes(&program)).file_name().unwrap_or_default();
    let is_tool = name == "etcdctl" || name == "etcdutl";
    Some(name) == binary.file_name() || (name.as_bytes().starts_with(b"etcd") && !is_tool)
}

/// Whether its command line lets it listen for clients at `url` and nowhere else.
pub(super) fn serves_only(pid: i32, url: &str) -> bool {
    words(pid, "cmdline").and_then(|line| flag(&line, "listen-client-urls")) == Some(url.as_bytes().to_vec())
}

/// The data directory of this process. A flag takes precedence over the environment, which only the process's owner and root can read.
fn data_dir_of(pid: i32, arguments: &[Vec<u8>]) -> Option<PathBuf> {
    let from_environment = || words(pid, "environ")?.iter().find_map(|w| w.strip_prefix(b"ETCD_DATA_DIR=").map(<[u8]>::to_vec));
    let bytes = flag(arguments, "data-dir").or_else(from_environment)?;
    let path = PathBuf::from(OsStr::from_bytes(&bytes));
    let base = fs::read_link(process_dir(pid).join("cwd")).unwrap_or_default();
    Some(base.join(path))
}

/// The last value of a flag in any of Go's four spellings.
fn flag(arguments: &[Vec<u8>], name: &str) -> Option<Vec<u8>> {
    let mut found = None;
    for (index, argument) in arguments.iter().enumerate() {
        let Some(text) = argument.strip_prefix(b"--").or_else(|| argument.strip_prefix(b"-")) else { continue };
        let Some(rest) = text.strip_prefix(name.as_bytes()) else { continue };
        match rest.split_first() {
            None => found = arguments.get(index + 1).cloned().or(found),
            Some((b'=', value)) => found = Some(value.to_vec()),
            Some(_) => {}
        }
    }
    found
}

fn is_same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    a == b || real(a) == real(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_every_spelling_and_the_last_counts() {
        let flag_of = |words: &[&str]| flag(&words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>(), "data-dir");
        assert_eq!(flag_of(&["--data-dir", "/a"]), Some(b"/a".to_vec()));
        assert_eq!(flag_of(&["-data-dir=/a", "--data-dir=/b"]), Some(b"/b".to_vec()));
        assert_eq!(flag_of(&["--data-dir-too=/a", "x"]), None);
    }

    #[test]
    fn this_process_is_no_etcd() {
        let me = std::process::id().try_into().unwrap();
        assert!(!runs_on(me, Path::new("/")) && !is_server(me, Path::new("/usr/bin/etcd")));
    }
}
