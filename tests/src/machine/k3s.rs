//! What an image for Kubernetes brings along: the stand-in for k3s with the units that k3s' installer writes, and what Quorate's own examples
//! configure: an alias for the API, and a file rendered for a proxy, which is reloaded.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Context;
use quorate_core::role::Role;

use super::files::SHARED;
use crate::k3s::Pace;
use crate::lab::AgentSettings;
use crate::lab::distribution::{Layout, Purpose};

/// The name under which every node finds the API.
pub const ALIAS: &str = "api.test";
/// What the proxy reads, and its copy of what it has read.
pub const PROXY: (&str, &str) = ("etc/proxy/servers", "run/proxy/servers");

const ETCD: &str = "/usr/bin/etcd";
const TEMPLATE: &str = "{% for server in servers %}server {{ server.address }}\n{% endfor %}";

/// Writes it on a disk whose root directory is `root`.
pub(super) fn install(root: &Path, purpose: &Purpose) -> anyhow::Result<()> {
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        written.with_context(|| format!("cannot write {}", path.display()))
    };
    fs::create_dir_all(root.join("usr/local/bin"))?;
    symlink(Path::new(SHARED).join("k3s"), root.join("usr/local/bin/k3s")).context("cannot link k3s")?;
    match purpose.role {
        Role::Worker => put("etc/systemd/system/k3s-agent.service", &unit("agent", "exec"))?,
        _ => put("etc/systemd/system/k3s.service", &unit("server", "notify"))?,
    }
    put("etc/quorate/templates/servers.j2", TEMPLATE)?;
    let (file, copy) = PROXY;
    let rendered =
        format!("[[render]]\ntemplate = \"/etc/quorate/templates/servers.j2\"\npath = \"/{file}\"\nreload_unit = \"proxy.service\"\n");
    put("etc/quorate/config.d/95-render.toml", &rendered)?;
    put("etc/systemd/system/quorate.service.d/render.conf", "[Service]\nReadWritePaths=/etc/proxy\n")?;
    put(file, "")?;
    let proxy = format!(
        "[Service]\nType=exec\nRuntimeDirectory=proxy\nExecStart=/bin/sleep infinity\nExecReload=/bin/cp /{file} /{copy}\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    );
    put("etc/systemd/system/proxy.service", &proxy)?;
    symlink("../proxy.service", root.join("etc/systemd/system/multi-user.target.wants/proxy.service"))?;
    Layout::stock().install(root, purpose, Path::new(ETCD), Pace::quick())
}

/// The agent's settings for it.
pub(super) fn settings() -> AgentSettings {
    Layout::stock().settings().text("kubernetes.alias", ALIAS)
}

/// As <https://get.k3s.io> writes it; a server is ready when its API is, an agent as soon as it runs.
fn unit(command: &str, kind: &str) -> String {
    format!(
        "[Unit]\nDescription=Lightweight Kubernetes\nWants=network-online.target\nAfter=network-online.target\n\n\
         [Service]\nType={kind}\nKillMode=process\nDelegate=yes\nTimeoutStartSec=0\nRestart=always\nRestartSec=5s\n\
         ExecStart=/usr/local/bin/k3s {command}\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}
