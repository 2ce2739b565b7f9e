//! A program that restores a snapshot itself does so as a unit of its own, such as `quorate-k3s-restore.service`, with its output in the journal.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::bus::{Unit, Units};
use crate::adapters::service_manager::ServiceError;

const POLL: Duration = Duration::from_millis(200);
/// How long the unit's stop may take: SIGTERM, and SIGKILL after `TimeoutStopSec=`.
const END_LIMIT: Duration = Duration::from_secs(30);

/// The unit of a program with this name.
pub(super) fn unit(program: &str) -> String {
    format!("quorate-{program}-restore.service")
}

/// What the unit's `EnvironmentFile=` says: `BINARY`, and `ARGUMENTS`, which systemd splits at blanks outside quotes (systemd.service(5)).
///
/// # Errors
/// A path that cannot be quoted.
pub(super) fn environment(binary: &Path, arguments: &[OsString]) -> Result<String, ServiceError> {
    let mut text = format!("BINARY='{}'\nARGUMENTS='", plain(binary.as_os_str())?);
    for argument in arguments {
        let _ = write!(text, "\"{}\" ", plain(argument)?);
    }
    Ok(text.trim_end().to_owned() + "'\n")
}

fn plain(word: &std::ffi::OsStr) -> Result<&str, ServiceError> {
    let is_plain = |b: &u8| !b.is_ascii_control() && !b"'\"\\$".contains(b);
    let text = word.to_str().filter(|text| text.as_bytes().iter().all(is_plain));
    let how = || format!("{:?} cannot be said to systemd", String::from_utf8_lossy(word.as_bytes()));
    text.ok_or_else(|| ServiceError::Unfit { program: "a restore", how: how() })
}

/// Runs the unit until it exits; the inner error is why it failed.
pub(super) async fn run(units: &Units, limit: Duration) -> Result<Result<(), String>, ServiceError> {
    let before = units.look().await?.started;
    units.start().await?;
    let mut waited = Duration::ZERO;
    loop {
        let unit = units.look().await?;
        if let Some(ended) = ended(&unit, before) {
            return Ok(ended);
        }
        if waited >= limit {
            end(units).await?;
            return Ok(Err(format!("it did not end within {limit:?}, and was stopped")));
        }
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
}

/// How a unit of type `oneshot` ended; none while it has not. `before` is the start of its previous run.
fn ended(unit: &Unit, before: Option<Duration>) -> Option<Result<(), String>> {
    let why = || unit.last_exit(None).unwrap_or_else(|| "systemd did not start it".to_owned());
    match unit.active.as_str() {
        "failed" => Some(Err(why())),
        "inactive" if unit.started != before && unit.started.is_some() => {
            Some(if unit.result == "success" && unit.exit_status == 0 { Ok(()) } else { Err(why()) })
        }
        _ => None,
    }
}

/// Stops what a restore left running after its agent exited. If there is no such unit there is nothing to stop.
pub(super) async fn end(units: &Units) -> Result<(), ServiceError> {
    let runs = async || match units.look().await {
        Err(ServiceError::NoUnit { .. }) => Ok(None),
        unit => unit.map(|unit| Some(unit).filter(Unit::runs)),
    };
    if runs().await?.is_none() {
        return Ok(());
    }
    units.stop().await?;
    let mut waited = Duration::ZERO;
    while let Some(unit) = runs().await? {
        if waited >= END_LIMIT {
            return Err(ServiceError::Unkillable { pid: unit.main_pid.cast_signed(), waited });
        }
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(active: &str, result: &str, exit_status: i32, started: Option<u64>) -> Unit {
        let started = started.map(Duration::from_micros);
        Unit { active: active.into(), result: result.into(), main_pid: 0, exit_status, started, started_at: 0 }
    }

    #[test]
    fn each_argument_is_one_word_to_systemd() {
        let arguments = ["server".into(), "--config".into(), "/etc/my k3s/config.yaml".into()];
        let text = environment(Path::new("/usr/local/bin/k3s"), &arguments).unwrap();
        assert_eq!(text, "BINARY='/usr/local/bin/k3s'\nARGUMENTS='\"server\" \"--config\" \"/etc/my k3s/config.yaml\"'\n");
        for bad in ["a'b", "a\"b", "a\\b", "a\nb", "$HOME"] {
            assert!(environment(Path::new("/k3s"), &[bad.into()]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_run_has_ended_only_if_it_began() {
        let before = Some(Duration::from_micros(5));
        assert_eq!(ended(&seen("inactive", "success", 0, Some(5)), before), None, "that is the previous one");
        assert_eq!(ended(&seen("activating", "success", 0, Some(9)), before), None);
        assert_eq!(ended(&seen("inactive", "success", 0, Some(9)), before), Some(Ok(())));
        assert_eq!(ended(&seen("inactive", "success", 0, None), None), None);
        for failed in [seen("failed", "exit-code", 1, Some(9)), seen("failed", "timeout", 0, None)] {
            assert!(matches!(ended(&failed, before), Some(Err(_))));
        }
    }
}
