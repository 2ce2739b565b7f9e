//! cloud-init's `#cloud-config` (<https://cloudinit.readthedocs.io/en/latest/reference/modules.html>): what the shipped files use of it. Anything else is
//! refused by its name: cloud-init itself passes over a key that it does not know.

use anyhow::Context;
use serde::Deserialize;

use crate::shipped_images::user_data::{Content, File, UserData};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CloudConfig {
    /// Disks are left to the machine: none of this is run.
    #[serde(default, rename = "bootcmd")]
    _bootcmd: Vec<Vec<String>>,
    #[serde(default)]
    write_files: Vec<Entry>,
    #[serde(default)]
    runcmd: Vec<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    /// cloud-init's default.
    #[serde(default = "readable")]
    permissions: String,
    content: String,
}

fn readable() -> String {
    "0644".to_owned()
}

/// Reads one.
///
/// # Errors
/// It is none, or says what this test does not know.
pub(crate) fn read(text: &str) -> anyhow::Result<UserData> {
    let config: CloudConfig = serde_saphyr::from_str(text)?;
    let mut data = UserData { commands: config.runcmd, ..UserData::default() };
    for entry in config.write_files {
        let mode = u32::from_str_radix(&entry.permissions, 8).with_context(|| format!("the permissions of {}", entry.path))?;
        data.add(entry.path, File { mode, content: Content::Text(entry.content) })?;
    }
    Ok(data)
}
