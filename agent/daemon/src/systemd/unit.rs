//! A unit's properties, as systemd's manager shows them (org.freedesktop.systemd1(5)).

use std::collections::HashMap;

use zbus::OwnedVariant;
use zbus::fdo::PropertiesProxy;
use zbus::names::InterfaceName;

use super::{Bus, BusError, ManagerProxy};

/// The properties of a service or a socket, including those that every unit has. No name is in both interfaces with two meanings.
#[derive(Debug, Default)]
pub struct Properties(HashMap<String, OwnedVariant>);

impl Properties {
    /// Reads them. A missing unit has some too, with `LoadState` `not-found`.
    ///
    /// # Errors
    /// The bus cannot be reached, or the manager refused.
    pub async fn of(bus: &Bus, unit: &str) -> Result<Self, BusError> {
        let read = bus.call("read the unit", async |connection| {
            let path = ManagerProxy::new(connection).await?.load_unit(unit).await?;
            let properties = PropertiesProxy::builder(connection).destination("org.freedesktop.systemd1").path(path).build().await?;
            let all = async |name: &'static str| properties.get_all(InterfaceName::from_static_str(name)?).await;
            let mut found = all("org.freedesktop.systemd1.Unit").await?;
            let kind = if unit.ends_with(".socket") { "org.freedesktop.systemd1.Socket" } else { "org.freedesktop.systemd1.Service" };
            found.extend(all(kind).await?);
            Ok(Self(found))
        });
        read.await
    }

    /// A text; empty if there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.0.get(name).and_then(|value| value.downcast_ref::<&str>().ok()).unwrap_or_default().to_owned()
    }

    /// Any other value; `None` if there is none or it has another type.
    #[must_use]
    pub fn get<T: TryFrom<OwnedVariant>>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.try_clone().ok()?.try_into().ok()
    }
}

#[cfg(test)]
impl Properties {
    /// A unit with only this property.
    pub(crate) fn only(name: &str, value: zbus::Variant<'_>) -> Self {
        Self::default().with(name, value)
    }

    pub(crate) fn with(mut self, name: &str, value: zbus::Variant<'_>) -> Self {
        self.0.insert(name.to_owned(), OwnedVariant::try_from(value).unwrap());
        self
    }
}

#[cfg(test)]
mod tests {
    use zbus::Variant;

    use super::*;

    fn of(name: &str, value: Variant<'_>) -> Properties {
        Properties::only(name, value)
    }

    #[test]
    fn properties_are_read_by_their_types_on_the_bus() {
        let files = of("EnvironmentFiles", Variant::new(vec![("/run/x".to_owned(), true)]));
        assert_eq!(files.get::<Vec<(String, bool)>>("EnvironmentFiles"), Some(vec![("/run/x".to_owned(), true)]));
        assert_eq!(files.get::<u64>("EnvironmentFiles"), None);
        type Command = (String, Vec<String>, bool, u64, u64, u64, u64, u32, i32, i32);
        let command: Command = ("/usr/bin/etcd".to_owned(), vec!["etcd".to_owned(), "--x".to_owned()], false, 0, 0, 0, 0, 0, 0, 0);
        let started = of("ExecStart", Variant::new(vec![command.clone()]));
        assert_eq!(started.get::<Vec<Command>>("ExecStart"), Some(vec![command]));
        assert_eq!((started.text("User"), of("User", Variant::new("etcd")).text("User")), (String::new(), "etcd".to_owned()));
    }
}
