//! As much YAML as the agent's own file needs: a mapping with one key on each line, its value in JSON, which is YAML too
//! (<https://yaml.org/spec/1.2.2/#12-relation-to-json>).

use serde_json::Value;

/// One line. `key` is one of k3s' flags.
pub(super) fn line(key: &str, value: &Value) -> String {
    format!("{key}: {value}\n")
}

/// The text that such a file has for this key.
pub(super) fn text(file: &str, key: &str) -> Option<String> {
    let value = file.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))?;
    serde_json::from_str(value).ok()
}

/// The top-level keys of any file: those that begin a line.
pub(super) fn keys(file: &str) -> impl Iterator<Item = &str> {
    file.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key.trim_end().trim_matches(['"', '\'']))
}
