//! The agent's settings of a machine, whose paths and addresses are moved to where the lab has them; and the result.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};
use quorate_core::role::Role;
use quorate_lab::lab::AgentSettings;
use quorate_lab::lab::image::Place;
use toml::{Table, Value};

use crate::shipped_images::moved;
use crate::shipped_images::user_data::UserData;

/// The fragments that a user writes.
const DIRECTORY: &str = "/etc/quorate/config.d/";

/// What a machine of this user data is for. The tag of its group says it too; but only Kubernetes has that section.
pub(crate) fn role(data: &UserData) -> anyhow::Result<Role> {
    let texts = data.files.keys().filter(|path| is_fragment(path)).filter_map(|path| data.text(path));
    let fragments = texts.map(|text| Ok(text.parse()?)).collect::<anyhow::Result<Vec<Table>>>()?;
    let said = fragments.iter().rev().find_map(|fragment| fragment.get("cluster")?.get("role")?.as_str());
    match said {
        Some(role) => Role::parse(role).map_err(|remedy| anyhow::anyhow!("cluster.role = {role:?}: {remedy}")),
        None if fragments.iter().any(|fragment| fragment.contains_key("kubernetes")) => Ok(Role::ControlPlane),
        None => Ok(Role::Etcd),
    }
}

fn is_fragment(path: &str) -> bool {
    path.strip_prefix(DIRECTORY).is_some_and(|name| name.ends_with(".toml") && !name.contains('/'))
}

/// All fragments on a disk, a later one before an earlier one.
pub(crate) fn on_disk(place: Place<'_>) -> anyhow::Result<AgentSettings> {
    let directory = moved::path(place.root, DIRECTORY);
    let entries = std::fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    paths.iter().try_fold(AgentSettings::defaults(), |settings, path| {
        let text = std::fs::read_to_string(path)?;
        add(settings, &text, place.root, place.address).with_context(|| path.display().to_string())
    })
}

fn add(settings: AgentSettings, text: &str, root: &Path, address: IpAddr) -> anyhow::Result<AgentSettings> {
    let sections: Table = text.parse()?;
    sections.into_iter().try_fold(settings, |settings, (section, keys)| {
        let Value::Table(keys) = keys else { bail!("{section} is no section, and the lab's settings are sections") };
        let value = |value| moved_value(value, root, address).to_string();
        Ok(keys.into_iter().fold(settings, |settings, (key, given)| settings.raw(&format!("{section}.{key}"), value(given))))
    })
}

/// Moves a path below the disk, and a listener on all addresses to the instance's address, because the others are on this computer too.
fn moved_value(value: Value, root: &Path, address: IpAddr) -> Value {
    match value {
        Value::String(text) if text.starts_with('/') => Value::String(moved::path(root, &text).display().to_string()),
        Value::String(text) => Value::String(match text.parse::<SocketAddr>() {
            Ok(all) if all.ip().is_unspecified() => SocketAddr::from((address, all.port())).to_string(),
            _ => text,
        }),
        Value::Array(items) => items.into_iter().map(|item| moved_value(item, root, address)).collect::<Vec<_>>().into(),
        Value::Table(items) => Value::Table(items.into_iter().map(|(key, item)| (key, moved_value(item, root, address))).collect()),
        other => other,
    }
}
