//! What makes a copy of the image this machine: its name and network, and what cloud-init would have written for the agent.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::network::{API, GATEWAY, METADATA};
use crate::lab::AgentSettings;

/// Where a machine finds the directory that all share.
pub(super) const SHARED: &str = "/shared";

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
    put("etc/systemd/system/application.service", APPLICATION)?;
    fs::create_dir_all(root.join("var/log/journal"))?;
    enable(root)
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
const APPLICATION: &str = "[Unit]
Description=Something that needs etcd
Wants=quorate.target
After=quorate.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
";

/// What `systemctl enable` would do.
fn enable(root: &Path) -> std::io::Result<()> {
    let units = root.join("etc/systemd/system");
    let wants = [
        ("multi-user.target.wants", "/lib/systemd/system/systemd-networkd.service"),
        ("network-online.target.wants", "/lib/systemd/system/systemd-networkd-wait-online.service"),
        ("multi-user.target.wants", "/usr/lib/systemd/system/quorate.service"),
        ("multi-user.target.wants", "/etc/systemd/system/application.service"),
    ];
    for (by, unit) in wants {
        let link = units.join(by).join(Path::new(unit).file_name().unwrap_or_default());
        fs::create_dir_all(units.join(by))?;
        let _ = fs::remove_file(&link);
        symlink(unit, link)?;
    }
    Ok(())
}
