//! Ignition files (<https://coreos.github.io/ignition/configuration-v3_3/>) and their Butane sources: what the shipped ones use of them. Anything else in
//! one is refused by its name.

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::shipped_images::user_data::{Content, File, UserData};

/// Either, because they have the same parts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    /// An Ignition file's.
    ignition: Option<Version>,
    /// A Butane file's.
    variant: Option<String>,
    #[serde(rename = "version")]
    _version: Option<String>,
    #[serde(default)]
    storage: Storage,
    #[serde(default)]
    systemd: Systemd,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Storage {
    files: Vec<Entry>,
    /// Disks are left to the machine: the lab's have a directory.
    #[serde(rename = "filesystems")]
    _filesystems: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    mode: u32,
    contents: Contents,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    source: Option<String>,
    /// Butane's.
    inline: Option<String>,
    #[serde(default)]
    compression: String,
    verification: Option<Verification>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verification {
    hash: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Systemd {
    units: Vec<Unit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unit {
    name: String,
    contents: Option<String>,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    mask: bool,
    #[serde(default)]
    dropins: Vec<DropIn>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DropIn {
    name: String,
    contents: String,
}

/// Reads an Ignition file.
///
/// # Errors
/// It is none, or says what this test does not know.
pub(crate) fn read(text: &str) -> anyhow::Result<UserData> {
    let file: Machine = serde_json::from_str(text)?;
    let version = file.ignition.as_ref().map(|ignition| &*ignition.version).unwrap_or_default();
    ensure!(version.starts_with("3."), "Ignition {version:?} is not known");
    file.user_data()
}

/// Reads a Butane file.
///
/// # Errors
/// As with [`read`].
pub(crate) fn read_butane(text: &str) -> anyhow::Result<UserData> {
    // Butane's YAML is 1.1, in which 0644 is octal.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    let file: Machine = serde_saphyr::from_str_with_options(text, options)?;
    let variant = file.variant.as_deref().unwrap_or_default();
    ensure!(["fcos", "flatcar"].contains(&variant), "variant {variant:?} is not known");
    file.user_data()
}

impl Machine {
    fn user_data(self) -> anyhow::Result<UserData> {
        let mut data = UserData::default();
        for entry in self.storage.files {
            let content = content(entry.contents).with_context(|| entry.path.clone())?;
            data.add(entry.path, File { mode: entry.mode, content })?;
        }
        for unit in self.systemd.units {
            unit.add_to(&mut data)?;
        }
        Ok(data)
    }
}

fn content(contents: Contents) -> anyhow::Result<Content> {
    ensure!(contents.compression.is_empty(), "compression {} is not known", contents.compression);
    let sha256 = contents.verification.map(|verification| sha256(&verification.hash)).transpose()?;
    match (contents.inline, contents.source) {
        (Some(text), None) => Ok(Content::Text(text)),
        (None, Some(source)) => match source.strip_prefix("data:") {
            Some(data) => Ok(Content::Text(data_url(data)?)),
            None => Ok(Content::Fetched { url: source, sha256 }),
        },
        _ => bail!("either source or inline has to be given"),
    }
}

fn sha256(hash: &str) -> anyhow::Result<String> {
    Ok(hash.strip_prefix("sha256-").with_context(|| format!("hash {hash} is not known"))?.to_owned())
}

/// What follows `data:` (RFC 2397).
fn data_url(url: &str) -> anyhow::Result<String> {
    let (head, data) = url.split_once(',').with_context(|| format!("data:{url} has no comma"))?;
    let bytes = match head.ends_with(";base64") {
        true => STANDARD.decode(data)?,
        false => percent_decode_str(data).collect(),
    };
    Ok(String::from_utf8(bytes)?)
}

impl Unit {
    /// Its files; and what it runs, where the boot starts it.
    fn add_to(self, data: &mut UserData) -> anyhow::Result<()> {
        ensure!(!(self.mask && self.enabled), "{} is both masked and enabled", self.name);
        let file = |contents| File { mode: 0o644, content: Content::Text(contents) };
        let directory = "/etc/systemd/system";
        for part in self.dropins {
            data.add(format!("{directory}/{}.d/{}", self.name, part.name), file(part.contents))?;
        }
        if self.enabled && self.name == "quorate.service" {
            data.commands.push(["systemctl", "start", "quorate.service"].map(str::to_owned).to_vec());
        }
        let Some(contents) = self.contents else { return Ok(()) };
        if self.enabled {
            data.commands.extend(started(&contents));
        }
        data.add(format!("{directory}/{}", self.name), file(contents))
    }
}

/// The words of each `ExecStart=`; systemd's marks before them say how a failure counts.
fn started(unit: &str) -> impl Iterator<Item = Vec<String>> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix("ExecStart="));
    lines.map(|line| line.trim_start_matches(['-', '@', ':', '+', '!']).split_whitespace().map(str::to_owned).collect())
}
