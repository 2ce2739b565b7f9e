//! `[[render]]`: files that are rewritten when the cluster changes.

use std::path::PathBuf;

use super::Refusal;
use super::check::absolute;
use super::file::Render;
use super::service::service_name;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderSettings {
    /// The template.
    pub template: PathBuf,
    /// What is written from it.
    pub path: PathBuf,
    /// The unit that is reloaded after a change.
    pub reload_unit: Option<String>,
}

/// Checks all of them.
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn settings(all: Vec<Render>) -> Result<Vec<RenderSettings>, Refusal> {
    let all = all.into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    let twice = all.iter().enumerate().find(|(at, this)| all.iter().take(*at).any(|before| before.path == this.path));
    match twice {
        Some((_, this)) => Err(Refusal::value("render.path", this.path.display(), "write each file from one template only")),
        None => Ok(all),
    }
}

fn one(raw: Render) -> Result<RenderSettings, Refusal> {
    let path = |key, value: Option<String>| match value {
        Some(value) => absolute(key, Some(value), "/"),
        None => Err(Refusal::value(key, "nothing", "give every [[render]] both a template and a path")),
    };
    let (template, target) = (path("render.template", raw.template)?, path("render.path", raw.path)?);
    if template == target {
        return Err(Refusal::value("render.path", target.display(), "give another path than the template's: it would be overwritten"));
    }
    let reload_unit = raw.reload_unit.map(|unit| service_name("render.reload_unit", unit)).transpose()?;
    Ok(RenderSettings { template, path: target, reload_unit })
}
