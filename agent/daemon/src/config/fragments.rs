//! Configuration in fragments, by systemd's own rules (sysctl.d(5) and others): `*.toml` in three directories, read in the order of their names. If two have
//! the same name, only the one in the later directory counts. If a key is given twice, the last value counts. Sections that may be repeated (`[[render]]`) add
//! up.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::file::File;
use super::{ConfigError, Refusal};

/// The vendor's, the machine's, and what this boot generated. A later one takes precedence over an earlier one.
pub const DIRECTORIES: [&str; 3] = ["/usr/lib/quorate/config.d", "/etc/quorate/config.d", "/run/quorate/config.d"];

/// The fragments that count, in the order in which they are read.
///
/// # Errors
/// A directory exists but cannot be listed.
pub fn find(directories: &[&Path]) -> Result<Vec<PathBuf>, ConfigError> {
    let mut by_name = BTreeMap::new();
    for directory in directories {
        let unreadable = |source| ConfigError::Unreadable { path: (*directory).to_owned(), source };
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(unreadable)?,
        };
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                by_name.insert(path.file_name().map(ToOwned::to_owned), path);
            }
        }
    }
    Ok(by_name.into_values().collect())
}

/// The fragments as one file. Each is first checked on its own, so an error about a key names its file.
///
/// # Errors
/// A fragment cannot be read, or is not a configuration.
pub(super) fn merge(paths: &[PathBuf]) -> Result<Table, ConfigError> {
    paths.iter().try_fold(Table::new(), |merged, path| {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        let fragment = parse(&text).map_err(|source| ConfigError::Refused { path: path.clone(), source })?;
        Ok(over(merged, fragment))
    })
}

pub(super) fn parse(text: &str) -> Result<Table, Refusal> {
    toml::from_str::<File>(text).map_err(Box::new)?;
    Ok(toml::from_str(text).map_err(Box::new)?)
}

fn over(mut below: Table, above: Table) -> Table {
    for (key, value) in above {
        let merged = match (below.remove(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => Value::Table(over(old, new)),
            (Some(Value::Array(mut old)), Value::Array(new)) if old.iter().chain(&new).all(Value::is_table) => {
                old.extend(new);
                Value::Array(old)
            }
            (_, new) => new,
        };
        below.insert(key, merged);
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str, text: &str) {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join(name), text).unwrap();
    }

    #[test]
    fn later_directories_and_later_names_win() {
        let root = tempfile::tempdir().unwrap();
        let (vendor, machine, boot) = (root.path().join("usr"), root.path().join("etc"), root.path().join("run"));
        write(&vendor, "10-a.toml", "[timing]\ncycle_s = 1\nretry_ms = 100\n");
        write(&vendor, "20-b.toml", "[limits]\nmax_voters = 3\n");
        write(&machine, "20-b.toml", "[limits]\nmax_voters = 5\n");
        write(&machine, "15-c.toml", "[timing]\ncycle_s = 3\n");
        write(&machine, "notes.txt", "not = read");
        let found = find(&[&vendor, &machine, &boot]).unwrap();
        assert_eq!(found, [vendor.join("10-a.toml"), machine.join("15-c.toml"), machine.join("20-b.toml")]);
        let merged = merge(&found).unwrap();
        assert_eq!(merged, parse("[timing]\ncycle_s = 3\nretry_ms = 100\n[limits]\nmax_voters = 5\n").unwrap());
    }

    #[test]
    fn sections_of_which_there_may_be_many_add_up_and_lists_do_not() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "10-a.toml", "[etcd]\nextra_args = [\"--a=1\"]\n[[render]]\npath = \"/a\"\n");
        write(root.path(), "20-b.toml", "[etcd]\nextra_args = []\n[[render]]\npath = \"/b\"\n");
        let merged = merge(&find(&[root.path()]).unwrap()).unwrap();
        assert_eq!(merged, parse("[etcd]\nextra_args = []\n[[render]]\npath = \"/a\"\n[[render]]\npath = \"/b\"\n").unwrap());
    }

    #[test]
    fn a_wrong_key_is_told_with_its_file() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "10-good.toml", "[timing]\ncycle_s = 1\n");
        write(root.path(), "20-bad.toml", "[timing]\ncycles = 1\n");
        let error = merge(&find(&[root.path()]).unwrap()).unwrap_err();
        assert!(error.to_string().contains("20-bad.toml"), "{error}");
    }

    #[test]
    fn no_directory_is_no_fragment() {
        assert_eq!(find(&[Path::new("/nonexistent/quorate")]).unwrap(), Vec::<PathBuf>::new());
    }
}
