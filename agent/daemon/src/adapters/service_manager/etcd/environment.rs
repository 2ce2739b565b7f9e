//! etcd's flags as the lines of a systemd environment file (systemd.exec(5), `EnvironmentFile=`).

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variable of a flag: etcd reads `--data-dir` from `ETCD_DATA_DIR` (etcd `pkg/flags.FlagToEnv`).
fn variable(flag: &str) -> String {
    format!("ETCD_{}", flag.trim_start_matches('-').replace('-', "_").to_ascii_uppercase())
}

/// The file's text. If a flag is given twice the last one holds, as on a command line; a flag without a value is a switch.
pub(super) fn render(flags: &[OsString], further: &BTreeMap<String, String>, fixed: &[(&str, &str)]) -> String {
    let mut all = further.clone();
    all.extend(fixed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    for flag in flags {
        let flag = flag.to_string_lossy();
        let (name, value) = flag.split_once('=').unwrap_or((&flag, "true"));
        all.insert(variable(name), value.to_owned());
    }
    all.iter().fold(String::from("# Written by quorate before each start of etcd.\n"), |text, (name, value)| {
        format!("{text}{name}={}\n", quoted(value))
    })
}

/// A variable with which etcd refuses to start, because its flag is given as well (etcd `pkg/flags.SetFlagsFromEnv`). It says so only when it starts.
pub(super) fn shadowed(flags: &[OsString], further: &BTreeMap<String, String>) -> Option<String> {
    flags.iter().find_map(|flag| {
        let flag = flag.to_string_lossy();
        let name = flag.split_once('=').map_or(&*flag, |(name, _)| name).to_owned();
        let variable = variable(&name);
        further.contains_key(&variable).then(|| format!("etcd.env sets {variable}, and {name} is given as well: it takes one of them"))
    })
}

/// Whether the file makes etcd serve clients only at this URL.
pub(super) fn listens_for_clients_on(text: &str, url: &str) -> bool {
    let line = format!("{}={}", variable("listen-client-urls"), quoted(url));
    text.lines().any(|l| l == line)
}

/// The value, unquoted if possible, because docker's `--env-file`, which Flatcar's unit uses, treats quotes as part of the value. In double quotes a backslash
/// protects these four.
fn quoted(value: &str) -> String {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+[]".contains(c)) {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            text.push('\\');
        }
        text.push(c);
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(flags: &[&str]) -> String {
        render(&flags.iter().map(OsString::from).collect::<Vec<_>>(), &BTreeMap::from([("GOGC".to_owned(), "50".to_owned())]), &[])
    }

    #[test]
    fn every_flag_is_a_variable() {
        let text = rendered(&["--name=i-1", "--initial-cluster=i-1=http://10.0.0.5:2380", "--strict-reconfig-check", "--name=i-2"]);
        assert_eq!(
            text,
            "# Written by quorate before each start of etcd.\nETCD_INITIAL_CLUSTER=i-1=http://10.0.0.5:2380\nETCD_NAME=i-2\n\
             ETCD_STRICT_RECONFIG_CHECK=true\nGOGC=50\n"
        );
    }

    #[test]
    fn a_variable_beside_its_flag_is_found() {
        let flags = ["--log-level=warn".into(), "--strict-reconfig-check".into()];
        let env = |name: &str| BTreeMap::from([(name.to_owned(), "1".to_owned())]);
        assert!(shadowed(&flags, &env("ETCD_LOG_LEVEL")).unwrap().contains("--log-level"));
        assert!(shadowed(&flags, &env("ETCD_STRICT_RECONFIG_CHECK")).is_some());
        assert_eq!(shadowed(&flags, &env("ETCD_QUOTA_BACKEND_BYTES")), None);
    }

    #[test]
    fn a_value_says_what_it_says() {
        assert_eq!(quoted("http://[::1]:2379"), "http://[::1]:2379");
        assert_eq!(quoted(r#"a "b" $c \d `e`"#), r#""a \"b\" \$c \\d \`e\`""#);
    }

    #[test]
    fn where_it_listens_is_read_back() {
        let text = rendered(&["--listen-client-urls=http://127.0.0.1:2379"]);
        assert!(listens_for_clients_on(&text, "http://127.0.0.1:2379"));
        assert!(!listens_for_clients_on(&text, "http://10.0.0.5:2379"));
    }
}
