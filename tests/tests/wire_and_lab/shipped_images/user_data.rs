//! What a file of user data says, in any format.

use std::collections::BTreeMap;

/// What it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserData {
    /// By the path on the machine.
    pub(crate) files: BTreeMap<String, File>,
    /// What the boot runs once the files are there, in this order, each in words.
    pub(crate) commands: Vec<Vec<String>>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) mode: u32,
    pub(crate) content: Content,
}

/// What is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(String),
    /// It is fetched. Where a hash is given, anything else is refused.
    Fetched {
        url: String,
        sha256: Option<String>,
    },
}

impl UserData {
    /// The text of a file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        match &self.files.get(path)?.content {
            Content::Text(text) => Some(text),
            Content::Fetched { .. } => None,
        }
    }

    /// # Errors
    /// There are two files of this name.
    pub(crate) fn add(&mut self, path: String, file: File) -> anyhow::Result<()> {
        anyhow::ensure!(path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path} is no absolute path without `..`");
        let twice = self.files.insert(path.clone(), file).is_some();
        anyhow::ensure!(!twice, "{path} is given twice");
        Ok(())
    }
}
