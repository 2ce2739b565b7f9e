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
        /// Its name, if it is not the role's own.
        unit: Option<String>,
    },
}

impl ServiceSettings {
    /// The unit, if systemd runs it; `own` is the role's default.
    #[must_use]
    pub fn unit<'a>(&'a self, own: &'a str) -> Option<&'a str> {
        match self {
            Self::Exec => None,
            Self::Systemd { unit } => Some(unit.as_deref().unwrap_or(own)),
        }
    }
}

/// The unit that the package brings for etcd.
pub const UNIT: &str = "quorate-etcd.service";

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
        // Naming a unit implies systemd.
        (None | Some("systemd"), unit) => {
            Ok(ServiceSettings::Systemd { unit: unit.map(|unit| service_name("service.unit", unit)).transpose()? })
        }
        (Some(other), _) => Err(Refusal::value("service.manager", format!("{other:?}"), "use systemd or exec")),
    }
}

/// The full name of a service.
///
/// # Errors
/// It is not a service's name.
pub(super) fn service_name(key: &str, unit: String) -> Result<String, Refusal> {
    let stem = unit.strip_suffix(".service").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if !stem.is_empty() && stem.chars().all(plain) {
        return Ok(unit);
    }
    Err(Refusal::value(key, format!("{unit:?}"), "give the full name of a service, such as quorate-etcd.service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(manager: Option<&str>, unit: Option<&str>) -> Result<ServiceSettings, Refusal> {
        settings(Service { manager: manager.map(Into::into), unit: unit.map(Into::into) })
    }

    #[test]
    fn the_unit_may_be_left_out_and_must_be_a_service() {
        assert_eq!(parsed(None, None).unwrap(), ServiceSettings::Exec);
        assert_eq!(parsed(Some("systemd"), None).unwrap(), ServiceSettings::Systemd { unit: None });
        for manager in [None, Some("systemd")] {
            assert_eq!(parsed(manager, Some("etcd.service")).unwrap(), ServiceSettings::Systemd { unit: Some("etcd.service".into()) });
        }
        for (manager, unit) in
            [(Some("systemd"), Some("etcd")), (Some("systemd"), Some(".service")), (Some("exec"), Some("a.service")), (Some("s6"), None)]
        {
            assert!(parsed(manager, unit).is_err(), "{manager:?} {unit:?}");
        }
    }
}
