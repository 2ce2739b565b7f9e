//! What makes a copy of the image this machine: its name and network, and what cloud-init would have written for the agent.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::network::{API, GATEWAY, METADATA};
use crate::lab::AgentSettings;

/// Where a machine finds the directory that all share.
pub(super) const SHARED: &str = "/shared";
/// Started at boot by `multi-user.target`.
pub(super) const AGENT: &str = "/usr/lib/systemd/system/quorate.service";
pub(super) const APPLICATION: &str = "/etc/systemd/system/application.service";
const MULTI_USER: &str = "multi-user.target.wants";
/// What is shipped for Flatcar.
const FLATCAR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ignition/flatcar-etcd.ign");
/// Its unit that takes the extension image into use.
const TAKES: &str = "quorate-image.service";
/// What `packaging/README.md` says of a unit that needs the cluster there: it is not enabled, because a boot does not know `quorate.target` yet.
const STARTS: &str = "[Service]\nExecStart=systemctl start --no-block application.service\n";

/// Writes them.
pub(super) fn write(root: &Path, name: &str, address: Ipv4Addr, settings: &AgentSettings) -> std::io::Result<()> {
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    put("etc/hostname", &format!("{name}\n"))?;
    put("etc/hosts", &format!("127.0.0.1 localhost\n::1 localhost\n{address} {name}\n"))?;
    // Without one it is a first boot, and systemd-firstboot fails because there is no console.
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?.replace('-', "");
    put("etc/machine-id", &id)?;
    put("etc/systemd/network/10-host0.network", &network(address))?;
    put("etc/quorate/config.d/90-lab.toml", &settings.to_string())?;
    put("etc/systemd/system/quorate.service.d/lab.conf", &drop_in())?;
    put(APPLICATION.trim_start_matches('/'), NEEDS_ETCD)?;
    fs::create_dir_all(root.join("var/log/journal"))?;
    enable(root, MULTI_USER, "/lib/systemd/system/systemd-networkd.service")?;
    enable(root, "network-online.target.wants", "/lib/systemd/system/systemd-networkd-wait-online.service")
}

/// Has these started at boot.
pub(super) fn start_at_boot(root: &Path, units: &[&str]) -> std::io::Result<()> {
    units.iter().try_for_each(|unit| enable(root, MULTI_USER, unit))
}

/// Writes what the shipped Ignition file does with the extension image, and enables what Flatcar does itself.
pub(super) fn extend(root: &Path) -> anyhow::Result<()> {
    let shipped: Value = serde_json::from_slice(&fs::read(FLATCAR).with_context(|| format!("cannot read {FLATCAR}"))?)?;
    let takes = shipped["systemd"]["units"].as_array().into_iter().flatten().find(|unit| unit["name"] == TAKES);
    let text = takes.and_then(|unit| unit["contents"].as_str()).with_context(|| format!("{FLATCAR} has no {TAKES}"))?;
    let units = root.join("etc/systemd/system");
    fs::write(units.join(TAKES), text)?;
    let more = units.join(format!("{TAKES}.d"));
    fs::create_dir_all(&more)?;
    fs::write(more.join("application.conf"), STARTS)?;
    enable(root, MULTI_USER, &format!("/etc/systemd/system/{TAKES}"))?;
    Ok(enable(root, "sysinit.target.wants", "/usr/lib/systemd/system/systemd-sysext.service")?)
}

fn network(address: Ipv4Addr) -> String {
    format!(
        "[Match]\nName=host0\n\n[Network]\nAddress={address}/24\nGateway={GATEWAY}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\n\
         [Route]\nDestination={}/32\nScope=link\n",
        METADATA.ip()
    )
}

/// The object store is a directory here, which the unit would not let the agent write. The watchdog is quick, as the agent's settings are.
fn drop_in() -> String {
    format!("[Service]\nEnvironment=AWS_ENDPOINT_URL=http://{API} RUST_BACKTRACE=1\nReadWritePaths={SHARED}\nWatchdogSec=8\n")
}

/// A unit that needs the cluster orders itself after the target.
const NEEDS_ETCD: &str = "[Unit]
Description=Something that needs etcd
Wants=quorate.target
After=quorate.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
";

/// What `systemctl enable` would do.
fn enable(root: &Path, by: &str, unit: &str) -> std::io::Result<()> {
    let wants = root.join("etc/systemd/system").join(by);
    fs::create_dir_all(&wants)?;
    let link = wants.join(Path::new(unit).file_name().unwrap_or_default());
    let _ = fs::remove_file(&link);
    symlink(unit, link)
}
