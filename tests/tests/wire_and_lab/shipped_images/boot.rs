//! A machine that boots with a file as its user data, in everything that its agent notices.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::Context;
use quorate_core::role::Role;
use quorate_lab::lab::image::{Image, Place};
use quorate_lab::lab::{AgentSettings, binaries};

use crate::shipped_images::tree::{Format, Shipped};
use crate::shipped_images::user_data::{Content, File, UserData};
use crate::shipped_images::values::Object;
use crate::shipped_images::{commands, moved, settings, values};

/// Where an image that Packer baked has k3s, and where the agent looks for it by default.
const K3S: &str = "/usr/local/bin/k3s";

/// An image with a file as its user data.
#[derive(Debug)]
pub(crate) struct Booted {
    data: UserData,
    /// It brings k3s along: with Ignition the user data does.
    is_baked: bool,
}

impl Booted {
    pub(crate) fn with(file: &Shipped) -> anyhow::Result<Self> {
        Ok(Self { data: file.user_data()?, is_baked: file.format == Format::CloudConfig })
    }

    /// What the machine is for.
    pub(crate) fn role(&self) -> anyhow::Result<Role> {
        settings::role(&self.data)
    }
}

impl Image for Booted {
    fn first_boot(&self, place: Place<'_>) -> anyhow::Result<()> {
        let hosts = File { mode: 0o644, content: Content::Text("127.0.0.1 localhost\n".to_owned()) };
        write(place.root, "/etc/hosts", &hosts)?;
        if self.is_baked {
            put(&moved::path(place.root, K3S), &Object::Program(binaries::k3s()?))?;
        }
        self.data.files.iter().try_for_each(|(path, file)| write(place.root, path, file))?;
        commands::run(&self.data.commands, place)
    }

    fn settings(&self, place: Place<'_>) -> anyhow::Result<AgentSettings> {
        let default = AgentSettings::defaults().text("kubernetes.binary", moved::path(place.root, K3S).display());
        Ok(default.overridden_by(&settings::on_disk(place)?))
    }
}

fn write(root: &Path, path: &str, file: &File) -> anyhow::Result<()> {
    let at = moved::path(root, path);
    match &file.content {
        Content::Text(text) => fill(&at, text.as_bytes(), file.mode),
        Content::Fetched { url, sha256 } => match values::fetch(url, sha256.as_deref())? {
            Object::Text(text) => fill(&at, text.as_bytes(), file.mode),
            program @ Object::Program(_) => put(&at, &program),
        },
    }
    .with_context(|| format!("cannot write {path}"))
}

fn fill(at: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    at.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(at, bytes)?;
    Ok(fs::set_permissions(at, fs::Permissions::from_mode(mode))?)
}

/// By a link: it is large.
fn put(at: &Path, object: &Object) -> anyhow::Result<()> {
    let Object::Program(program) = object else { return Ok(()) };
    at.parent().map_or(Ok(()), fs::create_dir_all)?;
    Ok(symlink(program, at)?)
}
