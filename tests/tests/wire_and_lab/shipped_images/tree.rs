//! Finds the user data in the tree: a new file is fed without being named here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::shipped_images::user_data::UserData;
use crate::shipped_images::{cloud_config, ignition, values};

const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Nothing here is shipped: what is built, and the code of agent and tests.
const NOT_SHIPPED: [&str; 4] = ["target", "agent", "tests", ".git"];
/// Every file here is user data.
const USER_DATA: &str = "ignition";

/// The formats of user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Ignition,
    /// The source of an Ignition file.
    Butane,
    CloudConfig,
}

/// A file that is shipped.
#[derive(Clone, Debug)]
pub(crate) struct Shipped {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    text: String,
}

/// All that are shipped, in the order of their paths.
pub(crate) fn shipped() -> anyhow::Result<Vec<Shipped>> {
    let mut found = Vec::new();
    for directory in
        entries(Path::new(TREE))?.into_iter().filter(|path| path.is_dir() && !NOT_SHIPPED.iter().any(|name| path.ends_with(name)))
    {
        walk(&directory, directory.ends_with(USER_DATA), &mut found)?;
    }
    Ok(found)
}

fn walk(directory: &Path, all_is_user_data: bool, found: &mut Vec<Shipped>) -> anyhow::Result<()> {
    for path in entries(directory)? {
        if path.is_dir() {
            walk(&path, all_is_user_data, found)?;
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8(bytes).unwrap_or_default();
        match format(&path, &text) {
            Some(format) => found.push(Shipped { path, format, text }),
            None => ensure!(!all_is_user_data, "{} is user data in a format that this test does not know", path.display()),
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// By its ending, or as the machine itself recognises it.
fn format(path: &Path, text: &str) -> Option<Format> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("ign") => Some(Format::Ignition),
        Some("bu") => Some(Format::Butane),
        _ if text.starts_with("#cloud-config\n") => Some(Format::CloudConfig),
        _ if serde_json::from_str::<serde_json::Value>(text).is_ok_and(|json| json["ignition"]["version"].is_string()) => {
            Some(Format::Ignition)
        }
        _ => None,
    }
}

impl Shipped {
    /// A name for a group: the file's own.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What it says, with the lab's values in place of the example ones.
    pub(crate) fn user_data(&self) -> anyhow::Result<UserData> {
        let text = values::in_place_of_examples(&self.text)?;
        let read = match self.format {
            Format::Ignition => ignition::read(&text),
            Format::Butane => ignition::read_butane(&text),
            Format::CloudConfig => cloud_config::read(&text),
        };
        read.with_context(|| format!("{} is not understood", self.path.display()))
    }
}

/// Only the rendered file of a source is fed, so both must say the same.
#[test]
fn each_butane_file_says_what_its_ignition_file_says() -> anyhow::Result<()> {
    let all = shipped()?;
    for source in all.iter().filter(|file| file.format == Format::Butane) {
        let made = source.path.with_extension("ign");
        let made = all.iter().find(|file| file.path == made).with_context(|| format!("{} is not there", made.display()))?;
        assert_eq!(source.user_data()?, made.user_data()?, "{} says another thing than {}", made.path.display(), source.path.display());
    }
    Ok(())
}
