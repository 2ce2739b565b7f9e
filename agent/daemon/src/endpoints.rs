//! The endpoints file: where applications on this machine find etcd, as an environment file for units and shells.

use std::path::{Path, PathBuf};

use quorate_core::ids::ClusterName;
use tracing::warn;

use crate::adapters::host::atomic;
use crate::adapters::pki::OwnFiles;
use crate::cycle::Cycle;
use crate::repeats::Repeats;
use crate::telemetry::chain;

/// The file's name in the run directory.
pub const FILE: &str = "endpoints.env";

/// Keeps the file current. Unknown facts change nothing: the last endpoints stay until others are known.
#[derive(Debug)]
pub struct EndpointsFile {
    path: PathBuf,
    certificates: OwnFiles,
    written: Option<String>,
    troubles: Repeats,
}

impl EndpointsFile {
    /// The file in `run_dir`. A cluster with TLS is reached with `certificates`.
    #[must_use]
    pub fn in_dir(run_dir: &Path, certificates: OwnFiles) -> Self {
        Self { path: run_dir.join(FILE), certificates, written: None, troubles: Repeats::default() }
    }

    /// Writes the file if the endpoints have changed; a failure is logged, and the next cycle tries again.
    pub fn keep(&mut self, cycle: &Cycle) {
        let Some(text) = of(cycle, &self.certificates).filter(|text| self.written.as_ref() != Some(text)) else { return };
        match atomic::write_for_all(&self.path, text.as_bytes()) {
            Ok(()) => self.written = Some(text),
            Err(error) => {
                let why = chain(&error);
                if let Some(again) = self.troubles.news(FILE, &why, cycle.at) {
                    warn!("cannot tell applications where etcd is: {why}{again}");
                }
            }
        }
    }
}

/// The client endpoints of all voters that stay, this node's own first.
fn of(cycle: &Cycle, certificates: &OwnFiles) -> Option<String> {
    let me = &cycle.seen.me.instance;
    let voters = cycle.staying_voters()?;
    let mut urls: Vec<(bool, String)> =
        voters.iter().filter_map(|v| Some((v.name.as_ref() != Some(me), v.client_url?.to_string()))).collect();
    urls.sort_unstable();
    let urls: Vec<String> = urls.into_iter().map(|(_, url)| url).collect();
    (!urls.is_empty()).then(|| text(&cycle.seen.me.cluster, &urls.join(",")) + &tls(cycle, certificates))
}

/// The file of an instance that is no member, and was given a certificate with its key in `client`.
pub(crate) fn of_client(cluster: &ClusterName, urls: &[String], ca: &Path, client: &Path) -> String {
    text(cluster, &urls.join(",")) + &with(ca, client)
}

fn text(cluster: &ClusterName, urls: &str) -> String {
    // A shell may read the comment too, so it must not continue on a second line.
    let cluster: String = cluster.as_str().chars().filter(|c| !c.is_control()).collect();
    let urls = quoted(urls);
    format!(
        "# Where etcd of cluster {cluster} serves clients. Quorate rewrites this whenever it changes.\nETCD_ENDPOINTS={urls}\nETCDCTL_ENDPOINTS={urls}\n"
    )
}

/// With what etcd is reached in a cluster with TLS, by etcdctl's own names. Only root may read the key.
fn tls(cycle: &Cycle, files: &OwnFiles) -> String {
    if !cycle.has_tls() {
        return String::new();
    }
    with(&files.clients_ca, &files.client)
}

fn with(ca: &Path, client: &Path) -> String {
    let all = [("ETCDCTL_CACERT", ca), ("ETCDCTL_CERT", client), ("ETCDCTL_KEY", client)];
    all.iter().map(|(name, path)| format!("{name}={}\n", quoted(&path.display().to_string()))).collect()
}

/// A value that systemd's `EnvironmentFile=` and a shell read alike: in double quotes, with a backslash before the four characters that are special there
/// (systemd.exec(5); POSIX 2.2.3). Control characters are dropped.
fn quoted(value: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' | '`' | '$' => vec!['\\', c],
        c if c.is_control() => Vec::new(),
        c => vec![c],
    };
    format!("\"{}\"", value.chars().flat_map(escaped).collect::<String>())
}

/// The variables of a file that was written here.
#[must_use]
pub fn parse(text: &str) -> Vec<(String, String)> {
    let unquoted = |value: &str| {
        let (mut read, mut escaped) = (String::new(), false);
        for c in value.trim_matches('"').chars() {
            escaped = c == '\\' && !escaped;
            if !escaped {
                read.push(c);
            }
        }
        read
    };
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), unquoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_what_was_meant_whatever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for value in ["http://10.0.0.1:2379,http://10.0.0.2:2379", "a b;c 'd' \"e\" $HOME \\ f & | < > # `", "[2001:db8::1]"] {
            let file = dir.path().join("env");
            std::fs::write(&file, format!("X={}\n", quoted(value))).unwrap();
            let read = Command::new("sh").args(["-c", ". \"$1\"; printf %s \"$X\"", "sh"]).arg(&file).output().unwrap();
            assert_eq!((String::from_utf8(read.stdout).unwrap(), read.stderr), (value.to_owned(), Vec::new()));
        }
        assert_eq!(quoted("a\nX=1"), "\"aX=1\"", "a value has one line");
        for value in ["/var/lib/a b", "x\\y$Z`", "https://10.0.0.1:2379,https://[::1]:2379"] {
            let text = format!("# a comment = none\nX={}\n", quoted(value));
            assert_eq!(parse(&text), [("X".to_owned(), value.to_owned())]);
        }
    }
}
