//! A machine's paths, moved below the directory that is its disk in the lab.

use std::path::{Path, PathBuf};

/// Where users' files lie. Programs stay where this computer has them.
const DIRECTORIES: [&str; 5] = ["/etc/", "/opt/", "/run/", "/usr/local/", "/var/lib/"];

/// An absolute path.
pub(crate) fn path(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The paths in a script, wherever one begins.
pub(crate) fn script(root: &Path, text: &str) -> String {
    let mut moved = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices('/') {
        let goes_on = text[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || "/._-$}".contains(before));
        if !goes_on && DIRECTORIES.iter().any(|directory| text[at..].starts_with(directory)) {
            moved.push_str(&text[copied..at]);
            moved.push_str(&root.display().to_string());
            copied = at;
        }
    }
    moved + &text[copied..]
}
