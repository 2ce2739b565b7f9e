//! What `quorate check` reads of k3s' unit from a real systemd, without any k3s: conditions, sandbox, and which unit may write the alias.

use anyhow::{Context, ensure};
use quorate_lab::machine::Machine;
use quorate_lab::machine::network::API;
use serde_json::Value;

/// A unit as k3s' installer leaves it, and a program that only knows its release. The shipped drop-in is in the package.
const INSTALL: &str = "set -e
printf '#!/bin/sh\\necho \"k3s version v1.35.6+k3s1 (00000000)\"\\n' >/usr/local/bin/k3s
chmod 755 /usr/local/bin/k3s
printf '[Service]\\nExecStart=/usr/local/bin/k3s server\\nRestart=always\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/k3s.service
install -m 600 /dev/null /etc/quorate/token
echo secret >/etc/quorate/token
install -d /srv/elsewhere
printf '[cluster]\\nrole = \"control-plane\"\\n[service]\\nmanager = \"systemd\"\\n[kubernetes]\\ntoken_file = \"/etc/quorate/token\"\\nalias = \"api.test\"\\n' >/root/k3s.toml
{ cat /root/k3s.toml; echo 'data_dir = \"/srv/elsewhere\"'; } >/root/elsewhere.toml
systemctl daemon-reload
systemctl enable --quiet k3s.service";

const MASK: &str = "set -e
install -d /etc/systemd/system/k3s.service.d
ln -s /dev/null /etc/systemd/system/k3s.service.d/10-quorate.conf
systemctl daemon-reload";

const REMOVE: &str = "set -e
systemctl disable --quiet k3s.service
rm -r /etc/systemd/system/k3s.service /etc/systemd/system/k3s.service.d /usr/local/bin/k3s /etc/quorate/token /root/k3s.toml /root/elsewhere.toml
systemctl daemon-reload";

/// Leaves the machine as it was.
pub(crate) async fn is_read(machine: &Machine) -> anyhow::Result<()> {
    let sh = async |script: &str| machine.run(&["sh", "-c", script]).await;
    sh(INSTALL).await?;
    let found = check(machine, "/root/k3s.toml").await?;
    for name in ["k3s binary", "k3s release", "k3s configuration", "token", "configuration directory", "data directory", "alias"] {
        is(&found, name, "ok", "")?;
    }
    is(&found, "k3s.service", "ok", "enabled, inactive; it starts only while quorate permits it")?;
    let elsewhere = check(machine, "/root/elsewhere.toml").await?;
    is(&elsewhere, "data directory", "problem", "/srv/elsewhere is read-only for quorate.service")?;
    sh(MASK).await?;
    let masked = check(machine, "/root/k3s.toml").await?;
    let lacks =
        "lacks ConditionPathExists=/run/quorate/k3s.permit and ConditionPathExists=!/var/lib/quorate/left and Restart=no (it is always)";
    is(&masked, "k3s.service", "problem", lacks)?;
    sh(REMOVE).await.map(drop)
}

async fn check(machine: &Machine, file: &str) -> anyhow::Result<Value> {
    let order = format!("AWS_ENDPOINT_URL=http://{API} quorate --config {file} check --json || true");
    let found = machine.run(&["sh", "-c", &order]).await?;
    serde_json::from_str(&found).with_context(|| format!("no JSON: {found}"))
}

fn is(report: &Value, name: &str, verdict: &str, message: &str) -> anyhow::Result<()> {
    let found = report["findings"].as_array().into_iter().flatten().find(|finding| finding["name"] == name);
    let found = found.with_context(|| format!("nothing is said of {name}: {report:#}"))?;
    let text = found["found"].as_str().unwrap_or_default();
    ensure!(found["verdict"] == verdict && text.contains(message), "{name} should be {verdict}, with {message:?}: {found:#}");
    Ok(())
}
