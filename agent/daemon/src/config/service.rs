//! `[service]`: what runs etcd.

use super::Refusal;
use super::file::Service;

/// What runs etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceSettings {
    /// A child of the agent that outlives it; for machines without systemd, and for the lab.
    Exec,
    /// A unit of systemd.
    Systemd {
        /// Its name.
        unit: String,
    },
}

/// The unit that the package brings.
const UNIT: &str = "quorate-etcd.service";

/// Checks the section.
///
/// # Errors
/// The first value that cannot be used.
pub(super) fn settings(raw: Service) -> Result<ServiceSettings, Refusal> {
    match (raw.manager.as_deref(), raw.unit) {
        (None | Some("exec"), None) => Ok(ServiceSettings::Exec),
        (Some("exec"), Some(unit)) => {
            Err(Refusal::value("service.unit", format!("{unit:?}"), "leave it out, or set service.manager = \"systemd\""))
        }
        // Who names a unit means systemd.
        (None | Some("systemd"), unit) => Ok(ServiceSettings::Systemd { unit: unit.map_or_else(|| Ok(UNIT.to_owned()), service_name)? }),
        (Some(other), _) => Err(Refusal::value("service.manager", format!("{other:?}"), "use systemd or exec")),
    }
}

fn service_name(unit: String) -> Result<String, Refusal> {
    let stem = unit.strip_suffix(".service").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if !stem.is_empty() && stem.chars().all(plain) {
        return Ok(unit);
    }
    Err(Refusal::value("service.unit", format!("{unit:?}"), "give the full name of a service, such as quorate-etcd.service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(manager: Option<&str>, unit: Option<&str>) -> Result<ServiceSettings, Refusal> {
        settings(Service { manager: manager.map(Into::into), unit: unit.map(Into::into) })
    }

    #[test]
    fn the_unit_has_a_default_and_must_be_a_service() {
        assert_eq!(parsed(None, None).unwrap(), ServiceSettings::Exec);
        assert_eq!(parsed(Some("systemd"), None).unwrap(), ServiceSettings::Systemd { unit: UNIT.into() });
        for manager in [None, Some("systemd")] {
            assert_eq!(parsed(manager, Some("etcd.service")).unwrap(), ServiceSettings::Systemd { unit: "etcd.service".into() });
        }
        for (manager, unit) in
            [(Some("systemd"), Some("etcd")), (Some("systemd"), Some(".service")), (Some("exec"), Some("a.service")), (Some("s6"), None)]
        {
            assert!(parsed(manager, unit).is_err(), "{manager:?} {unit:?}");
        }
    }
}
