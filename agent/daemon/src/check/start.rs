//! How etcd is started: with flags and environment that nothing else changes.

use std::collections::BTreeMap;

use super::finding::Finding;

const NAME: &str = "etcd's flags";

/// The settings that etcd gets from a command line and an environment. A flag takes precedence over the environment, and a configuration file over both: with
/// one etcd reads neither (etcd `embed.ConfigFromFile`).
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
}

impl Start {
    pub(super) fn new(arguments: Vec<String>, environment: impl IntoIterator<Item = String>) -> Self {
        let split = |entry: String| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { arguments, environment: environment.into_iter().filter_map(split).collect() }
    }

    /// The effective value, in any of Go's four spellings; a switch without one is `true`.
    fn value(&self, flag: &str) -> Option<String> {
        let mut found = None;
        for (index, argument) in self.arguments.iter().enumerate() {
            let Some(text) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
            match text.strip_prefix(flag) {
                Some("") => found = self.arguments.get(index + 1).filter(|next| !next.starts_with('-')).cloned().or(Some("true".into())),
                Some(rest) => found = rest.strip_prefix('=').map(str::to_owned).or(found),
                None => {}
            }
        }
        let variable = || format!("ETCD_{}", flag.replace('-', "_").to_ascii_uppercase());
        found.or_else(|| self.environment.get(&variable()).cloned()).filter(|value| !value.is_empty())
    }
}

/// What is wrong with it; `whose` says where it was seen.
pub(super) fn judge(whose: &str, start: &Start) -> Finding {
    if let Some(file) = start.value("config-file") {
        let remedy = "start etcd without a configuration file: with one it ignores every flag and variable that quorate sets";
        return Finding::problem(NAME, format!("{whose} has the configuration file {file}"), remedy);
    }
    if let Some(value) =
        start.value("strict-reconfig-check").filter(|value| !["true", "1", "t", "T", "TRUE", "True"].contains(&value.as_str()))
    {
        let remedy = "leave --strict-reconfig-check on, its default: it keeps two changes at a time from losing quorum";
        return Finding::problem(NAME, format!("{whose} has strict-reconfig-check = {value}"), remedy);
    }
    for flag in ["force-new-cluster", "unsafe-no-fsync"] {
        if let Some(value) = start.value(flag).filter(|value| value != "false") {
            return Finding::problem(NAME, format!("{whose} has {flag} = {value}"), format!("remove --{flag}: it loses data"));
        }
    }
    Finding::ok(NAME, format!("{whose} has strict-reconfig-check on and no configuration file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{self, Ok as Fine, Problem};

    fn verdict(arguments: &[&str], environment: &[&str]) -> Verdict {
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        judge("etcd", &Start::new(text(arguments), text(environment))).verdict
    }

    #[test]
    fn strict_reconfig_check_is_on_unless_somebody_turned_it_off() {
        assert_eq!(verdict(&["etcd", "--name", "x"], &["PATH=/bin"]), Fine);
        assert_eq!(verdict(&["etcd", "--strict-reconfig-check"], &["ETCD_STRICT_RECONFIG_CHECK=false"]), Fine, "the flag takes precedence");
        for arguments in [["etcd", "--strict-reconfig-check=false"], ["etcd", "-strict-reconfig-check=0"]] {
            assert_eq!(verdict(&arguments, &["ETCD_STRICT_RECONFIG_CHECK=true"]), Problem);
        }
        assert_eq!(verdict(&["etcd"], &["ETCD_STRICT_RECONFIG_CHECK=false"]), Problem);
        assert_eq!(verdict(&["etcd", "--strict-reconfig-check=false", "--strict-reconfig-check=true"], &[]), Fine, "the last one counts");
    }

    #[test]
    fn a_configuration_file_would_make_it_ignore_all_else() {
        assert_eq!(verdict(&["etcd", "--config-file", "/etc/etcd/etcd.yml"], &[]), Problem);
        assert_eq!(verdict(&["etcd"], &["ETCD_CONFIG_FILE=/etc/etcd/etcd.yml"]), Problem);
        assert_eq!(verdict(&["etcd"], &["ETCD_CONFIG_FILE="]), Fine);
    }

    #[test]
    fn flags_that_lose_data_are_a_problem() {
        assert_eq!(verdict(&["etcd", "--force-new-cluster"], &[]), Problem);
        assert_eq!(verdict(&["etcd", "--unsafe-no-fsync", "--name=x"], &[]), Problem);
        assert_eq!(verdict(&["etcd", "--force-new-cluster=false"], &[]), Fine);
    }
}
