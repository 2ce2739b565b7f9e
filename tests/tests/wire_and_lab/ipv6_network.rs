//! A network with IPv6 addresses for one test: a namespace of its own, in which the test runs again as a child process. Nothing of it outlives the child.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use quorate_lab::lab::subnet;

/// Set in there.
const THERE: &str = "QUORATE_IPV6_NETWORK";

/// Makes every address of the prefix `$1` this computer's, as 127.0.0.0/8 is, and becomes the program that follows. That program ends when this process does.
/// Connections come from `::1`, which a member's certificate names: from the address that they go to they would be another member's.
const PREPARE: &str = "set -eu
prefix=$1
shift
ip link set lo up
echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
ip -6 route add local \"$prefix/64\" dev lo src ::1
exec setpriv --pdeathsig KILL \"$@\"";

/// Root needs no user namespace, and others may be allowed one.
const WAYS: [&[&str]; 2] = [&["--net"], &["--net", "--user", "--map-root-user"]];

/// Whether this process is in such a network, where the test named `test` goes on. Otherwise the test has been run there, and has passed, or has been skipped
/// aloud.
pub(crate) fn entered(test: &str) -> anyhow::Result<bool> {
    if std::env::var_os(THERE).is_some() {
        return Ok(true);
    }
    let mut why = String::new();
    for way in WAYS {
        let tried = within(way).arg("true").output().context("cannot run unshare")?;
        if tried.status.success() {
            again(way, test)?;
            return Ok(false);
        }
        why = String::from_utf8_lossy(&tried.stderr).lines().last().unwrap_or_default().to_owned();
    }
    println!("SKIPPED {test}: a network of its own takes root or user namespaces, iproute2 and IPv6 ({why})");
    Ok(false)
}

fn within(way: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(way).args(["sh", "-c", PREPARE, "sh"]).arg(subnet::IPV6.to_string()).stdin(Stdio::null());
    command
}

fn again(way: &[&str], test: &str) -> anyhow::Result<()> {
    let mut command = within(way);
    command.arg(std::env::current_exe()?).args(["--exact", test, "--test-threads=1", "--nocapture"]).env(THERE, "1");
    let ran = command.output().context("cannot run the test again")?;
    let said = String::from_utf8_lossy(&ran.stdout);
    ensure!(ran.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}
