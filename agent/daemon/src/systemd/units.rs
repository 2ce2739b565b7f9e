//! Jobs for units other than etcd's: each is queued, and its result is in the unit's own journal.

use super::{Bus, BusError, ManagerProxy};

/// Reloads a unit that runs, or restarts it if it cannot reload; one that does not run stays as it is (`systemctl try-reload-or-restart`).
///
/// # Errors
/// The bus cannot be reached, or systemd knows no such unit.
pub async fn reload(bus: &Bus, unit: &str) -> Result<(), BusError> {
    let queued = bus
        .call("reload the unit", async |connection| ManagerProxy::new(connection).await?.reload_or_try_restart_unit(unit, "replace").await);
    queued.await.map(drop)
}

/// Starts a unit.
///
/// # Errors
/// The bus cannot be reached, or systemd knows no such unit.
pub async fn start(bus: &Bus, unit: &str) -> Result<(), BusError> {
    let queued = bus.call("start the unit", async |connection| ManagerProxy::new(connection).await?.start_unit(unit, "replace").await);
    queued.await.map(drop)
}
